"""A method that the paper does not have, better than all others: it stands last and apart and moves nothing else."""

import re
from itertools import groupby

import pandas as pd
import pytest
import yaml

from spl.analysis.table1 import Origin
from spl.common.files import read_json
from spl.common.tables import read_table
from spl.config.load import load_params
from spl.steps.settings import CostSettings
from tests.conftest import REPOSITORY, read_raw
from tests.report.fabricate import fabricate, reduce, write_page

LAMA = {"recipe": "lama", "model": {"blocks": 9}, "weights": {"paris": {"source": "released", "path": "best.ckpt"}}}
APART = "reference (not in the paper)"


class World:
    """A run on one dataset with its report; the methods of the paper, and others before them in params.yaml."""

    def __init__(self, root, others):
        raw = reduce(read_raw(REPOSITORY / "presets/demo.yaml"))
        raw["datasets"] = {"paris": raw["datasets"]["paris"]}
        raw["methods"] = others | raw["methods"] | others
        for method in raw["methods"].values():
            method.get("training", {})["per_dataset"] = {}
        self.params = root / "params.yaml"
        self.params.write_text(yaml.safe_dump(raw, sort_keys=False))
        folders = fabricate(self.params, root)
        write_page(self.params, **folders, out=root / "report.html")
        self.results, self.page = folders["results"], (root / "report.html").read_text(encoding="utf-8")

    def table(self, name):
        return read_table(self.results / f"{name}.csv")

    def section(self, name):
        return self.page.partition(f'<section id="{name}">')[2].partition("</section>")[0]

    def lines(self, name):
        """The first words of all lines of a section's tables."""
        rows = re.findall(r"<tr.*?</tr>", self.section(name), re.DOTALL)
        return [re.search(r"<th.*?>(.*?)<", row, re.DOTALL)[1].strip() for row in rows]


@pytest.fixture(scope="module")
def without(tmp_path_factory):
    return World(tmp_path_factory.mktemp("without"), {})


@pytest.fixture(scope="module")
def with_lama(tmp_path_factory):
    return World(tmp_path_factory.mktemp("with"), {"lama": LAMA})


def test_table_1_says_its_status_and_has_it_last_and_without_a_number_of_the_papers(with_lama, without):
    table = with_lama.table("table1")
    assert [name for name, _ in groupby(table["method"])][:7] == ["telea", "mfe", "rfr", "rn", "ec", "spl", "lama"]
    own = table[table["method"] == "lama"]
    assert set(own["origin"]) == {APART} == {Origin.REFERENCE}
    assert set(own["status"]) == {f"{APART} on the miniature world"}
    assert set(own["paper"]) == {""}
    others = table[table["method"] != "lama"].reset_index(drop=True)
    pd.testing.assert_frame_equal(others, without.table("table1"))


@pytest.mark.parametrize("ending", ["md", "tex"])
def test_printed_tables_have_it_in_a_group_of_its_own(with_lama, without, ending):
    text, plain = ((world.results / f"table1.{ending}").read_text() for world in (with_lama, without))
    apart = [line for line in text.splitlines() if "LaMa" in line]
    assert len(apart) == 3
    assert all(APART in line and "†" in line.replace(r"$^\dagger$", "†") for line in apart)
    assert set(plain.splitlines()) - set(text.splitlines()) <= {plain.splitlines()[0]}  # that explains †
    if ending == "tex":
        assert (text.count(r"\midrule"), plain.count(r"\midrule")) == (6, 3)


def test_no_claim_knows_it(with_lama, without):
    claims = [(world.results / "claims.csv").read_bytes() for world in (with_lama, without)]
    assert claims[0] == claims[1]
    assert set(without.table("claims")["verdict"]) >= {"supported", "undecided"}
    assert "lama" in read_json(with_lama.results / "claims.json")["settings"]["methods"]


def test_under_a_name_of_the_papers_it_is_no_rival_and_has_no_number_beside_it(tmp_path):
    world = World(tmp_path, {"rn": LAMA})
    claims = world.table("claims").query("dataset == 'paris' and rival == 'rn'")
    assert set(claims["verdict"]) == {"not testable"}
    assert set(claims["reason"]) == {"There is no rn."}


def test_it_is_the_best_of_no_column(with_lama, without):
    numbers = with_lama.table("table1").query("metric == 'psnr' and mask_ratio == 'all'").set_index("method")["ours"]
    assert numbers.astype(float).idxmax() == "lama"
    best = [re.findall(r'class="best">(.*?)<', world.section("table1")) for world in (with_lama, without)]
    assert best[0] == best[1]
    assert len(best[0]) == 9
    assert f"The best of each column is bold, {APART} aside." in with_lama.page
    assert "The best of each column is bold. " in without.page


@pytest.mark.parametrize(
    ("section", "heads"),
    [
        ("table1", ["SSIM ↑", "PSNR ↑", "MAE ↓"]),
        ("comparisons", ["façades (Paris layout)"]),
        ("metrics", ["façades (Paris layout)"]),
        ("costs", [""]),
    ],
)
def test_the_report_has_it_in_a_group_of_its_own(with_lama, section, heads):
    lines = with_lama.lines(section)
    at = [i for i, line in enumerate(lines) if line == "LaMa"]
    assert [lines[i - 1] for i in at] == [f"{head}, {APART}".removeprefix(", ") for head in heads]


def test_every_file_of_numbers_has_it_last(with_lama):
    compared = with_lama.table("comparisons")
    for _, rows in compared.groupby(["metric", "dataset", "mask_ratio"], sort=False):
        apart = (rows[["method", "reference"]] == "lama").any(axis=1).tolist()
        assert apart == sorted(apart)
        assert 0 < sum(apart) < len(apart)
    further = with_lama.table("further_metrics")["method"]
    assert [name for name, _ in groupby(further == "lama")] == [False, True]
    params = load_params(with_lama.params)
    sizes = {f"size_{n}": params.datasets["paris"].model_copy(update={"image_size": n}) for n in (64, 128)}
    costs = CostSettings.of(params.model_copy(update={"datasets": sizes})).methods
    assert [(built.method, built.image_size) for built in costs[-2:]] == [("lama", 128), ("lama", 64)]


def test_the_first_screen_counts_it_apart(with_lama, without):
    words = "6 methods and 2 ablations{} filled 24 test images"
    assert words.format("") in without.page
    assert words.format(" and, apart from these, 1 method that the paper does not have") in with_lama.page
    assert "0 sets of released weights." in with_lama.page
