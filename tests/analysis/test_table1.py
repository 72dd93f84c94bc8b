"""Table 1 is a groupby that anyone can redo; every cell says what stands behind it."""

import json

import numpy as np
import pandas as pd
import pytest

from spl.analysis.evidence import read_evidence, seeds_of
from spl.analysis.render import to_latex, to_markdown, to_metrics
from spl.analysis.table1 import COLUMNS, build_table, compare_methods, paper_table
from spl.analysis.write_table1 import write_table1
from spl.config.methods import ReleasedWeights
from spl.data.masks import RATIO_BINS
from spl.steps.settings import TableSettings
from tests.analysis.fabricate import per_image, table_settings, write_evidence

METHODS, DATASETS = {"telea": (1,), "spl": (1, 2, 3), "spl_released": (1,)}, ("paris", "mine")
SPL = table_settings(["paris"], ["spl"]).methods["spl"]
RELEASED = SPL.model_copy(update={"weights": dict.fromkeys(DATASETS, ReleasedWeights(source="released", path="x"))})
SETTINGS = table_settings(DATASETS, METHODS, seeds=(1, 2, 3))
SETTINGS = SETTINGS.model_copy(update={"methods": SETTINGS.methods | {"spl_released": RELEASED}})
STATUSES = {(dataset, method): "trained here" for dataset in DATASETS for method in METHODS}


@pytest.fixture
def tables():
    """Telea, SPL and its released variant are 0, 1 and 2 dB better than usual; SPL's trainings differ by 0.1 dB."""
    return {
        (d, m, seed): per_image(i + 0.1 * (seed - 2) * (m == "spl"), bins=RATIO_BINS if d == "paris" else ("20-30",))
        for d in DATASETS
        for i, (m, seeds) in enumerate(METHODS.items())
        for seed in seeds
    }


@pytest.fixture
def evidence(tables, tmp_path):
    """A function that reads the tables, changed or not, as evidence."""

    def read():
        write_evidence(tmp_path, tables)
        return read_evidence(tmp_path, seeds_of(SETTINGS))

    return read


def cell(table, metric, method, dataset, mask_ratio):
    found = table.query("metric == @metric and method == @method and dataset == @dataset and mask_ratio == @mask_ratio")
    assert len(found) == 1
    return found.iloc[0]


def test_the_papers_table_has_108_cells_and_its_headline_numbers():
    paper = paper_table()
    assert len(paper) == 108
    cells = paper.set_index(["metric", "method", "dataset", "mask_ratio"])["value"]
    assert cells["psnr", "spl", "places2", "all"] == 27.71
    assert cells["ssim", "rn", "celeba", "20-40"] == 0.941
    assert cells["mae", "mfe", "paris", "40-60"] == 0.0412


def test_one_row_a_cell_in_the_papers_words(evidence):
    table, paper = build_table(evidence(), SETTINGS, STATUSES), paper_table()
    assert list(table.columns) == COLUMNS
    assert len(table) == 3 * len(METHODS) * len(DATASETS) * 3
    assert set(table["metric"]) == set(paper["metric"])
    assert set(table["mask_ratio"]) == set(paper["mask_ratio"])


@pytest.mark.parametrize(
    ("group", "bins"), [("20-40", ("20-30", "30-40")), ("40-60", ("40-50", "50-60")), ("all", RATIO_BINS)]
)
def test_groups_gather_their_bins(evidence, tables, group, bins):
    table = build_table(evidence(), SETTINGS, STATUSES)
    source = tables["paris", "telea", 1]
    found = cell(table, "psnr", "telea", "paris", group)
    assert found["ours"] == pytest.approx(source[source["ratio_bin"].isin(bins)]["psnr"].mean())
    assert found["ours_low"] < found["ours"] < found["ours_high"]
    assert found["n_images"] == 8 * len(bins)


def test_a_cell_is_the_mean_over_trainings_and_knows_their_spread(evidence, tables):
    table = build_table(evidence(), SETTINGS, STATUSES)
    found, single = cell(table, "psnr", "spl", "paris", "all"), cell(table, "psnr", "telea", "paris", "all")
    means = [tables["paris", "spl", seed]["psnr"].mean() for seed in (1, 2, 3)]
    assert found["ours"] == pytest.approx(np.mean(means))
    assert (found["n_seeds"], found["seed_sd"]) == (3, pytest.approx(0.1))
    assert single["n_seeds"] == 1
    assert np.isnan(single["seed_sd"])


def test_both_spl_variants_stand_beside_the_papers_ours(evidence):
    table = build_table(evidence(), SETTINGS, STATUSES)
    for method in ("spl", "spl_released"):
        found = cell(table, "psnr", method, "paris", "all")
        assert found["paper"] == 29.38
        assert found["gap"] == pytest.approx(found["ours"] - 29.38)


def test_paper_and_gap_are_empty_where_the_paper_has_none(evidence):
    table = build_table(evidence(), SETTINGS, STATUSES)
    for found in (cell(table, "psnr", "telea", "paris", "all"), cell(table, "psnr", "spl", "mine", "all")):
        assert pd.isna(found["paper"])
        assert pd.isna(found["gap"])


def test_a_cell_without_images_says_so(evidence):
    found = cell(build_table(evidence(), SETTINGS, STATUSES), "psnr", "spl", "mine", "40-60")
    assert (found["n_images"], found["status"]) == (0, "no images")
    assert pd.isna(found["ours"])


def test_one_image_has_a_value_but_no_interval(evidence, tables):
    for key in tables:
        tables[key] = tables[key].iloc[[0]]
    table = build_table(evidence(), SETTINGS, STATUSES)
    found = cell(table, "psnr", "telea", "paris", "all")
    assert found["n_images"] == 1
    assert found[["ours_low", "ours_high"]].isna().all()
    assert f"| {found['ours']:.2f} |" in to_markdown(table, "A note.")


def test_infinite_psnr_is_counted_not_averaged(evidence, tables):
    tables["paris", "spl", 2].loc[0, "psnr"] = np.inf
    found = cell(build_table(evidence(), SETTINGS, STATUSES), "psnr", "spl", "paris", "all")
    assert found["n_infinite"] == 1
    assert found["ours"] == pytest.approx(tables["paris", "spl", 2]["psnr"][1:].mean())


def test_psnr_is_infinite_where_all_images_are(evidence, tables):
    tables["paris", "telea", 1]["psnr"] = np.inf
    table = build_table(evidence(), SETTINGS, STATUSES)
    assert np.isinf(cell(table, "psnr", "telea", "paris", "all")["ours"])
    assert "| ∞ |" in to_markdown(table, "A note.")


def test_comparisons_are_paired_over_images_and_trainings(evidence):
    table = compare_methods(evidence(), SETTINGS, ["telea"])
    assert set(table["reference"]) == {"telea"}
    # The methods share their noise here, so images leave no doubt; the trainings do.
    found = table.query("metric == 'psnr' and method == 'spl' and dataset == 'paris' and mask_ratio == 'all'").iloc[0]
    assert found[["difference", "low", "high", "seed_sd"]].tolist() == pytest.approx([1, 1, 1, 0.1])
    half = 4.302653 * 0.1 / np.sqrt(3)  # Student's t with two degrees of freedom
    assert found[["combined_low", "combined_high"]].tolist() == pytest.approx([1 - half, 1 + half])
    single = table.query("metric == 'mae' and method == 'spl_released' and dataset == 'paris'").iloc[0]
    assert single["combined_low"] == single["low"] == pytest.approx(-0.002)


def test_cells_without_images_are_not_compared(evidence):
    table = compare_methods(evidence(), SETTINGS, ["telea"])
    assert set(table[table["dataset"] == "mine"]["mask_ratio"]) == {"20-40", "all"}


def test_rendered_tables_have_the_papers_shape(evidence):
    table = build_table(evidence(), SETTINGS, STATUSES)
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


def test_the_spread_over_trainings_stands_in_parentheses(evidence):
    lines = to_markdown(build_table(evidence(), SETTINGS, STATUSES), "A note.").splitlines()
    psnr = {line.split("|")[2].strip(): line for line in lines if "PSNR" in line}
    assert "(0.10)" in psnr["SPL"]
    assert "(" not in psnr["Telea"].split("|", 3)[3]


def test_metrics_nest_for_dvc(evidence, tables):
    nested = to_metrics(build_table(evidence(), SETTINGS, STATUSES))
    assert nested.keys() == {"psnr"}
    assert nested["psnr"].keys() == set(METHODS)
    assert nested["psnr"]["telea"]["paris"] == pytest.approx(tables["paris", "telea", 1]["psnr"].mean(), abs=1e-4)


@pytest.fixture
def write(demo_params, tmp_path):
    """A function that writes Table 1 of the demo with some seeds, and returns the folder."""

    def run(**changes):
        params = demo_params.model_copy(update=changes)
        shifts = dict(zip(params.table_methods, np.arange(20) / 10, strict=False))
        seeds = {d: {m: params.seeds_of(d, m) for m in params.table_methods} for d in params.datasets}
        write_evidence(
            tmp_path,
            {(d, m, s): per_image(shifts[m] + s / 100, per_bin=3) for d in seeds for m in shifts for s in seeds[d][m]},
        )
        write_table1(TableSettings.of(params), results=tmp_path, out=tmp_path / "table1.csv")
        return tmp_path

    return run


def test_table_1_is_written_in_all_its_forms(write):
    out = write(seeds=(1, 2))
    table = pd.read_csv(out / "table1.csv")
    assert "spl_no_prior" not in set(table["method"])  # ablations are figure 4's
    assert (table.query("method == 'telea'")["status"] == "classical fill on the miniature world").all()
    assert (table.groupby("method")["n_seeds"].first()[["telea", "spl"]] == [1, 2]).all()
    comparisons = pd.read_csv(out / "comparisons.csv")
    assert "spl" not in set(comparisons["reference"])
    assert {"telea", "rn", "ec"} <= set(comparisons["reference"])
    text = (out / "table1.md").read_text()
    assert "(standard deviation over 2 trainings)" in text
    assert "a gap to them means nothing" in text
    assert (out / "table1.tex").read_text().startswith("% Mean")
    assert json.loads((out / "metrics.json").read_text())["psnr"]["rn"]["paris"] > 20


def test_with_one_training_the_note_says_nothing_of_trainings(write):
    text = (write(seeds=(1,)) / "table1.md").read_text()
    assert "standard deviation" not in text


def test_the_note_names_the_split(write, demo_params):
    evaluation = demo_params.evaluation.model_copy(update={"split": "validation"})
    assert "interval over validation images" in (write(evaluation=evaluation) / "table1.md").read_text()
