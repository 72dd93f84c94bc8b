"""Real photographs and real masks go through the pipeline by a parameter file alone."""

import os
from pathlib import Path

import pandas as pd
import pytest
import yaml

from tests.conftest import REPOSITORY, bare
from tests.workflow.conftest import Clone, shrink

SHARED = Path(os.environ.get("SPL_SHARED_DIR", REPOSITORY.parent / "shared"))
DATA = SHARED / "data"

pytestmark = pytest.mark.skipif(not DATA.is_dir(), reason=f"no real photographs: {DATA} does not exist")


def folder(path: Path, glob: str) -> dict:
    return {
        "source": {"kind": "supplied", "path": str(path)},
        "layout": {"kind": "folder", "glob": glob, "test_fraction": 0.34},
        "crop": None,
        "image_size": 32,
        "validation": 0,
        "skip_unreadable": 0,
    }


def test_real_photographs_and_real_masks_fill_table1(raw_params, tmp_path):
    raw = bare(shrink(raw_params)) | {"detection": None}
    raw["datasets"] = {
        "paris": folder(DATA / "facades", "*_1*.png"),
        "celeba": folder(DATA / "irregular", "*/images/*.png"),
    }
    raw["masks"] = {
        "source": {"kind": "supplied", "path": str(DATA / "irregular")}, "glob": "*/masks/*.png", "hole": "white",
    }  # fmt: skip
    raw["methods"] = {name: raw["methods"][name] for name in ("telea", "rn")}
    (tmp_path / "real.yaml").write_text(yaml.safe_dump(raw, sort_keys=False))
    clone = Clone(tmp_path, tmp_path / "cache")
    clone.snakemake("real.yaml", "--", "results/table1.csv")
    masks = pd.read_csv(tmp_path / "data/masks/masks.csv", keep_default_na=False)
    assert len(masks) == 9
    assert set(masks["ratio_bin"]) == {"20-30", "30-40", "40-50", "50-60"}  # as drawn by the masks' authors: 27 to 55 %
    table = pd.read_csv(tmp_path / "results/table1.csv")
    assert table.query("mask_ratio == 'all'")["ours"].notna().all()
    assert set(table["status"]) <= {"trained here", "classical fill", "no images"}
    assert table.query("method == 'rn' and dataset == 'paris' and mask_ratio == 'all'")["paper"].isna().all()
    assert (table.loc[table["n_images"] == 0, "status"] == "no images").all()
