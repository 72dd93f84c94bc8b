"""Figure 4's numbers: every ablation beside the method it varies, with the interval of the paired difference."""

import numpy as np
import pandas as pd
import pytest

from spl.analysis.compare_ablations import COLUMNS, compare_ablations
from spl.config.experiment import Ablations
from spl.steps.settings import AblationSettings
from tests.analysis.fabricate import per_image, table_settings, write_evidence

SHIFTS = {"spl": 1.0, "spl_no_prior": 0.0, "spl_detector": 0.8, "mine": 1.2}


def settings(seeds):
    ablations = Ablations(dataset="paris", reference="spl", methods=tuple(list(SHIFTS)[1:]))
    return table_settings(["paris"], SHIFTS, seeds=seeds, kind=AblationSettings, ablations=ablations)


@pytest.fixture(params=[(1,), (1, 2, 3)], ids=["one seed", "three seeds"])
def written(request, tmp_path):
    tables = {
        ("paris", method, seed): per_image(shift + seed / 10, noise=0.2, draw=100 * i + seed)
        for i, (method, shift) in enumerate(SHIFTS.items())
        for seed in request.param
    }
    write_evidence(tmp_path, tables)
    compare_ablations(settings(request.param), results=tmp_path, out=tmp_path / "ablations.csv")
    return pd.read_csv(tmp_path / "ablations.csv"), tables, request.param


def row(table, *where):
    return table.set_index(["metric", "method", "mask_ratio"]).loc[where]


def test_a_row_for_every_metric_method_and_mask_ratio(written):
    table, _, seeds = written
    assert list(table.columns) == COLUMNS
    assert len(table) == 3 * len(SHIFTS) * 3
    assert (table["n_seeds"] == len(seeds)).all()
    own = table[table["method"] == "spl"]
    assert own[["difference", "difference_low", "difference_high", "paper_order"]].isna().all(axis=None)


def test_the_difference_to_the_reference_is_paired(written):
    table, tables, seeds = written
    found = row(table, "psnr", "spl_no_prior", "all")
    per_seed = [tables["paris", "spl_no_prior", s]["psnr"] - tables["paris", "spl", s]["psnr"] for s in seeds]
    assert found["difference"] == pytest.approx(np.mean(per_seed), abs=1e-5)
    assert found["difference_low"] < found["difference"] < found["difference_high"] < 0
    assert found["high"] - found["low"] > 2 * (found["difference_high"] - found["difference_low"])
    assert np.isnan(found["method_low"]) == (len(seeds) == 1)
    assert len(seeds) == 1 or found["method_low"] < found["difference_low"]


def test_the_means_of_the_seeds_are_told(written):
    table, tables, seeds = written
    found = row(table, "mae", "spl_detector", "all")
    wanted = [tables["paris", "spl_detector", seed]["mae"].mean() for seed in seeds]
    assert np.array(str(found["seed_values"]).split(), float) == pytest.approx(wanted, abs=1e-6)
    assert np.isnan(found["seed_sd"]) == (len(seeds) == 1)


def test_the_papers_order_stands_where_its_text_says_one(written):
    table, _, _ = written
    order = table.groupby("method")["paper_order"].first()
    assert order.dropna().to_dict() == {"spl_no_prior": "worse", "spl_detector": "between"}


def test_without_ablations_there_is_only_the_header(demo_params, tmp_path):
    params = demo_params.model_copy(update={"ablations": None})
    compare_ablations(AblationSettings.of(params), results=tmp_path, out=tmp_path / "ablations.csv")
    assert (tmp_path / "ablations.csv").read_text() == ",".join(COLUMNS) + "\n"
