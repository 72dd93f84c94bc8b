"""Table 1 is a groupby that anyone can redo; every cell says what stands behind it."""

import json
import re
from itertools import product

import numpy as np
import pandas as pd
import pytest

from spl.analysis.evidence import read_evidence, seeds_of
from spl.analysis.paper import paper_table
from spl.analysis.render import print_table1, short, short_paper
from spl.analysis.table1 import build_table, compare_methods
from spl.analysis.write_table1 import write_table1
from spl.config.experiment import Supplied
from spl.config.load import load_params
from spl.config.methods import ReleasedWeights
from spl.data.masks import RATIO_BINS
from spl.data.pair_masks import limit_pairs
from spl.steps.settings import TableSettings
from tests.analysis.fabricate import EVALUATION, per_image, table_settings, write_evidence
from tests.conftest import REPOSITORY
from tests.fabricate import write_facts

METHODS, DATASETS = {"telea": (1,), "spl": (1, 2, 3), "spl_released": (1,)}, ("paris", "mine")
SPL = table_settings(["paris"], ["spl"]).methods["spl"]
RELEASED = SPL.model_copy(update={"weights": dict.fromkeys(DATASETS, ReleasedWeights(source="released", path="x"))})
SETTINGS = table_settings(DATASETS, METHODS, seeds=(1, 2, 3))
PAPER = load_params(REPOSITORY / "presets/paper.yaml")
PROTOCOL = {"masks": PAPER.masks, "evaluation": EVALUATION.model_copy(update={"pairs": "uniform"})}
SETTINGS = SETTINGS.model_copy(update=PROTOCOL | {
    "methods": SETTINGS.methods | {"spl_released": RELEASED},
    "datasets": SETTINGS.datasets | {"paris": PAPER.datasets["paris"]},
})  # fmt: skip


@pytest.fixture
def tables():
    """Telea, SPL and its released variant are 0, 1 and 2 dB better than usual; SPL's seeds differ by 0.1 dB."""
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


@pytest.fixture
def build(evidence):
    """A function that makes Table 1 of the tables."""
    return lambda: build_table(evidence(), SETTINGS)


def cell(table, *where):
    return table.set_index(["metric", "method", "dataset", "mask_ratio"]).loc[where]


def markdown(table):
    return print_table1(table, SETTINGS, short, short_paper).to_markdown()


def test_the_papers_table_has_108_cells_and_its_headline_numbers():
    paper = paper_table()
    assert len(paper) == 108
    cells = paper.set_index(["metric", "method", "dataset", "mask_ratio"])["value"]
    assert cells["psnr", "spl", "places2", "all"] == 27.71
    assert cells["ssim", "rn", "celeba", "20-40"] == 0.941
    assert cells["mae", "mfe", "paris", "40-60"] == 0.0412


def test_a_cell_is_the_mean_over_seeds_and_knows_their_spread(build, tables):
    found, single = (cell(build(), "psnr", method, "paris", "all") for method in ("spl", "telea"))
    assert found["ours"] == pytest.approx(np.mean([tables["paris", "spl", seed]["psnr"] for seed in (1, 2, 3)]))
    assert found["ours_low"] < found["ours"] < found["ours_high"]
    assert (found["n_images"], found["n_seeds"], found["seed_sd"]) == (48, 3, pytest.approx(0.1))
    assert single["n_seeds"] == 1
    assert np.isnan(single["seed_sd"])


@pytest.mark.parametrize(
    ("method", "dataset", "printed"),
    [("spl", "paris", 29.38), ("spl_released", "paris", 29.38), ("telea", "paris", np.nan), ("spl", "mine", np.nan)],
)
def test_the_papers_number_stands_beside_ours_where_it_has_one(build, method, dataset, printed):
    found = cell(build(), "psnr", method, dataset, "all")
    assert found["paper"] == pytest.approx(printed, nan_ok=True)
    assert found["gap"] == pytest.approx(found["ours"] - printed, nan_ok=True)


def test_a_cell_without_images_says_so(build):
    found = cell(build(), "psnr", "spl", "mine", "40-60")
    assert (found["n_images"], found["status"]) == (0, "no images")
    assert pd.isna(found["ours"])


def test_one_image_has_a_value_but_no_interval(build, tables):
    for key in tables:
        tables[key] = tables[key].iloc[[0]]
    table = build()
    found = cell(table, "psnr", "telea", "paris", "all")
    assert found["n_images"] == 1
    assert found[["ours_low", "ours_high"]].isna().all()
    assert f"| {found['ours']:.2f} |" in markdown(table)


def test_infinite_psnr_is_counted_not_averaged_unless_all_are_infinite(build, tables):
    tables["paris", "spl", 2].loc[0, "psnr"] = np.inf
    tables["paris", "telea", 1]["psnr"] = np.inf
    table = build()
    found = cell(table, "psnr", "spl", "paris", "all")
    assert found["n_infinite"] == 1
    assert found["ours"] == pytest.approx(tables["paris", "spl", 2]["psnr"][1:].mean())
    assert np.isinf(cell(table, "psnr", "telea", "paris", "all")["ours"])
    assert "| ∞ |" in markdown(table)


def test_comparisons_are_paired_over_images_and_seeds(evidence):
    table = compare_methods(evidence(), SETTINGS, ["telea"])
    assert set(table["reference"]) == {"telea"}
    # The methods share their noise here, so images leave no doubt; the trainings do.
    found = cell(table, "psnr", "spl", "paris", "all")
    assert found[["difference", "low", "high", "seed_sd"]].tolist() == pytest.approx([1, 1, 1, 0.1])
    half = 4.302653 * 0.1 / np.sqrt(3)  # Student's t with two degrees of freedom
    assert found[["method_low", "method_high"]].tolist() == pytest.approx([1 - half, 1 + half])
    assert set(table[table["dataset"] == "mine"]["mask_ratio"]) == {"20-40", "all"}  # the others have no images
    single = cell(table, "mae", "spl_released", "paris", "20-40")
    assert single["low"] == pytest.approx(-0.002)
    assert single[["method_low", "method_high"]].isna().all()  # of one training nothing is known about another


def test_what_was_trained_once_pairs_with_one_training(evidence):
    table = compare_methods(evidence(), SETTINGS, ["spl", "spl_released"])
    found = cell(table, "psnr", "spl_released", "paris", "all")
    assert (found["difference"], found["n_seeds"]) == (pytest.approx(1), 1)
    assert np.isnan(found["method_low"])
    telea = table.query("method == 'telea' and reference == 'spl' and metric == 'psnr'")
    assert set(telea["n_seeds"]) == {3}  # a classical fill meets every training


def test_a_comparison_and_its_mirror_agree_to_the_last_digit(evidence, tables):
    for (_, method, seed), table in tables.items():
        table["psnr"] += np.random.default_rng([len(method), seed]).normal(0, 1, len(table))
    table = compare_methods(evidence(), SETTINGS, METHODS).set_index(["metric", "dataset", "mask_ratio"])
    assert len(table) == 6 * 3 * 5
    ours = table.set_index(["method", "reference"], append=True).sort_index()
    mirror = table.set_index(["reference", "method"], append=True).sort_index()
    for name, other in {"difference": "difference", "low": "high", "method_low": "method_high"}.items():
        np.testing.assert_array_equal(ours[name], -mirror[other])


def test_printed_tables_have_the_papers_shape(build):
    printed = print_table1(build(), SETTINGS, short, short_paper)
    rows = printed.to_markdown().splitlines()
    assert len(rows) == 2 + 3 * (len(METHODS) + 2)  # heads, and the paper's row below each SPL variant
    assert all(row.count("|") == 2 + 1 + 3 * len(DATASETS) for row in rows)
    assert "*29.38 gap −" in printed.to_markdown()
    assert "| – |" in printed.to_markdown()  # the empty cells
    latex = printed.to_latex().splitlines()
    assert latex.count(r"\midrule") == 3
    assert r" &  & \multicolumn{3}{c}{paris} & \multicolumn{3}{c}{mine} \\" in latex
    assert all(line.count("&") == 1 + 3 * len(DATASETS) for line in latex if "SSIM" in line or "Telea" in line)


def test_a_cell_shows_its_spread_over_seeds_and_whether_its_weights_were_released(build):
    psnr = {line.split("|")[2].strip(): line for line in markdown(build()).splitlines() if "PSNR" in line}
    assert "(0.10)" in psnr["SPL"]
    assert "(" not in psnr["Telea"].split("|", 3)[3]
    assert psnr["SPL (released)"].count("†") == 5  # all but 40-60 % of a dataset without such images
    assert "†" not in psnr["SPL"]


def test_a_limited_fill_is_compared_on_its_images_and_says_how_many_they_are(evidence, tables):
    whole = tables["paris", "telea", 1]
    whole["psnr"] += np.arange(len(whole))  # so its images differ from the others
    some = tables["paris", "telea", 1] = limit_pairs(whole, 12)
    found = evidence()
    table, compared = build_table(found, SETTINGS), compare_methods(found, SETTINGS, ["spl"])
    assert cell(table, "psnr", "telea", "paris", "all")[["ours", "n_images"]].tolist() == [some["psnr"].mean(), 12]
    assert cell(table, "psnr", "spl", "paris", "all")["n_images"] == len(whole)
    theirs = np.mean([tables["paris", "spl", seed]["psnr"][whole["image"].isin(some["image"])] for seed in (1, 2, 3)])
    difference = cell(compared, "psnr", "telea", "paris", "all")
    assert difference[["difference", "n_images"]].tolist() == pytest.approx([some["psnr"].mean() - theirs, 12])
    lines = [line for line in markdown(table).splitlines() if "n = " in line]
    assert [line.split("|")[2].strip() for line in lines] == 3 * ["Telea"]
    assert all(line.count("n = 4") == 2 and line.count("n = 12") == 1 for line in lines)  # 20-40, 40-60, all of paris


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


def test_every_cell_says_how_many_images_its_network_saw(write, tmp_path):
    for method, facts in {"spl": {"images_seen": 4400}, "rn": {"documented": {}}}.items():  # trained, released
        write_facts(tmp_path / f"weights/paris/{method}/seed1/run.json", **facts)
    table = pd.read_csv(write() / "table1.csv")
    seen = table.groupby(["dataset", "method"])["images_seen"].max()
    assert seen["paris", "spl"] == 4400
    assert seen.count() == 1  # unknown elsewhere: released weights, classical fills, no record
    assert (table.query("dataset == 'paris' and method == 'spl'")["images_seen"] == 4400).all()


def test_beside_the_papers_numbers_another_teacher_is_named(write, tmp_path):
    kinds = {"places2": "tresnet_released", "celeba": "timm", "paris": "timm"}
    for dataset, kind in kinds.items():
        teacher = {"teacher": {"network": {"kind": kind}}}
        write_facts(tmp_path / f"weights/{dataset}/spl/seed1/run.json", settings=teacher)
    write_facts(tmp_path / "weights/celeba/rn/seed1/run.json", settings={"teacher": None})
    other = PAPER.datasets["paris"].model_copy(update={"source": Supplied(kind="supplied", path="x")})
    write(datasets=PAPER.datasets | {"paris": other}, **PROTOCOL)
    table = pd.read_csv(tmp_path / "table1.csv")
    assert table.groupby(["dataset", "method"])["status"].first()[[*product(kinds, ["spl", "rn"])]].tolist() == [
        "trained here", "trained here", "trained here, other teacher", "trained here", "trained here", "trained here",
    ]  # fmt: skip


def test_table_1_is_written_in_all_its_forms(write, demo_params):
    out = write(seeds=(1, 2))
    table = pd.read_csv(out / "table1.csv")
    assert "spl_no_prior" not in set(table["method"])  # ablations are figure 4's
    assert (table.query("method == 'telea'")["status"] == "classical fill on the miniature world").all()
    assert (table.groupby("method")["n_seeds"].first()[["telea", "spl"]] == [1, 2]).all()
    comparisons = pd.read_csv(out / "comparisons.csv")
    assert "spl" not in set(comparisons["reference"])
    assert {"telea", "rn", "ec"} <= set(comparisons["reference"])
    text = (out / "table1.md").read_text()
    assert "(standard deviation over 2 seeds)" in text
    for name in ("scenes (Places2 layout)", "faces (CelebA layout)", "façades (Paris layout)"):
        assert f"| {name} 20–40 % |" in text
        assert name in (out / "table1.tex").read_text()
    assert not re.search("places2|celeba|paris|paper:|gap", text)
    assert (out / "table1.tex").read_text().startswith("% Mean")
    psnr = cell(table, "psnr", "rn", "paris", "all")["ours"]
    assert json.loads((out / "metrics.json").read_text())["psnr"]["rn"]["paris"] == pytest.approx(psnr, abs=1e-4)
    evaluation = demo_params.evaluation.model_copy(update={"split": "validation"})
    text = (write(evaluation=evaluation) / "table1.md").read_text()
    assert "interval over validation images" in text
    assert "standard deviation" not in text
