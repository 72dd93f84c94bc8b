"""Evidence of several seeds stands on one stack, of the same pairs and metrics only."""

import numpy as np
import pandas as pd
import pytest

from spl.analysis.evidence import MASK_RATIOS, read_evidence
from spl.common.errors import DataError
from spl.data.pair_masks import limit_pairs
from tests.analysis.fabricate import per_image, write_evidence

SEEDS = {"paris": {"telea": (1,), "spl": (1, 2, 5)}}


@pytest.fixture
def tables():
    tables = {("paris", "telea", 1): per_image(0)}
    return tables | {("paris", "spl", seed): per_image(seed, noise=0.1, draw=seed) for seed in SEEDS["paris"]["spl"]}


def test_seeds_are_stacked_in_their_order(tables, tmp_path):
    write_evidence(tmp_path, tables)
    evidence = read_evidence(tmp_path, SEEDS)
    assert evidence["paris", "telea"].metrics["psnr"].shape == (1, 48)
    stack = evidence["paris", "spl"].metrics["psnr"]
    for row, seed in zip(stack, (1, 2, 5), strict=True):
        np.testing.assert_allclose(row, tables["paris", "spl", seed]["psnr"])


@pytest.mark.parametrize("mask_ratio", MASK_RATIOS)
def test_a_column_of_table_1_selects_its_bins(tables, tmp_path, mask_ratio):
    write_evidence(tmp_path, tables)
    table = tables["paris", "telea", 1]
    low, high = (0, 60) if mask_ratio == "all" else map(int, mask_ratio.split("-"))
    wanted = table[(table["hole_ratio"] > low / 100) & (table["hole_ratio"] < high / 100)]["mae"]
    np.testing.assert_allclose(
        read_evidence(tmp_path, SEEDS)["paris", "telea"].select("mae", mask_ratio).values, [wanted]
    )


def test_a_metric_that_is_not_defined_is_nan_and_infinity_stays(tables, tmp_path):
    table = tables["paris", "telea", 1].astype({"psnr_hole": object})
    table.loc[0, "psnr_hole"], table.loc[1, "psnr_hole"] = "", "inf"
    write_evidence(tmp_path, tables | {("paris", "telea", 1): table})
    row = read_evidence(tmp_path, SEEDS)["paris", "telea"].metrics["psnr_hole"][0]
    assert np.isnan(row[0])
    assert np.isinf(row[1])
    assert np.isfinite(row[2:]).all()


@pytest.mark.parametrize("key", [("paris", "spl", 1), ("paris", "spl", 5)])
def test_all_seeds_of_all_methods_must_have_seen_the_same_pairs(tables, tmp_path, key):
    swapped = tables[key].copy()
    swapped.loc[[0, 1], "mask"] = swapped.loc[[1, 0], "mask"].to_numpy()
    write_evidence(tmp_path, tables | {key: swapped})
    told = f"spl/seed{key[2]}/per_image.csv has other image-mask pairs than .*telea/seed1"
    with pytest.raises(DataError, match=told):
        read_evidence(tmp_path, SEEDS)


@pytest.mark.parametrize("change", [None, "another image", "another mask", "another order", "one mask of two"])
def test_fewer_images_are_those_of_a_limit_or_are_refused(tables, tmp_path, change):
    tables = {key: pd.concat([table, table.assign(mask="other")], ignore_index=True) for key, table in tables.items()}
    some = limit_pairs(tables["paris", "telea", 1], 7)
    if change == "another image":
        whole = tables["paris", "spl", 1]
        some = whole[whole["image"].isin(whole["image"][:7])]
    elif change == "another mask":
        some.loc[0, "mask"] = "x"
    elif change == "another order":
        some = some[::-1]
    elif change == "one mask of two":
        some = some[:7]
    write_evidence(tmp_path, tables | {("paris", "telea", 1): some})
    if change:
        with pytest.raises(DataError, match=r"telea/seed1/per_image.csv has other image-mask pairs than .*spl/seed1"):
            read_evidence(tmp_path, SEEDS)
    else:
        assert read_evidence(tmp_path, SEEDS)["paris", "telea"].pairs["image"].nunique() == 7


def test_a_missing_seed_is_named(tables, tmp_path):
    del tables["paris", "spl", 2]
    write_evidence(tmp_path, tables)
    with pytest.raises(DataError, match="spl/seed2/per_image.csv does not exist"):
        read_evidence(tmp_path, SEEDS)


def test_a_further_column_is_a_metric_like_any_other(tables, tmp_path):
    write_evidence(tmp_path, {key: table.assign(sharpness=0.5) for key, table in tables.items()})
    assert (read_evidence(tmp_path, SEEDS)["paris", "spl"].select("sharpness", "40-60").values == 0.5).all()


@pytest.mark.parametrize(("column", "older"), [("sharpness", [1, 2, 5]), ("psnr_hole", [2])])
def test_an_evaluation_from_before_a_metric_was_added_is_to_be_made_again(tables, tmp_path, column, older):
    for key in tables:
        tables[key] = tables[key].assign(sharpness=0.5)
    for seed in older:
        tables["paris", "spl", seed] = tables["paris", "spl", seed].drop(columns=column)
    write_evidence(tmp_path, tables)
    names = " ".join(f"{tmp_path}/eval/paris/spl/seed{seed}/per_image.csv" for seed in older)
    with pytest.raises(DataError, match=f"no column {column}, .*--forcerun {names} -- {names}$"):
        read_evidence(tmp_path, SEEDS)
