"""Table 1 is a groupby that anyone can redo; every cell says what stands behind it."""

import numpy as np
import pandas as pd
import pytest

from spl.config import Bootstrap, Evaluation
from spl.data.masks import RATIO_BINS
from spl.errors import DataError
from spl.evaluation.render import to_latex, to_markdown, to_metrics
from spl.evaluation.table1 import COLUMNS, build_table, compare_methods, paper_table, read_evidence
from spl.settings import TableSettings

METHODS, DATASETS = ("telea", "spl", "spl_released"), ("paris", "mine")
SETTINGS = TableSettings(
    seed=1,
    methods=METHODS,
    datasets=DATASETS,
    evaluation=Evaluation(pairs="balanced", batch_size=8, bootstrap=Bootstrap(samples=200, confidence=0.95)),
)
STATUSES = {(dataset, method): "trained here" for dataset in DATASETS for method in METHODS}


def per_image(offset, bins=RATIO_BINS):
    rng = np.random.default_rng(0)
    names = [name for name in bins for _ in range(4)]
    return pd.DataFrame({
        "image": [f"test/{i}.png" for i in range(len(names))],
        "mask": [f"m{i}.png" for i in range(len(names))],
        "ratio_bin": names,
        "psnr": 25 + offset + rng.normal(0, 1, len(names)),
        "ssim": 0.8 + offset / 100,
        "mae": 0.02,
    })  # fmt: skip


@pytest.fixture
def evidence():
    return {
        (d, m): per_image(i, RATIO_BINS if d == "paris" else ("20-30",))
        for d in DATASETS
        for i, m in enumerate(METHODS)
    }


@pytest.fixture
def paper():
    return paper_table()


def test_the_papers_table_has_108_cells_and_its_headline_numbers(paper):
    assert len(paper) == 108
    cells = paper.set_index(["metric", "method", "dataset", "mask_ratio"])["value"]
    assert cells["psnr", "spl", "places2", "all"] == 27.71
    assert cells["ssim", "rn", "celeba", "20-40"] == 0.941
    assert cells["mae", "mfe", "paris", "40-60"] == 0.0412


def cell(table, metric, method, dataset, mask_ratio):
    found = table.query("metric == @metric and method == @method and dataset == @dataset and mask_ratio == @mask_ratio")
    assert len(found) == 1
    return found.iloc[0]


def test_one_row_a_cell_in_the_papers_words(evidence, paper):
    table = build_table(evidence, SETTINGS, STATUSES, paper)
    assert list(table.columns) == COLUMNS
    assert len(table) == 3 * len(METHODS) * len(DATASETS) * 3
    assert set(table["metric"]) == set(paper["metric"])
    assert set(table["mask_ratio"]) == set(paper["mask_ratio"])


@pytest.mark.parametrize(
    ("group", "bins"), [("20-40", ("20-30", "30-40")), ("40-60", ("40-50", "50-60")), ("all", RATIO_BINS)]
)
def test_groups_gather_their_bins(evidence, paper, group, bins):
    table = build_table(evidence, SETTINGS, STATUSES, paper)
    source = evidence["paris", "spl"]
    found = cell(table, "psnr", "spl", "paris", group)
    assert found["ours"] == pytest.approx(source[source["ratio_bin"].isin(bins)]["psnr"].mean())
    assert found["ours_low"] < found["ours"] < found["ours_high"]
    assert found["n_images"] == 4 * len(bins)


def test_both_spl_variants_stand_beside_the_papers_ours(evidence, paper):
    table = build_table(evidence, SETTINGS, STATUSES, paper)
    for method in ("spl", "spl_released"):
        found = cell(table, "psnr", method, "paris", "all")
        assert found["paper"] == 29.38
        assert found["gap"] == pytest.approx(found["ours"] - 29.38)


def test_paper_and_gap_are_empty_where_the_paper_has_none(evidence, paper):
    table = build_table(evidence, SETTINGS, STATUSES, paper)
    for found in (cell(table, "psnr", "telea", "paris", "all"), cell(table, "psnr", "spl", "mine", "all")):
        assert pd.isna(found["paper"])
        assert pd.isna(found["gap"])


def test_a_cell_without_images_says_so(evidence, paper):
    found = cell(build_table(evidence, SETTINGS, STATUSES, paper), "psnr", "spl", "mine", "40-60")
    assert (found["n_images"], found["status"]) == (0, "no images")
    assert pd.isna(found["ours"])


def test_one_image_has_a_value_but_no_interval(evidence, paper):
    for method in METHODS:
        evidence["paris", method] = evidence["paris", method].iloc[[0]]
    table = build_table(evidence, SETTINGS, STATUSES, paper)
    found = cell(table, "psnr", "spl", "paris", "all")
    assert found["n_images"] == 1
    assert found[["ours_low", "ours_high"]].isna().all()
    assert f"| {found['ours']:.2f} |" in to_markdown(table, "A note.")


def test_infinite_psnr_is_counted_not_averaged(evidence, paper):
    evidence["paris", "spl"].loc[0, "psnr"] = np.inf
    found = cell(build_table(evidence, SETTINGS, STATUSES, paper), "psnr", "spl", "paris", "all")
    assert found["n_infinite"] == 1
    assert found["ours"] == pytest.approx(evidence["paris", "spl"]["psnr"][1:].mean())


def test_comparisons_are_paired(evidence):
    table = compare_methods(evidence, SETTINGS, ["telea"])
    found = table.query("metric == 'psnr' and method == 'spl' and dataset == 'paris' and mask_ratio == 'all'").iloc[0]
    # Both methods share their noise here, so the difference is exactly the offset.
    assert found[["difference", "low", "high"]].tolist() == pytest.approx([1, 1, 1])


def test_methods_must_have_seen_the_same_pairs(evidence, tmp_path):
    for (dataset, method), table in evidence.items():
        (tmp_path / dataset / method).mkdir(parents=True)
        table.to_csv(tmp_path / dataset / method / "per_image.csv", index=False)
    assert set(read_evidence(tmp_path, SETTINGS)) == set(evidence)
    swapped = evidence["paris", "spl"].copy()
    swapped.loc[[0, 1], "mask"] = swapped.loc[[1, 0], "mask"].to_numpy()
    swapped.to_csv(tmp_path / "paris/spl/per_image.csv", index=False)
    with pytest.raises(DataError, match="other image-mask pairs"):
        read_evidence(tmp_path, SETTINGS)


def test_rendered_tables_have_the_papers_shape(evidence, paper):
    table = build_table(evidence, SETTINGS, STATUSES, paper)
    markdown = to_markdown(table, "A note.")
    rows = [line for line in markdown.splitlines() if line.startswith("|")]
    assert len(rows) == 2 + 3 * (len(METHODS) + 2)  # heads, and the paper's row below each SPL variant
    assert all(row.count("|") == 2 + 1 + 3 * len(DATASETS) for row in rows)
    assert "*29.38*" in markdown
    assert "–" in markdown  # the empty cells
    latex = to_latex(table, "A note.")
    assert latex.count(r"\midrule") == 3
    assert all(
        line.count("&") == 1 + 3 * len(DATASETS) for line in latex.splitlines() if "SSIM" in line or "Telea" in line
    )


def test_metrics_nest_for_dvc(evidence, paper):
    nested = to_metrics(build_table(evidence, SETTINGS, STATUSES, paper))
    assert nested["spl"]["paris"]["all"]["psnr"] == pytest.approx(evidence["paris", "spl"]["psnr"].mean(), abs=1e-6)
    assert "40-60" not in nested["spl"]["mine"]
