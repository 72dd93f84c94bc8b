"""The report: what it says, what it refuses, and that it needs nothing outside itself."""

import json
import re
from html.parser import HTMLParser

import numpy as np
import pandas as pd
import pytest

from spl.analysis.claims_page import VERDICTS
from spl.analysis.compare_grid import COLUMNS as GRID_COLUMNS
from spl.common.errors import DataError
from spl.common.files import write_json
from spl.config.load import load_params
from spl.report import write_report as write
from spl.report.curves import HEIGHT, MOST_POINTS, WIDTH, lay_out
from spl.report.data import data_section, whose_pictures
from spl.report.figures import grid_section
from spl.report.table1 import table1_section
from spl.report.view import Cell, duration, number
from spl.steps.records import sealed
from tests.conftest import REPOSITORY
from tests.fabricate import write_facts
from tests.report.fabricate import write_page


@pytest.fixture(scope="module")
def finished(fabricated):
    """The folder of the fabricated run, and its page."""
    return fabricated, Page.of(fabricated / "report.html")


class Page(HTMLParser):
    """Tables by section as lists of lines of words, pictures by title, and every address that a browser might load."""

    def __init__(self):
        super().__init__()
        self.sections, self.loaded, self.links, self.tags, self.words = {}, [], [], [], []
        self._open = None

    @classmethod
    def of(cls, path):
        page = cls()
        page.html = path.read_text(encoding="utf-8")
        page.feed(page.html)
        return page

    def handle_starttag(self, tag, attributes):
        facts = dict(attributes)
        self.tags.append(tag)
        if tag == "section":
            self.sections[facts["id"]] = []
        elif tag == "tr" and self.sections:
            self.lines.append([])
        elif tag in ("td", "th") and self.sections:
            self.lines[-1].append("")
            self._open = tag
        for name in ("src", "srcset", "href", "data", "poster", "action", "background", "xlink:href"):
            if name in facts:
                (self.links if tag == "a" else self.loaded).append(facts[name])

    def handle_endtag(self, tag):
        if tag == self._open:
            self._open = None

    def handle_data(self, data):
        self.words.append(data)
        if self._open:
            self.lines[-1][-1] += f" {data}" if self.lines[-1][-1] else data

    @property
    def lines(self):
        return self.sections[list(self.sections)[-1]]

    @property
    def text(self):
        return " ".join(" ".join(self.words).split())


def test_the_page_loads_nothing_from_outside(finished):
    _, page = finished
    assert page.loaded
    assert all(address.startswith("data:image/") for address in page.loaded)
    style = page.html[page.html.index("<style>") : page.html.index("</style>")]
    assert "url(" not in style
    assert "@import" not in style
    assert not {"script", "link", "iframe", "object", "embed", "base"} & set(page.tags)


def test_every_entry_of_the_contents_leads_to_a_section(finished):
    _, page = finished
    inside = [link[1:] for link in page.links if link.startswith("#")]
    assert inside == list(page.sections)
    assert len(inside) == 13  # all but the grid, which the demo does not have


def test_the_top_says_that_it_is_a_demo_by_which_code_and_how_to_make_it_again(finished):
    root, page = finished
    top = page.html[: page.html.index("<nav")]
    assert "<strong>Demo on the miniature world.</strong>" in top
    assert "not the paper's numbers" in top.replace("&#39;", "'")
    assert re.search(r"\d{4}-\d\d-\d\d \d\d:\d\d UTC", top)
    assert f"python -m spl write-report --params {root}/params.yaml" in top
    assert re.search(r"torch \d+\.\d+", top)


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


def test_the_headline_follows_the_pictures(raw_params, write_params):
    paper = load_params(REPOSITORY / "presets/paper.yaml")
    assert whose_pictures(paper)[0] == "The paper's data"
    raw_params["datasets"]["paris"]["source"] = {"kind": "supplied", "path": "data/raw/paris"}
    headline, sentences = whose_pictures(load_params(write_params(raw_params)))
    assert headline == "Mixed data"
    assert "paris: not the paper's pictures" in sentences  # 64 px are not the paper's size
    assert "celeba: miniature world" in sentences


def test_whose_pictures_they_are_is_cited(raw_params, write_params, tmp_path):
    raw_params["datasets"]["paris"]["source"] = {"kind": "supplied", "path": "x", "citation": "Me, 2026"}
    raw_params["datasets"]["celeba"]["source"] = {"kind": "registered", "name": "celeba"}
    write_facts(tmp_path / "sources/images/celeba.json", citation="Z. Liu et al.")
    page = "\n".join(str(part) for part in data_section(load_params(write_params(raw_params)), tmp_path).parts)
    assert "paris: Me, 2026" in page
    assert "celeba: Z. Liu et al." in page
    assert "places2: " not in page


def test_table_1_shows_every_cell_with_interval_status_and_the_papers_value(finished):
    root, page = finished
    table = pd.read_csv(root / "results/table1.csv")
    cell = table.query("metric == 'psnr' and method == 'spl' and dataset == 'paris' and mask_ratio == 'all'").iloc[0]
    block = page.sections["table1"]
    block = block[block.index(["PSNR ↑"]) : block.index(["MAE ↓"])]
    (ours,), (theirs,) = ([line for line in block if line[0] == head] for head in ("SPL", "paper: Ours"))
    interval = f"[{cell['ours_low']:.2f}, {cell['ours_high']:.2f}]"
    assert ours[-1] == f"{cell['ours']:.2f} b {interval}"
    assert theirs[-1] == f"29.38 gap {cell['gap']:+.2f}".replace("-", "−")
    assert "(b) trained here on the miniature world." in page.text
    assert len(ours) == 1 + 3 * 3


def test_the_best_of_each_column_is_marked(finished):
    root, page = finished
    table = pd.read_csv(root / "results/table1.csv")
    ranked = table.groupby(["metric", "dataset", "mask_ratio"])["ours"]
    assert page.html.count('class="best"') == ranked.ngroups
    psnr = table[table["metric"] == "psnr"].groupby(["dataset", "mask_ratio"])["ours"].max()
    mae = table[table["metric"] == "mae"].groupby(["dataset", "mask_ratio"])["ours"].min()
    best = re.findall(r'class="best">([\d.]+)', page.html)
    assert [f"{value:.2f}" for value in psnr.loc[["places2", "celeba", "paris"]]] == best[9:18]
    assert [f"{value:.4f}" for value in mae.loc[["places2", "celeba", "paris"]]] == best[18:]


def test_a_cell_of_several_trainings_shows_their_spread_and_infinite_values_are_counted(run):
    path = run["results"] / "table1.csv"
    table = pd.read_csv(path)
    first = (table["metric"] == "psnr") & (table["method"] == "spl")
    table.loc[first, ["seed_sd", "n_seeds", "n_infinite"]] = (0.123, 3, 2)
    table.to_csv(path, index=False)
    section = table1_section(load_params(run["params_path"]), run["results"])
    notes = [cell.notes for row in section.parts[-1].rows for cell in row.cells if "sd 0.12 of 3" in cell.notes]
    assert len(notes) == first.sum()
    assert all("and 2 × ∞" in note for note in notes)


def test_the_grid_search_is_listed_by_rank(raw_params, write_params, tmp_path):
    for dataset in raw_params["datasets"].values():
        dataset["validation"] = 20
    raw_params["evaluation"]["split"] = "validation"
    raw_params["grid"] = {"method": "spl", "points": [{"lambda_adv": [0.01, 0.1]}]}
    params = load_params(write_params(raw_params))
    own = dict.fromkeys(GRID_COLUMNS, 1.0) | {"dataset": "paris", "method": "spl", "rank": 2, "lambda_adv": 0.01}
    own |= {name: "" for name in GRID_COLUMNS if "_difference" in name}
    better = dict.fromkeys(GRID_COLUMNS, 1.0) | {"dataset": "paris", "rank": 1, "lambda_adv": 0.1, "psnr": 30.0}
    better |= {"psnr_difference": 0.5, "psnr_difference_low": 0.25, "psnr_difference_high": 0.75}
    pd.DataFrame([own, better], columns=GRID_COLUMNS).to_csv(tmp_path / "grid.csv", index=False)
    lead, table, picture = grid_section(params, tmp_path).parts
    assert [row.cells[:2] for row in table.rows] == [(Cell("1"), Cell("0.1")), (Cell("2"), Cell("0.01"))]
    assert table.rows[0].cells[-1] == Cell("+0.500", ("[+0.250, +0.750]",))
    assert table.rows[1].cells[-1] == Cell("–")
    assert "validation images" in lead.text
    assert "has not been drawn" in picture.text


def test_verdicts_are_counted_and_worded(finished):
    root, page = finished
    claims = pd.read_csv(root / "results/claims.csv")
    for verdict in VERDICTS:
        count = (claims["verdict"] == verdict).sum()
        assert re.search(rf"<b>{count}</b> {verdict}</span>", page.html)
    ahead = page.sections["verdicts"][1]
    counts = claims[claims["claim"] == claims["claim"].iloc[0]]["verdict"].value_counts()
    assert [int(text) for text in ahead[2:]] == [counts.get(verdict, 0) for verdict in VERDICTS]
    cells = [cell for line in page.sections["claims"] for cell in line]
    compared = claims["difference"].notna().sum()
    assert sum(bool(re.search(rf"\] ({'|'.join(VERDICTS)}), \d+ images?", cell)) for cell in cells) == compared


def test_a_claim_that_cannot_be_tested_says_why(finished):
    _, page = finished
    lines = [line for line in page.sections["claims"] if "not testable" in line]
    assert lines
    assert all(line[-1].startswith("This run ") for line in lines)


def test_remarks_that_all_comparisons_share_are_made_once(finished):
    root, page = finished
    claims = pd.read_csv(root / "results/claims.csv")
    shared = claims.query("claim == 'ahead' and dataset == 'paris' and rival == 'rn' and verdict == 'supported'")
    sentence = shared["reason"].iloc[0]
    assert sum(line[-1] == sentence for line in page.sections["claims"]) == claims["reason"].str.contains(
        sentence, regex=False
    ).groupby([claims["claim"], claims["dataset"], claims["rival"]]).any().sum()  # fmt: skip
    assert "Interval contains 0." not in page.text  # undecided says it


def test_metrics_that_are_not_available_say_why_and_markup_stays_text(finished):
    _, page = finished
    assert "LPIPS not available: &lt;weights&gt; are missing" in page.html
    assert "&lt;script&gt;alert(" in page.html  # the parameter file, verbatim
    telea = next(line for line in page.sections["metrics"] if line[0] == "Telea")
    assert telea[-2:] == ["not available", "not available"]


def test_trainings_teachers_and_data_are_listed(finished):
    _, page = finished
    runs = [line for line in page.sections["training"] if line[0] == "paris"]
    assert ["SPL w/o S", "1", "trained here", "–", "200", "1,600", "64 s", "cpu × 1", "0123456789ab", "current"] in [
        line[1:] for line in runs
    ]
    assert page.sections["teachers"][1] == [
        "multilabel", "tresnet", "trained here", "0.625", "152", "71 s", "2", "fedcba987654", "current"
    ]  # fmt: skip
    assert page.sections["data"][1][0] == "places2 miniature world"
    assert "Left out: 7 masks: hole ratio over 0.6." in page.text


def test_a_training_with_other_settings_is_shown_as_such(run):
    record = run["results"] / "weights/paris/rn/seed1/run.json"
    content = json.loads(record.read_text())
    content["settings"]["recipe"]["training"]["lr"] = 0.5
    write_json(record, sealed(content))
    write_page(**run)
    lines = [line for line in Page.of(run["out"]).sections["training"] if line[-1].startswith("differs")]
    assert [line[:2] for line in lines] == [["paris", "RN"]]
    assert "recipe.training.lr: was 0.5, is 0.002" in lines[0][-1]


def test_figures_are_embedded_with_the_captions_that_they_keep(finished):
    _, page = finished
    titles = ["Figure 2", "Figure 4", "Figure 5", "Examples, places2"]
    assert all(f'alt="{title}"' in page.html for title in titles)
    assert "Not part of this experiment: Figure 1, Figure 3" in page.text
    assert all(f"Caption of {name}." in page.text for name in ("fig2", "fig4", "fig5", "examples_places2"))


def test_missing_parts_are_left_out_with_the_reason(run, monkeypatch, tmp_path):
    for path in ("figures/fig4.png", "weights/paris/rn/seed1/run.json", "weights/paris/rn/seed1/log.csv"):
        (run["results"] / path).unlink()
    (run["data"] / "masks/record.json").unlink()
    monkeypatch.setattr(write, "DEVIATIONS", tmp_path / "absent.md")
    write_page(**run)
    page = Page.of(run["out"])
    assert f"Figure 4 has not been drawn: snakemake --cores all -- {run['results']}/figures/fig4.png" in page.text
    assert "docs/deviations.md is not beside this code" in page.text
    assert "There is no record of the masks." in page.text
    assert [line[1] for line in page.sections["training"] if line[-1] == "missing"] == ["RN"]


def test_missing_tables_are_one_error_that_names_them_all(run):
    (run["results"] / "claims.csv").unlink()
    (run["results"] / "cost.csv").unlink()
    with pytest.raises(DataError, match=r"claims\.csv, .*cost\.csv\. Build them first: snakemake"):
        write_page(**run)
    assert not run["out"].exists()


def test_deviations_are_rendered_below_the_pages_headings_and_without_foreign_markup(tmp_path):
    path = tmp_path / "deviations.md"
    path.write_text("# Title\n## Part\n|a|b|\n|-|-|\n|**5**|`2`|\n\n<script>x</script> ![p](http://far/away.png)\n")
    (folded,) = write._deviations(path).parts
    assert "<h3>Title</h3>\n<h4>Part</h4>" in folded.text
    assert "<td><strong>5</strong></td>" in folded.text
    assert "<script" not in folded.text
    assert "<img" not in folded.text


def test_curves_lie_where_their_losses_are():
    log = pd.DataFrame({"step": [50, 100], "lr_factor": [1, 1], "loss_img": [1.0, 0.01], "loss_adv": [0.0, 0.1]})
    panel = lay_out("spl", [log], {"loss_img": "#111111", "loss_adv": "#222222"})
    falling, late = panel.lines
    assert falling.points == f"{WIDTH / 2:.1f},0.0 {WIDTH:.1f},{HEIGHT:.1f}"
    assert late.points == f"{WIDTH:.1f},{HEIGHT / 2:.1f}"  # a logarithmic axis has no place for 0
    assert {tick.text: tick.place for tick in panel.losses}["0.1"] == HEIGHT / 2
    assert [tick.text for tick in panel.steps] == ["0", "50", "100"]


def test_long_curves_are_thinned():
    steps = np.arange(1, 100_001)
    panel = lay_out("spl", [pd.DataFrame({"step": steps, "total": 1 / steps})], {"total": "#111111"})
    assert len(panel.lines[0].points.split()) == MOST_POINTS
    assert len(panel.losses) <= 6


@pytest.mark.parametrize(("steps", "losses", "points"), [([], [], []), ([1], [0.0], []), ([1], [2.0], ["230.0,120.0"])])
def test_curves_without_a_shape_are_no_error(steps, losses, points):
    panel = lay_out("spl", [pd.DataFrame({"step": steps, "total": losses})], {"total": "#111111"})
    assert [line.points for line in panel.lines] == points


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
