"""Masks are binarised once, their polarity is checked, and they fall into six bins by measured ratio."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from spl.config import Masks
from spl.data.masks import RATIO_BINS, group_masks, ratio_bin, read_mask
from spl.data.sources import fetch_masks
from spl.errors import DataError
from spl.files import read_json
from spl.settings import MaskSettings


@pytest.mark.parametrize(
    ("ratio", "expected"),
    [(0.0, None), (1e-6, "00-10"), (0.1, "00-10"), (0.1001, "10-20"), (0.2, "10-20"), (0.3, "20-30"), (0.4, "30-40"),
     (0.5, "40-50"), (0.6, "50-60"), (0.6001, None), (1.0, None)],
)  # fmt: skip
def test_upper_edges_belong_to_their_bin(ratio, expected):
    assert ratio_bin(ratio) == expected


@given(holes=st.integers(1, 100))
def test_bins_partition_the_usable_ratios(holes):
    name = ratio_bin(np.mean(np.arange(100) < holes))
    assert (name is None) == (holes > 60)
    if name:
        low, high = map(int, name.split("-"))
        assert low < holes <= high


def disc_masks(folder, ratios, *, hole="white", size=64):
    """Write masks whose hole is a block of rows with the given ratios."""
    folder.mkdir()
    for i, ratio in enumerate(ratios):
        mask = np.zeros((size, size), bool)
        mask.reshape(-1)[: round(ratio * size * size)] = True
        Image.fromarray(mask if hole == "white" else ~mask).convert("L").save(folder / f"{i:03d}.png")


@pytest.fixture
def group(tmp_path, monkeypatch):
    """A function that groups the masks of a folder and returns (table, record)."""
    monkeypatch.chdir(tmp_path)

    def run(folder, hole="white"):
        source = {"kind": "supplied", "path": str(folder)}
        settings = MaskSettings(seed=1, masks=Masks(source=source, glob="*.png", hole=hole))
        fetch_masks(settings, tmp_path / "masks.json", workers=1)
        group_masks(settings, tmp_path / "masks.json", tmp_path / "masks", workers=2)
        table = pd.read_csv(tmp_path / "masks/masks.csv", keep_default_na=False)
        return table, read_json(tmp_path / "masks/record.json")

    return run


@pytest.mark.parametrize("hole", ["white", "black"])
def test_stored_masks_are_white_in_the_hole_whatever_the_source(tmp_path, group, hole):
    disc_masks(tmp_path / "raw", [0.05, 0.25, 0.55], hole=hole)
    table, _ = group(tmp_path / "raw", hole)
    assert table["ratio_bin"].tolist() == ["00-10", "20-30", "50-60"]
    for row in table.itertuples():
        assert read_mask(tmp_path / "masks" / row.file, "white").mean() == pytest.approx(row.hole_ratio, abs=1e-6)


def test_counts_per_bin_and_rejected_masks_are_recorded(tmp_path, group):
    disc_masks(tmp_path / "raw", [0.0, 0.05, 0.15, 0.15, 0.7])
    table, record = group(tmp_path / "raw")
    assert record["masks_per_bin"] == dict.fromkeys(RATIO_BINS, 0) | {"00-10": 1, "10-20": 2}
    assert record["rejected"] == {"no hole": 1, "hole ratio over 0.6": 1}
    assert (table.loc[table["rejected"] != "", "file"] == "").all()


@pytest.mark.parametrize(("declared", "real"), [("white", "black"), ("black", "white")])
def test_inverted_polarity_is_an_error_with_a_hint(tmp_path, group, declared, real):
    disc_masks(tmp_path / "raw", [0.05, 0.15, 0.3, 0.45], hole=real)
    with pytest.raises(DataError, match=f"set masks.hole: {real}"):
        group(tmp_path / "raw", declared)


def test_greys_of_an_antialiased_mask_are_cut_at_half(tmp_path):
    Image.fromarray(np.array([[0, 127, 128, 255]], np.uint8)).save(tmp_path / "grey.png")
    assert read_mask(tmp_path / "grey.png", "white").tolist() == [[False, False, True, True]]
    assert read_mask(tmp_path / "grey.png", "black").tolist() == [[True, True, False, False]]


def test_an_empty_folder_says_what_was_expected(tmp_path, group):
    (tmp_path / "raw").mkdir()
    with pytest.raises(DataError, match=r"no file matching \*\.png"):
        group(tmp_path / "raw")
