"""Every claim of the paper gets a verdict from what was measured, or the name of what is absent."""

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from spl.analysis.check_claims import CLAIMS, COLUMNS, check_claims
from spl.analysis.objects import BOX
from spl.config.load import load_params
from spl.data.masks import RATIO_BINS
from spl.steps.settings import ClaimSettings
from tests.analysis.fabricate import per_image, write_evidence
from tests.fabricate import write_masks_table

# How far SPL is ahead of each method, in dB; noise makes what is near 0 undecided.
SHIFTS = {"rn": -1.0, "rfr": 0.02, "mfe": 1.0, "ec": -0.5, "spl_no_prior": -1.0, "spl_detector": -0.02,
          "spl_concat": 0.5}  # fmt: skip
OBJECTS = 12


class Claims:
    """Results of an experiment with known differences, and the claims about it."""

    def __init__(self, params, root):
        self.params, self.root, self.growth, self.bins = params, root, 0.0, RATIO_BINS

    def write(self):
        tables = {}
        for i, (dataset, method, seed) in enumerate(self.params.runs()):
            table = per_image(SHIFTS.get(method, 0.0), noise=0.3, draw=i, bins=self.bins)
            table["psnr"] += self.growth * table["hole_ratio"] * (method == "spl")
            tables[dataset, method, seed] = table
        write_evidence(self.root / "results", tables)
        if self.params.detection:
            self._write_detections()
        folders = {"results": self.root / "results", "data": self.root / "data"}
        check_claims(ClaimSettings.of(self.params), **folders, out=self.root / "claims.csv")
        return pd.read_csv(self.root / "claims.csv", keep_default_na=False)

    def _write_detections(self):
        """Twelve pictures of one hidden car each: SPL finds them all, RN half of them, the others less surely."""
        images = [f"test/{i}.png" for i in range(OBJECTS)]
        (self.root / "data/pairs").mkdir(parents=True, exist_ok=True)
        (self.root / "data/masks").mkdir(exist_ok=True)
        Image.fromarray(np.ones((64, 64), bool)).save(self.root / "data/masks/all.png")
        write_masks_table(self.root / "data/masks/masks.csv", ["all.png"])
        pd.DataFrame({"image": images, "mask": "all.png"}).to_csv(self.root / "data/pairs/places2.csv", index=False)
        folder = self.root / "results/detections/places2"
        folder.mkdir(parents=True, exist_ok=True)
        scores = np.linspace(0.5, 0.9, OBJECTS)
        for name in ("ground_truth", *self.params.table_methods):
            sure = scores if name in ("spl", "ground_truth") else scores - 0.1
            rows = [(image, "car", score, 5, 5, 40, 40) for image, score in zip(images, sure, strict=True)]
            rows = rows[::2] if name == "rn" else rows
            pd.DataFrame(rows, columns=["image", "label", "score", *BOX]).to_csv(folder / f"{name}.csv", index=False)


@pytest.fixture(scope="module")
def params(repository):
    """The demo with a smaller bootstrap."""
    demo = load_params(repository / "presets/demo.yaml")
    bootstrap = demo.evaluation.bootstrap.model_copy(update={"samples": 100})
    return demo.model_copy(update={"evaluation": demo.evaluation.model_copy(update={"bootstrap": bootstrap})})


@pytest.fixture(scope="module")
def demo(params, tmp_path_factory):
    """The demo's claims, and the folder they stand in."""
    root = tmp_path_factory.mktemp("demo")
    return Claims(params, root).write(), root


@pytest.fixture(scope="module")
def table(demo):
    return demo[0]


@pytest.fixture
def experiment(params, tmp_path):
    """A function that changes the parameters."""
    return lambda **changes: Claims(params.model_copy(update=changes), tmp_path)


def rows(table, **wanted):
    found = table[np.logical_and.reduce([table[name] == value for name, value in wanted.items()])]
    assert len(found)
    return found


def verdicts(table, **wanted):
    return set(rows(table, **wanted)["verdict"])


def test_every_claim_has_rows_in_the_order_of_the_page(table):
    assert list(table.columns) == COLUMNS
    assert list(dict.fromkeys(table["claim"])) == list(CLAIMS)
    assert set(table["verdict"]) <= {"supported", "not supported", "undecided", "not testable"}
    cells = rows(table, claim="ahead")
    assert len(cells) == 3 * 3 * 3 * 3  # datasets, rivals, metrics, mask ratios
    assert len(rows(table, claim="larger_holes")) == 3 * 3 * 3


def test_verdicts_follow_the_measured_leads(table):
    assert verdicts(table, claim="ahead", rival="rn") == {"supported"}
    assert verdicts(table, claim="ahead", rival="mfe") == {"not supported"}
    assert verdicts(table, claim="ahead", rival="rfr", mask_ratio="all", dataset="paris") == {"undecided"}
    assert verdicts(table, claim="ahead_of_edges", rival="ec") == {"supported"}
    assert verdicts(table, claim="supervision") == {"supported"}
    assert verdicts(table, claim="detector_helps") == {"supported"}
    assert verdicts(table, claim="multilabel_helps_more", mask_ratio="all") == {"undecided"}
    assert verdicts(table, claim="concatenation") == {"not supported"}


def test_a_difference_is_positive_where_the_claim_holds_whatever_the_metric(table):
    for metric in ("psnr", "ssim", "mae"):
        found = rows(table, claim="ahead", metric=metric, rival="rn", dataset="paris", mask_ratio="all").iloc[0]
        assert 0 < float(found["low"]) < float(found["difference"]) < float(found["high"])
    assert float(found["difference"]) == pytest.approx(0.001, rel=0.1)


def test_the_papers_own_leads_stand_beside(table):
    psnr = rows(table, claim="ahead", metric="psnr", rival="rn", dataset="places2", mask_ratio="20-40").iloc[0]
    assert float(psnr["paper"]) == pytest.approx(26.58 - 25.55)
    mae = rows(table, claim="ahead", metric="mae", rival="mfe", dataset="celeba", mask_ratio="40-60").iloc[0]
    assert float(mae["paper"]) == pytest.approx(0.0289 - 0.0205)
    assert set(rows(table, claim="ahead_of_edges")["paper"]) == {""}


def test_undecided_rows_say_what_is_needed(table):
    found = rows(table, verdict="undecided", metric="psnr")
    assert found["needed"].str.contains("images").all()
    assert found["reason"].str.startswith("Interval contains 0.").all()


def test_larger_leads_at_larger_holes(experiment):
    growing = experiment()
    growing.growth = 5.0
    table = growing.write()
    found = rows(table, claim="larger_holes", metric="psnr", rival="rn", dataset="paris").iloc[0]
    assert float(found["difference"]) == pytest.approx(5.0 * 0.2, abs=0.3)
    assert found["verdict"] == "supported"
    assert int(found["n_images"]) == 32
    assert verdicts(table, claim="larger_holes", metric="ssim", rival="rn", dataset="paris") == {"undecided"}


def test_where_the_papers_own_lead_does_not_grow_the_row_says_so(table):
    found = rows(table, claim="larger_holes", rival="rn", dataset="places2").set_index("metric")
    assert float(found.loc["psnr", "paper"]) == pytest.approx((22.14 - 21.16) - (26.58 - 25.55))
    assert "By the paper's own numbers it is not so." in found.loc["psnr", "reason"]
    assert float(found.loc["mae", "paper"]) == pytest.approx((0.0403 - 0.0355) - (0.0184 - 0.0161))
    assert "paper's own" not in found.loc["mae", "reason"]


def test_objects_found_again(table):
    table = rows(table, claim="more_objects").set_index(["rival", "metric"])
    assert float(table.loc[("rn", "recall"), "difference"]) == pytest.approx(0.5)
    assert table.loc[("rn", "recall"), "verdict"] == "supported"
    assert float(table.loc[("ec", "recall"), "difference"]) == 0
    assert table.loc[("ec", "recall"), "verdict"] == "undecided"
    assert float(table.loc[("ec", "confidence"), "difference"]) == pytest.approx(0.1)
    assert set(table["n_images"].astype(int)) == {OBJECTS}


def test_the_state_of_the_art_is_all_comparisons_of_a_dataset(table, experiment, monkeypatch):
    found = rows(table, claim="state_of_the_art").set_index("dataset")
    assert found.loc["places2", "verdict"] == "not supported"
    assert found.loc["places2", "reason"].startswith("Of 27 comparisons: 9 not supported")
    for method in ("rn", "rfr", "mfe"):
        monkeypatch.setitem(SHIFTS, method, -1.0)
    assert verdicts(experiment().write(), claim="state_of_the_art") == {"supported"}


@pytest.mark.parametrize(("seeds", "told"), [((1,), True), ((1, 2, 3), False)])
def test_one_training_is_told(experiment, seeds, told):
    table = experiment(seeds=seeds).write()
    found = rows(table, claim="ahead", rival="rn")
    assert found["reason"].str.contains("Spread over trainings not known: one of SPL, one of RN.").all() == told
    assert set(found["n_seeds"].astype(float)) == {len(seeds)}
    assert rows(table, claim="more_objects")["reason"].str.contains("not known: one of SPL, one of ").all()


def test_the_miniature_world_is_named(demo):
    table, root = demo
    assert set(table["about"]) == {"miniature world"}
    assert "**The verdicts are about the miniature world" in (root / "claims.md").read_text()


def test_what_is_absent_is_named(experiment):
    claims = experiment(ablations=None, detection=None)
    ablated = ("spl_no_prior", "spl_detector", "spl_concat")
    methods = {name: m for name, m in claims.params.methods.items() if name not in ("ec", "rfr", *ablated)}
    datasets = {name: d for name, d in claims.params.datasets.items() if name != "celeba"}
    claims.params = claims.params.model_copy(update={"methods": methods, "datasets": datasets})
    table = claims.write()
    absent = rows(table, verdict="not testable")
    assert set(rows(table, claim="ahead", rival="rfr", dataset="paris")["reason"]) == {"This run has no rfr."}
    assert set(rows(table, claim="ahead_of_edges", dataset="paris")["reason"]) == {"This run has no ec."}
    assert set(absent[absent["dataset"] == "celeba"]["reason"]) >= {"This run has no dataset celeba."}
    assert set(rows(table, claim="supervision")["reason"]) == {"This run has no ablations."}
    assert set(rows(table, claim="more_objects")["reason"]) == {"This run looks for no objects."}
    summary = rows(table, claim="state_of_the_art").set_index("dataset")
    assert "This run has no rfr." in summary.loc["paris", "reason"]
    assert summary.loc["celeba", "verdict"] == "not testable"
    assert verdicts(table, claim="ahead", rival="rn", dataset="paris") == {"supported"}


def test_mask_ratios_without_images_are_not_testable(experiment):
    claims = experiment()
    claims.bins = ("20-30",)
    found = rows(claims.write(), claim="ahead", mask_ratio="40-60")
    assert set(found["verdict"]) == {"not testable"}
    assert set(found["reason"]) == {"No image of this run can show it."}


def test_both_spl_variants_are_judged(experiment):
    claims = experiment()
    methods = claims.params.methods | {"spl_released": claims.params.methods["spl"]}
    claims.params = claims.params.model_copy(update={"methods": methods})
    table = claims.write()
    assert set(rows(table, claim="ahead")["subject"]) == {"spl", "spl_released"}
    assert len(rows(table, claim="state_of_the_art")) == 6


def test_the_page_counts_verdicts_and_shows_every_comparison(demo):
    table, root = demo
    text = (root / "claims.md").read_text()
    for name, claim in CLAIMS.items():
        counts = [str(len(table[(table["claim"] == name) & (table["verdict"] == verdict)]))
                  for verdict in ("supported", "not supported", "undecided", "not testable")]  # fmt: skip
        assert f"| {claim.text} | {claim.source} | {' | '.join(counts)} |" in text
        section = text.split(f"\n## {claim.text}\n")[1].split("\n## ")[0]
        lines = [line for line in section.splitlines() if line.startswith("|")]
        assert len(lines) == 2 + (table["claim"] == name).sum()
        assert len({line.count("|") for line in lines}) == 1
