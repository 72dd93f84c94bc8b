"""The report: what it says, what it refuses, and that it needs nothing outside itself."""

import base64
import html
import json
import re
import shutil

import numpy as np
import pandas as pd
import pytest

from spl.analysis.claims_page import read_claims
from spl.analysis.compare_grid import COLUMNS as GRID_COLUMNS
from spl.analysis.paper import differences
from spl.analysis.verdicts import Verdict
from spl.common.errors import DataError
from spl.common.files import write_json
from spl.common.labels import dataset_title
from spl.common.metrics import METRICS
from spl.common.printed import Cell, Table, duration, number
from spl.common.versions import cpu
from spl.config.experiment import Grid
from spl.config.load import load_params
from spl.report import write_report as write
from spl.report.contrasts import draw_contrasts, main_contrasts
from spl.report.curves import MOST_POINTS, draw_curves, loss_colours, thin
from spl.report.data import data_section, headline_of
from spl.report.figures import _ablated, grid_section
from spl.report.first_screen import first_screen
from spl.report.runs import costs_section, machine_of
from spl.report.table1 import _ours, table1_section
from spl.steps.records import sealed
from spl.steps.settings import ReportSettings
from tests.analysis.fabricate import table_settings
from tests.conftest import REPOSITORY, read_raw, set_value
from tests.fabricate import write_facts
from tests.report.fabricate import fabricate, reduce, write_page

DRAWN = {name: dataset_title(name, name) for name in ("places2", "celeba", "paris")}


@pytest.fixture(scope="module")
def finished(fabricated):
    """The folder of the fabricated run, and its page."""
    return fabricated, Page(fabricated / "report.html")


class Page:
    """The page with the tables of its sections, as lines of words."""

    def __init__(self, path):
        self.html = path.read_text(encoding="utf-8")
        self.text = words(self.html)
        _, *parts = re.split('<section id="(.*?)">', self.html)
        self.sections = dict(zip(parts[::2], map(lines_of, parts[1::2]), strict=True))


def words(markup):
    return " ".join(html.unescape(re.sub("<.*?>", " ", markup, flags=re.DOTALL)).split())


def lines_of(markup):
    rows = re.findall("<tr.*?</tr>", markup, re.DOTALL)
    return [[words(cell) for cell in re.findall("<t[dh].*?</t[dh]>", row, re.DOTALL)] for row in rows]


def test_the_page_loads_nothing_from_outside(finished):
    _, page = finished
    addresses = re.findall('<(?!a )[^>]* (?:src|srcset|href|data|poster|action|background)="(.*?)"', page.html)
    assert addresses
    assert all(address.startswith("data:image/") for address in addresses)
    style = page.html[page.html.index("<style>") : page.html.index("</style>")]
    assert "url(" not in style
    assert "@import" not in style
    assert not re.search("<(script|link|iframe|object|embed|base)", page.html)


def test_every_entry_of_the_contents_leads_to_a_section(finished):
    _, page = finished
    inside = re.findall('<a href="#(.*?)">', page.html)
    assert inside == list(page.sections)
    assert len(inside) == 14  # all but the grid, which the demo does not have


def test_the_top_says_that_it_is_a_demo_by_which_code_and_machine_and_how_to_make_it_again(finished):
    root, page = finished
    top = page.html[: page.html.index("<nav")]
    assert "<strong>Demo on the miniature world.</strong>" in top
    assert "not the paper's numbers" in top.replace("&#39;", "'")
    assert re.search(r"\d{4}-\d\d-\d\d \d\d:\d\d UTC", top)
    assert "<code>snakemake --cores all all</code>" in top
    assert "<dd>10 min for 2 steps, one after the other</dd>" in top
    assert f"<dd>{cpu()}; 1 thread of arithmetic on the processor</dd>" in top
    assert re.search(r"torch \d+\.\d+", top)


def test_the_first_screen_of_one_training_each_says_nothing_about_a_method(finished):
    _, page = finished
    top = words(page.html[: page.html.index("<nav")])
    assert "Asked Which of the paper's 8 claims about SPL hold here?" in top
    assert "6 methods and 2 ablations filled 72 test images of 3 data sets through 20 masks, the same" in top
    assert "17 trainings, 1 seed for each network and data set; 0 sets of released weights." in top
    assert "Would other test images say the same?" in top
    assert "Would other trainings say the same?" not in top
    assert NO_METHOD in top


VERDICTS = [
    ("ahead", "these weights", "supported"),
    ("ahead", "these weights", "undecided"),
    ("more_objects", "these weights", "supported"),
    ("supervision", "the method", "not supported"),
    ("concatenation", "the method", "supported"),
]
WEIGHTS = (
    "Would other test images say the same? Of 2 claims about these weights 1 is supported in every comparison, 1 in "
    "some, 0 in none. Comparisons: 2 supported, 0 not supported, 1 undecided, 0 not testable."
)
METHOD = (
    "Would other trainings say the same? Of 2 claims about the method 1 is supported in every comparison, 0 in some, "
    "1 in none. Comparisons: 1 supported, 1 not supported, 0 undecided, 0 not testable."
)
NO_METHOD = "Nothing about a method: that takes at least three trainings, which no comparison has here."


@pytest.mark.parametrize(
    ("preset", "about", "n_seeds", "follows", "does_not", "networks"),
    [
        ("demo", "miniature world", 3, [WEIGHTS, METHOD], ["The verdicts are about the miniature world"], "0 sets"),
        ("demo", "other data", 2, [WEIGHTS], ["Some images are not the paper's", NO_METHOD], "0 sets"),
        ("paper", "paper's data", 1, [WEIGHTS], [NO_METHOD], "9 sets"),
    ],
)
def test_what_follows_depends_on_data_and_trainings(tmp_path, preset, about, n_seeds, follows, does_not, networks):
    settings = load_params(REPOSITORY / f"presets/{preset}.yaml")
    claims = pd.DataFrame(VERDICTS, columns=["claim", "kind", "verdict"])
    claims = claims.assign(on="the paper's data sets", about=about, n_seeds=n_seeds)
    others = claims.assign(on="other images", n_seeds=9)  # enter no count
    (tmp_path / "pairs").mkdir()
    for name in settings.datasets:
        pd.DataFrame({"image": ["a", "b", "b"], "mask": ["1", "2", "3"]}).to_csv(tmp_path / f"pairs/{name}.csv")
    screen = first_screen(settings, pd.concat([claims, others]), tmp_path)
    assert screen["Follows"] == follows
    for said, start in zip(screen["Does not follow"], [*does_not, "Comparisons share images"], strict=True):
        assert said.startswith(start)
    filled, networks_here = screen["Measured"]
    assert "filled 6 test images of 3 data sets through 3 masks, the same" in filled
    assert networks_here.endswith(f"; {networks} of released weights.")


@pytest.mark.parametrize(
    ("described", "printed"),
    [
        ("a1b2c3", "<dd>a1b2c3</dd>"),
        ("a1b2c3+changes", "<dd>a1b2c3 with uncommitted changes</dd>"),
        ("unknown", "<dd>not a git repository</dd>"),
    ],
)
def test_the_commit_is_printed_in_words(run, monkeypatch, described, printed):
    monkeypatch.setattr(write, "versions", lambda: {"commit": described, "python": "3.11"})
    write_page(**run)
    assert printed in run["out"].read_text()


def test_the_headline_follows_the_data(raw_params, write_params):
    assert headline_of(load_params(REPOSITORY / "presets/paper.yaml"))[0] == "The paper's data"
    raw_params["datasets"]["paris"]["source"] = {"kind": "supplied", "path": "data/raw/paris"}
    headline, sentences = headline_of(load_params(write_params(raw_params)))
    assert headline == "Mixed data"
    assert "scenes (Places2 layout), faces (CelebA layout): miniature world; paris: other data (source," in sentences
    assert "(source, size, masks, rule of the pairs)" in sentences


@pytest.mark.parametrize(
    ("path", "value", "differs"),
    [
        ("masks.source", {"kind": "supplied", "path": "thick"}, dict.fromkeys(("places2", "celeba", "paris"), "masks")),
        ("masks.hole", "black", dict.fromkeys(("places2", "celeba", "paris"), "masks")),
        ("evaluation.pairs", "balanced", dict.fromkeys(("places2", "celeba", "paris"), "rule of the pairs")),
        ("datasets.celeba.crop", None, {"celeba": "crop"}),
        ("datasets.paris.crop", 178, {"paris": "crop"}),
        ("datasets.paris.image_size", 128, {"paris": "size"}),
        ("datasets.celeba.validation", 100, {"celeba": "number of training images"}),
        ("datasets.places2.skip_unreadable", 3, {"places2": "number of training images"}),
        ("datasets.celeba.source", {"kind": "supplied", "path": "celeba"}, {"celeba": "source"}),
        ("datasets.places2.source.name", "places365_large", {"places2": "source"}),
        ("datasets.paris.layout", {"kind": "folder", "glob": "*", "test_fraction": 0.5}, {"paris": "layout"}),
    ],
)
def test_the_papers_data_are_its_images_masks_crop_sizes_numbers_and_rule_of_pairs(write_params, path, value, differs):
    raw = read_raw(REPOSITORY / "presets/paper.yaml")
    set_value(raw, path, value)
    settings = load_params(write_params(raw))
    assert {name: found for name in settings.datasets if (found := ", ".join(differences(settings, name)))} == differs
    headline, sentences = headline_of(settings)
    assert headline == ("Mixed data" if len(differs) < 3 else "Data that are not the paper's")
    assert f"{', '.join(differs)}: other data ({next(iter(differs.values()))})" in sentences


def test_the_sources_of_images_are_cited(raw_params, write_params, tmp_path):
    raw_params["datasets"]["paris"]["source"] = {"kind": "supplied", "path": "x", "citation": "Me, 2026"}
    raw_params["datasets"]["celeba"]["source"] = {"kind": "registered", "name": "celeba"}
    write_facts(tmp_path / "sources/images/celeba.json", citation="Z. Liu et al.")
    page = "\n".join(str(part) for part in data_section(load_params(write_params(raw_params)), tmp_path).parts)
    assert "paris: Me, 2026" in page
    assert "celeba: Z. Liu et al." in page
    assert "places2: " not in page


def test_table_1_shows_every_cell_with_interval_and_status_but_no_number_of_the_papers_beside_drawn_images(finished):
    root, page = finished
    table = pd.read_csv(root / "results/table1.csv")
    cell = table.set_index(["metric", "method", "dataset", "mask_ratio"]).loc["psnr", "spl", "paris", "all"]
    block = page.sections["table1"]
    block = block[block.index(["PSNR ↑"]) : block.index(["MAE ↓"])]
    (ours,) = [line for line in block if line[0] == "SPL"]
    assert ours[-1] == f"{cell['ours']:.2f} b [{cell['ours_low']:.2f}, {cell['ours_high']:.2f}]"
    assert "its numbers do not stand beside ours: scenes (Places2 layout), faces" in page.text
    assert not any(line[0].startswith("paper") for line in block)
    assert "(b) trained here on the miniature world." in page.text
    assert len(ours) == 1 + 3 * 3


def test_every_table_has_the_signature_of_each_dataset(finished):
    root, page = finished
    signed = json.loads((root / "results/signatures.json").read_text())
    wanted = {(dataset, facts["signature"]) for dataset, facts in signed.items()}
    names = {"table1": "table1", "comparisons": "comparisons", "further_metrics": "metrics", "ablations": "ablations",
             "claims": "claims"}  # fmt: skip
    for name, section in names.items():
        table = pd.read_csv(root / f"results/{name}.csv")
        found = set(table[["dataset", "signature"]].itertuples(index=False, name=None))
        assert found == {(d, s) for d, s in wanted if d in set(table["dataset"])}
        shown = words(page.html.partition(f'<section id="{section}">')[2].partition("</section>")[0])
        assert all(f"{DRAWN[dataset]}: {signature}" in shown for dataset, signature in found)
    claims = (root / "results/claims.md").read_text()
    assert all(f"{DRAWN[dataset]}: {signature}\n" in claims for dataset, signature in wanted)


def test_drawn_sets_bear_the_papers_names_in_paths_alone(finished):
    root, page = finished
    named = re.compile(r"\b(places2|celeba|paris)\b")
    assert [name for name, lines in page.sections.items() if named.search(str(lines))] == ["data"]
    assert page.sections["data"][1][0] == "scenes (Places2 layout) in paths: places2 miniature world"
    assert not named.search((root / "results/claims.md").read_text())


def test_the_best_of_each_column_is_marked(finished):
    root, page = finished
    ranked = pd.read_csv(root / "results/table1.csv").groupby(["metric", "dataset", "mask_ratio"], sort=False)["ours"]
    best = [
        f"{values.max() if METRICS[metric].higher_is_better else values.min():.{METRICS[metric].decimals}f}"
        for (metric, *_), values in ranked
    ]
    assert re.findall(r'class="best">([\d.]+)', page.html) == best


def test_a_cell_of_several_seeds_shows_their_spread_and_infinite_values_are_counted():
    numbers = {"ours": 25.0, "ours_low": 24.0, "ours_high": 26.0, "seed_sd": 0.123, "n_seeds": 3, "n_infinite": 2}
    cell = _ours({"metric": "psnr", "mark": "a", "best": False, "of_some": False, "n_images": 9} | numbers)
    assert cell == Cell("25.00", ("[24.00, 26.00]", "sd 0.12 of 3", "and 2 × ∞"), "a")


def test_a_mean_over_fewer_images_says_how_many_and_is_never_the_best(finished, demo_params, tmp_path):
    table = pd.read_csv(finished[0] / "results/table1.csv")
    table.loc[table["method"] == "telea", ["ours", "n_images"]] = 99.0, 7
    table.to_csv(tmp_path / "table1.csv", index=False)
    (printed,) = (p for p in table1_section(ReportSettings.of(demo_params), tmp_path).parts if isinstance(p, Table))
    noted = [(row.heads[0].text, cell) for row in printed.rows for cell in row.cells if "n = 7" in cell.notes]
    assert [name for name, _ in noted] == 3 * 9 * ["Telea"]
    assert {cell.look for _, cell in noted} == {""}


@pytest.mark.parametrize(
    ("seeds", "word", "look"),
    [(2, "undecided (the method)", "undecided"), (3, "worse [−0.300, −0.100] (the method)", "not-supported")],
)
def test_an_ablation_has_an_interval_of_these_weights_and_a_word_about_the_method(seeds, word, look):
    ends = {"difference_low": -0.25, "difference_high": -0.15, "method_low": -0.3, "method_high": -0.1}
    cell = _ablated({"metric": "psnr", "value": 25.0, "difference": -0.2, "n_seeds": seeds} | ends)
    assert cell == Cell("25.00", ("−0.200 [−0.250, −0.150] (these weights)", word), look=look)


def test_the_grid_search_is_listed_by_rank(tmp_path):
    grid = Grid(method="spl", points=({"lambda_adv": (0.01, 0.1)},))
    settings = table_settings(["paris"], ["spl"], kind=ReportSettings, grid=grid)
    own = dict.fromkeys(GRID_COLUMNS, 1.0) | {"dataset": "paris", "method": "spl", "rank": 2, "lambda_adv": 0.01}
    own |= {name: "" for name in GRID_COLUMNS if "_difference" in name}
    better = dict.fromkeys(GRID_COLUMNS, 1.0) | {"dataset": "paris", "rank": 1, "lambda_adv": 0.1, "psnr": 30.0}
    better |= {"psnr_difference": 0.5, "psnr_difference_low": 0.25, "psnr_difference_high": 0.75}
    pd.DataFrame([own, better], columns=GRID_COLUMNS).to_csv(tmp_path / "grid.csv", index=False)
    lead, table, _, drawn = grid_section(settings, tmp_path).parts
    assert [row.cells[:2] for row in table.rows] == [(Cell("1"), Cell("0.1")), (Cell("2"), Cell("0.01"))]
    assert table.rows[0].cells[-1] == Cell("+0.500", ("[+0.250, +0.750]",))
    assert table.rows[1].cells[-1] == Cell("–")
    assert "validation images" in lead.text
    assert "has not been drawn" in drawn.text


def test_verdicts_are_counted_by_claim_and_kind_and_every_word_names_its_kind(finished):
    root, page = finished
    claims = pd.read_csv(root / "results/claims.csv")
    counts = page.sections["verdicts"][1:]
    assert len(counts) == claims["claim"].nunique()  # and no sum of them
    for line, (_, rows) in zip(counts, claims.groupby("claim", sort=False), strict=True):
        assert [int(text) for text in line[3:]] == [(rows["verdict"] == verdict).sum() for verdict in Verdict]
        assert line[2] == rows["kind"].iloc[0]
    cells = [cell for line in page.sections["claims"] for cell in line]
    worded = [cell for cell in cells if re.search(rf"\b({'|'.join(Verdict)})\b", cell)]
    kinds = rf"^Of \d+ comparisons of these weights|({'|'.join(Verdict)}) \((these weights|the method)\)"
    assert all(re.search(kinds, cell) for cell in worded)
    assert len(worded) >= (claims["verdict"] != "not testable").sum() > 0
    ablated = " ".join(cell for line in page.sections["ablations"] for cell in line)
    assert "undecided (the method)" in ablated  # one training
    assert not re.search(r"(better|worse)[^(]*\(the method\)", ablated)
    assert "(these weights)" in " ".join(cell for line in page.sections["comparisons"] for cell in line)


def test_the_main_contrasts_are_those_of_the_claims_with_the_intervals_that_there_are(finished):
    root, page = finished
    claims = read_claims(root / "results/claims.csv")
    rows = main_contrasts(claims)
    pairs = list(zip(rows["dataset"], rows["subject"], rows["rival"], strict=True))
    leads = [(dataset, "spl", rival) for dataset in ("places2", "celeba", "paris") for rival in ("rn", "rfr", "mfe")]
    edges = [(dataset, "spl", "ec") for dataset in ("places2", "celeba", "paris")]
    assert pairs == [*leads, *edges, ("paris", "spl", "spl_no_prior"), ("paris", "spl", "spl_concat")]
    assert (rows["low"] < rows["difference"]).all()
    assert (rows["difference"] < rows["high"]).all()
    assert rows["method_low"].isna().all()
    assert page.html.count('alt="Main contrasts"') == 1


def test_a_contrast_has_an_interval_of_the_method_from_three_trainings_on():
    ends = {"low": -0.1, "high": 0.3, "method_low": -0.5, "method_high": 0.7}
    row = {"metric": "psnr", "mask_ratio": "all", "dataset": "paris", "subject": "spl", "rival": "rn"} | ends
    row |= {"difference": 0.1, "kind": "the method", "verdict": "undecided"}
    rows = main_contrasts(pd.DataFrame([row | {"n_seeds": n} for n in (1, 2, 3)] + [row | {"metric": "mae"}]))
    assert rows["method_low"].isna().tolist() == rows["method_high"].isna().tolist() == [True, True, False]
    assert rows["low"].tolist() == [-0.1] * 3
    first, again = draw_contrasts(rows), draw_contrasts(rows)
    assert first == again
    assert draw_contrasts(rows.assign(low=np.nan, high=np.nan)) != first  # too few images are no error


def test_a_claim_that_cannot_be_tested_says_why(finished):
    _, page = finished
    lines = [line for line in page.sections["claims"] if any(cell.startswith("not testable") for cell in line)]
    assert lines
    assert all(line[-1].startswith(("There is no ", "There are no ", "Object detection is off")) for line in lines)


def test_the_images_that_networks_saw_stand_beside_each_pair(finished):
    root, page = finished
    claims = pd.read_csv(root / "results/claims.csv")
    pairs = claims[claims["images_seen"] == "1,600 and 1,600"].groupby(["claim", "dataset", "rival"]).ngroups
    lines = [line for line in page.sections["claims"] if line[-1].endswith("Images seen in training: 1,600 and 1,600.")]
    assert len(lines) == pairs > 0


def test_other_images_have_a_section_of_their_own(run):
    claims = pd.read_csv(run["results"] / "claims.csv", keep_default_na=False)
    claims.loc[claims["dataset"] == "celeba", "on"] = "other images"
    claims.to_csv(run["results"] / "claims.csv", index=False)
    (run["results"] / "claims.json").unlink()
    write_page(**run)
    page = Page(run["out"])
    datasets = {name: {line[0].split(" ")[0] for line in page.sections[name]} for name in ("claims", "others")}
    assert "faces" in datasets["others"]
    assert "façades" not in datasets["others"]
    assert "faces" not in datasets["claims"]
    assert page.html.count('alt="Main contrasts"') == 2
    first = claims[(claims["claim"] == "ahead") & (claims["dataset"] != "celeba")]
    assert sum(map(int, page.sections["verdicts"][1][3:])) == len(first)


def test_metrics_that_are_not_available_say_why_and_markup_stays_text(finished):
    _, page = finished
    assert "LPIPS not available: &lt;weights&gt; are missing" in page.html
    assert "&lt;script&gt;alert(" in page.html  # the parameter file, verbatim
    telea = next(line for line in page.sections["metrics"] if line[0] == "Telea")
    assert telea[-2:] == ["not available", "not available"]


def test_a_further_column_of_per_image_csv_needs_no_change_to_be_shown(finished):
    _, page = finished
    head, *_ = page.sections["metrics"]
    assert head[1:6] == ["MAE, RGB ↓", "SSIM, Gaussian ↑", "PSNR, hole ↑", "MAE, hole ↓", "sharpness"]


def test_runs_teachers_and_data_are_listed(finished):
    _, page = finished
    runs = [line for line in page.sections["training"] if line[0] == DRAWN["paris"]]
    assert ["SPL w/o S", "1", "trained here", "–", "200", "1,600", "64 s", "cpu × 1", "0123456789ab", "current"] in [
        line[1:] for line in runs
    ]
    assert page.sections["teachers"][1] == [
        "multilabel", "tresnet", "trained here", "0.625", "152", "71 s", "2", "fedcba987654", "current"
    ]  # fmt: skip
    assert "Left out: 7 masks: hole ratio over 0.6." in page.text


def test_a_run_with_other_settings_is_shown_as_such(run):
    record = run["results"] / "weights/paris/rn/seed1/run.json"
    content = json.loads(record.read_text())
    content["settings"]["recipe"]["training"]["lr"] = 0.5
    write_json(record, sealed(content))
    write_page(**run)
    lines = [line for line in Page(run["out"]).sections["training"] if line[-1].startswith("differs")]
    assert [line[:2] for line in lines] == [[DRAWN["paris"], "RN"]]
    assert "recipe.training.lr: was 0.5, is 0.0005" in lines[0][-1]


def test_the_hardware_names_the_gpu_of_the_costs(demo_params, tmp_path):
    pd.DataFrame({"device": ["NVIDIA H100", "cpu"]}).to_csv(tmp_path / "cost.csv")
    facts = {"Hardware": "NVIDIA H100; 1 thread of arithmetic on the processor", "Time": "–"}  # no benchmarks
    assert machine_of(demo_params, tmp_path) == facts


def test_figures_are_embedded_with_the_captions_that_they_keep(finished):
    _, page = finished
    titles = ["Figure 2", "Figure 4", "Figure 5", "Examples, scenes (Places2 layout)"]
    assert all(f'alt="{title}"' in page.html for title in titles)
    assert all(f"Figure {number} is not part of this experiment: it is null" in page.text for number in (1, 3))
    assert all(f"Caption of {name}." in page.text for name in ("fig2", "fig4", "fig5", "examples_places2"))


def test_missing_parts_are_left_out_with_the_reason(run, monkeypatch, tmp_path):
    for path in ("figures/fig4.png", "weights/paris/rn/seed1/run.json", "weights/paris/rn/seed1/log.csv"):
        (run["results"] / path).unlink()
    (run["data"] / "masks/record.json").unlink()
    monkeypatch.setattr(write, "DOCS", tmp_path)
    write_page(**run)
    page = Page(run["out"])
    assert f"Figure 4 has not been drawn: snakemake --cores all -- {run['results']}/figures/fig4.png" in page.text
    assert "docs/deviations.md is not beside this code" in page.text
    assert "There is no record of the masks." in page.text
    assert [line[1] for line in page.sections["training"] if line[-1] == "missing"] == ["RN"]


def test_an_experiment_without_its_optional_sections_has_a_report(raw_params, write_params, tmp_path):
    raw_params["methods"] = {name: raw_params["methods"][name] for name in ("telea", "rn", "spl")}
    for section in ("perceptual_network", "structure", "grid", "ablations", "detection", "figures"):
        raw_params.pop(section, None)
    del raw_params["evaluation"]["perceptual"]
    path = write_params(raw_params)
    write_page(path, **fabricate(path, tmp_path), out=tmp_path / "report.html")
    page = Page(tmp_path / "report.html")
    assert "This experiment has no figures." in page.text
    assert "This experiment has no ablations" in page.text
    assert "Object detection is off." in page.text
    assert {"table1", "metrics", "claims"} <= page.sections.keys()
    assert page.sections["metrics"][0][-1] == "sharpness"  # no perceptual ones


def test_what_is_left_out_is_said_in_table_1_the_claims_and_for_each_figure(raw_params, write_params, tmp_path):
    raw = reduce(raw_params)
    raw["left_out"] = {"paris/spl": "weights missing: spl.pth", "celeba": "images missing: celeba.zip"}
    raw["methods"]["rn"]["weights"] = {"places2": {"source": "not_released"}}
    path = write_params(raw)
    write_page(path, **fabricate(path, tmp_path), out=tmp_path / "report.html")
    page, claims = Page(tmp_path / "report.html"), pd.read_csv(tmp_path / "results/claims.csv")
    table = pd.read_csv(tmp_path / "results/table1.csv").set_index(["dataset", "method", "metric", "mask_ratio"])
    for (dataset, method), why in {("paris", "spl"): "weights missing: spl.pth", ("places2", "rn"): "not released",
                                   ("celeba", "telea"): "images missing: celeba.zip"}.items():  # fmt: skip
        row = table.loc[(dataset, method, "psnr", "all")]
        assert (row["status"], row["n_images"], np.isnan(row["ours"])) == (why, 0, True)
        assert f") {why}." in page.text
    assert "Figure 5 is not part of this experiment: spl on paris: weights missing: spl.pth." in page.text
    assert "There is no rn. not released" in set(claims["reason"])
    assert "There is no dataset celeba. images missing: celeba.zip" in set(claims["reason"])
    printed = (tmp_path / "results/table1.md").read_text()
    assert "Left out: paris/spl: weights missing: spl.pth; celeba: images missing: celeba.zip" in printed
    assert {"not released", "weights missing", "images missing"} <= set(map(str.strip, printed.split("|")))


def test_missing_tables_are_one_error_that_names_them_all(run):
    (run["results"] / "claims.csv").unlink()
    (run["results"] / "cost.csv").unlink()
    with pytest.raises(DataError, match=r"claims\.csv, .*cost\.csv\. Build them first: snakemake"):
        write_page(**run)
    assert not run["out"].exists()


def test_pages_of_the_documentation_are_rendered_below_the_reports_headings_and_without_foreign_markup(
    monkeypatch, tmp_path
):
    monkeypatch.setattr(write, "DOCS", tmp_path)
    (tmp_path / "page.md").write_text(
        "# Title\n## Part\n|a|b|\n|-|-|\n|**5**|`2`|\n\n<script>x</script> ![p](http://far/away.png)\n"
    )
    (folded,) = write._page("page", "Page", "A page").parts
    assert "<h3>Title</h3>\n<h4>Part</h4>" in folded.text
    assert "<td><strong>5</strong></td>" in folded.text
    assert "<script" not in folded.text
    assert "<img" not in folded.text


def test_curves_have_a_panel_for_each_method_and_the_same_bytes_each_time():
    log = pd.DataFrame({"step": [50, 100], "lr_factor": [1, 1], "loss_img": [1.0, 0.01], "loss_adv": [0.0, 0.1]})
    colours = loss_colours([log])
    assert list(colours) == ["loss_img", "loss_adv"]
    first, again = (draw_curves("paris", {"spl": [log, log], "rn": [log]}, colours) for _ in range(2))
    assert first == again
    assert "paris" in first.title
    drawn = base64.b64decode(first.source.removeprefix("data:image/svg+xml;base64,")).decode()
    assert drawn.count('<g id="axes_') == 2
    assert [drawn.count(f"stroke: {colour}") for colour in colours.values()] == [4, 4]  # a line a seed, and the legend


def test_long_curves_are_thinned():
    steps = np.arange(1.0, 100_001)
    assert len(thin(steps)) == MOST_POINTS
    assert thin(steps).mean() == pytest.approx(steps.mean())
    assert thin(steps[:3]).tolist() == [1, 2, 3]


@pytest.mark.parametrize(("steps", "losses"), [([], []), ([1], [0.0]), ([1], [2.0])])
def test_curves_without_a_shape_are_no_error(steps, losses):
    log = pd.DataFrame({"step": steps, "total": losses})
    assert draw_curves("paris", {"spl": [log]}, loss_colours([log])).source.startswith("data:image/svg+xml")


def test_the_same_run_gives_the_same_page(run, monkeypatch):
    monkeypatch.setattr(write, "_facts", lambda *_: {})
    write_page(**run)
    first = run["out"].read_bytes()
    write_page(**run)
    assert run["out"].read_bytes() == first


def test_numbers_are_printed_for_readers():
    assert number(-1234.567, 1) == "−1,234.6"
    assert number(0.5, 2, signed=True) == "+0.50"
    assert (number(float("nan"), 2), number(float("inf"), 2)) == ("–", "∞")
    assert [duration(seconds) for seconds in (71, 600, 9000)] == ["71 s", "10 min", "2.5 h"]


def test_a_plan_that_is_there_stands_beside_what_snakemake_has_measured(tmp_path, fabricated, demo_params):
    (tmp_path / "plan.csv").write_text(
        "rule,seconds,memory_mib\ntrain_method,60,900\ntrain_method,90,700\ntable1,5,300\nfetch_masks,5,300\n"
    )
    results = shutil.copytree(fabricated / "results", tmp_path / "results")
    folder = tmp_path / "benchmarks/results"
    (folder / "train_method/paris").mkdir(parents=True)
    for file, seconds, memory in (
        ("train_method/paris/rn", 70, 800),
        ("train_method/paris/spl", 200, 910),
        ("table1", 4, 99),
    ):
        (folder / f"{file}.tsv").write_text(f"s\tmax_rss\n{seconds}\t{memory}\n")
    *_, table = costs_section(demo_params, results, tmp_path / "plan.csv").parts
    rows = [[cell.text for cell in (*row.heads, *row.cells)] for row in table.rows]
    assert rows == [["train_method", "2", "2 min", "4 min", "900", "910"], ["table1", "1", "5 s", "4 s", "300", "99"]]
    assert len(costs_section(demo_params, results, tmp_path / "none.csv").parts) == 2
