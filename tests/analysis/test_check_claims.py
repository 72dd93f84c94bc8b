"""Every claim of the paper gets a verdict from what was measured, or the name of what is absent."""

import re

import numpy as np
import pandas as pd
import pytest

from spl.analysis.check_claims import COLUMNS, check_claims
from spl.analysis.objects import BOX
from spl.analysis.paper import paper_claims, printed_lead
from spl.analysis.verdicts import Verdict
from spl.config.experiment import FolderLayout, Supplied
from spl.config.load import load_params
from spl.config.methods import BiharmonicFill
from spl.data.classical import FILLS
from spl.data.masks import RATIO_BINS
from spl.data.pair_masks import limit_pairs
from spl.steps.records import write_record
from spl.steps.settings import ClaimSettings, RunSettings
from tests.analysis.fabricate import per_image, write_evidence, write_masked

# By how much each method is better than SPL, in dB; noise makes what is near 0 undecided.
SHIFTS = {"rn": -1.0, "rfr": 0.02, "mfe": 1.0, "ec": -0.9, "spl_no_prior": -3.0, "spl_detector": 0.02,
          "spl_concat": 3.0, "telea": -4.0, "navier_stokes": -4.0, "biharmonic": -4.0}  # fmt: skip
OBJECTS = 24


@pytest.fixture(scope="module")
def params(repository):
    """The demo with a smaller bootstrap."""
    demo = load_params(repository / "presets/demo.yaml")
    bootstrap = demo.evaluation.bootstrap.model_copy(update={"samples": 100})
    return demo.model_copy(update={"evaluation": demo.evaluation.model_copy(update={"bootstrap": bootstrap})})


def params_of_paris(params, **changes):
    """The demo on one dataset, without objects."""
    return params.model_copy(update={"datasets": {"paris": params.datasets["paris"]}, "detection": None} | changes)


def check(params, root, *, bins=RATIO_BINS, shifts=SHIFTS, images_seen=None):
    """Fabricate the results of an experiment with known differences, and return the claims about it.

    `images_seen` has the effort of some methods; nothing is known about that of the others.
    """
    tables = {
        run: limit_pairs(
            per_image(shifts.get(run.method, 0.0), noise=0.3, draw=i, bins=bins, per_bin=60 // len(bins)),
            params.limit_of(run.method),
        )
        for i, run in enumerate(params.runs())
    }
    write_evidence(root / "results", tables)
    for run in params.runs():
        if count := (images_seen or {}).get(run.method):
            path = root / f"results/weights/{run.dataset}/{run.method}/seed{run.seed}/run.json"
            write_record(path, RunSettings.of(params, **run._asdict()), {}, {}, images_seen=count)
    if params.detection:
        write_detections(root, params.unlimited, half=[m for m in params.table_methods if shifts.get(m, 0) <= -1])
    check_claims(ClaimSettings.of(params), results=root / "results", data=root / "data", out=root / "claims.csv")
    return pd.read_csv(root / "claims.csv", keep_default_na=False)


def write_detections(root, methods, half):
    """Images of one hidden car each: SPL finds them all, some methods half of them, the others less surely."""
    images = [f"test/{i}.png" for i in range(OBJECTS)]
    write_masked(root / "data", "places2", images, np.ones((64, 64), bool))
    (root / "results/detections/places2").mkdir(parents=True)
    scores = np.linspace(0.5, 0.9, OBJECTS)
    for name in ("ground_truth", *methods):
        sure = scores if name in ("spl", "ground_truth") else scores - 0.1
        rows = [(image, "car", score, 5, 5, 40, 40) for image, score in zip(images, sure, strict=True)]
        table = pd.DataFrame(rows[:: 2 if name in half else 1], columns=["image", "label", "score", *BOX])
        table.to_csv(root / f"results/detections/places2/{name}.csv", index=False)


@pytest.fixture(scope="module")
def demo(params, tmp_path_factory):
    """The demo's claims, and the folder they stand in."""
    root = tmp_path_factory.mktemp("demo")
    return check(params, root), root


@pytest.fixture(scope="module")
def table(demo):
    return demo[0]


def rows(table, **wanted):
    found = table[np.logical_and.reduce([table[name] == value for name, value in wanted.items()])]
    assert len(found)
    return found


def only(table, **wanted):
    (found,) = rows(table, **wanted).to_dict("records")
    return found


def verdicts(table, **wanted):
    return set(rows(table, **wanted)["verdict"])


def test_every_claim_has_rows_in_the_order_of_the_page(table):
    assert list(table.columns) == COLUMNS
    assert list(dict.fromkeys(table["claim"])) == list(paper_claims())
    assert set(table["verdict"]) <= set(Verdict)
    assert len(rows(table, claim="ahead")) == 3 * 3 * 3 * 3  # datasets, rivals, metrics, mask ratios
    assert (rows(table, on="the paper's data sets")["claim"] == table["claim"]).all()


def test_verdicts_about_these_weights_follow_the_measured_leads(table):
    assert verdicts(table, claim="ahead", rival="rn") == {"supported"}
    assert verdicts(table, claim="ahead", rival="mfe") == {"not supported"}
    assert verdicts(table, claim="ahead", rival="rfr", mask_ratio="all", dataset="paris") == {"undecided"}
    assert set(rows(table, kind="these weights")["claim"]) == {"ahead", "state_of_the_art", "more_objects"}


def test_one_training_decides_nothing_about_a_method(table):
    found = rows(table, kind="the method")
    assert set(found["claim"]) == {
        "ahead_of_edges", "supervision", "detector_helps", "multilabel_helps_more", "concatenation",
    }  # fmt: skip
    assert set(found["verdict"]) == {"undecided"}
    assert set(found["needed"]) == {"at least three trainings"}
    assert set(found["method_low"]) == set(found["p"]) == {""}
    assert "" not in set(found["low"])  # of these weights there is an interval


def test_three_trainings_decide_about_a_method(params, tmp_path):
    table = check(params_of_paris(params, seeds=(1, 2, 3)), tmp_path)
    for claim, verdict in {
        "ahead_of_edges": "supported",
        "supervision": "supported",
        "detector_helps": "supported",
        "concatenation": "not supported",
    }.items():
        assert verdicts(table, claim=claim, dataset="paris") == {verdict}
    assert verdicts(table, claim="multilabel_helps_more", mask_ratio="20-40") == {"undecided"}
    assert rows(table, claim="multilabel_helps_more", mask_ratio="20-40")["needed"].str.endswith(" trainings").all()
    assert set(rows(table, kind="the method", dataset="paris")["n_seeds"]) == {"3.0"}
    assert "<br>supported (the method)<br>60 images, 3 trainings, p " in (tmp_path / "claims.md").read_text()


def test_as_good_is_worse_by_less_than_the_margin(params, tmp_path):
    margins = params.verdicts.margins.model_copy(update={"psnr": 1.0})
    verdicts_ = params.verdicts.model_copy(update={"margins": margins})
    table = check(params_of_paris(params, seeds=(1, 2, 3), verdicts=verdicts_), tmp_path)
    found = only(table, claim="multilabel_helps_more", metric="psnr", mask_ratio="all")
    assert float(found["method_low"]) < 0
    assert found["verdict"] == "supported"
    assert only(table, claim="multilabel_helps_more", metric="ssim", mask_ratio="all")["verdict"] == "undecided"


def test_p_is_adjusted_for_the_comparisons_of_a_claim_on_a_dataset(table):
    family = rows(table, claim="ahead", dataset="paris")
    p, adjusted = family["p"].astype(float), family["p_holm"].astype(float)
    assert len(p) == 27
    assert (adjusted >= p).all()
    least_near_zero = p.sort_values().index[18]  # after the 9 of RN and the 9 of MFE, which leave 9
    assert adjusted[least_near_zero] == pytest.approx(min(1, 9 * p[least_near_zero]), abs=1e-4)


@pytest.mark.parametrize(("metric", "lead"), [("psnr", 1.0), ("ssim", 0.01), ("mae", 0.001)])
def test_a_difference_is_positive_where_the_claim_holds_whatever_the_metric(table, metric, lead):
    found = only(table, claim="ahead", metric=metric, rival="rn", dataset="paris", mask_ratio="all")
    assert 0 < float(found["low"]) < float(found["difference"]) < float(found["high"])
    assert float(found["difference"]) == pytest.approx(lead, rel=0.1)


@pytest.mark.parametrize(
    ("metric", "rival", "dataset", "mask_ratio", "lead"),
    [
        ("psnr", "rn", "places2", "20-40", 26.58 - 25.55),
        ("mae", "mfe", "celeba", "40-60", 0.0289 - 0.0205),
    ],
)
def test_the_papers_own_lead_stands_beside_that_on_its_data(
    table, repository, metric, rival, dataset, mask_ratio, lead
):
    paper = load_params(repository / "presets/paper.yaml")
    assert printed_lead(paper, metric, dataset, mask_ratio, "spl", rival) == pytest.approx(lead)
    found = only(table, claim="ahead", metric=metric, rival=rival, dataset=dataset, mask_ratio=mask_ratio)
    assert found["paper"] == ""  # drawn images


def test_undecided_rows_say_what_is_needed(table):
    found = rows(table, verdict="undecided", metric="psnr", kind="these weights")
    assert found["needed"].str.contains("images").all()
    assert set(found["reason"]) <= {"Interval contains 0.", "Not after correction for the number of comparisons."}


def test_objects_found_again(table):
    table = rows(table, claim="more_objects").set_index(["rival", "metric"])
    assert float(table.loc[("rn", "recall"), "difference"]) == pytest.approx(0.5)
    assert table.loc[("rn", "recall"), "verdict"] == "supported"
    assert float(table.loc[("ec", "recall"), "difference"]) == 0
    assert table.loc[("ec", "recall"), "verdict"] == "undecided"
    assert float(table.loc[("ec", "confidence"), "difference"]) == pytest.approx(0.1)
    assert set(table["n_images"].astype(int)) == {OBJECTS}


def test_the_state_of_the_art_is_all_comparisons_of_a_dataset(table, params, tmp_path):
    found = only(table, claim="state_of_the_art", dataset="places2")
    assert found["verdict"] == "not supported"
    assert found["reason"].startswith("Of 27 comparisons of these weights: 9 not supported")
    better = check(params, tmp_path, shifts=SHIFTS | {"rfr": -1.0, "mfe": -1.0})
    assert verdicts(better, claim="state_of_the_art") == {"supported"}


@pytest.mark.parametrize(
    ("images_seen", "told", "verdict"),
    [
        ({"spl": 1000, "rn": 1000}, "1,000 and 1,000", "supported"),
        ({"spl": 2000, "rn": 1000}, "2,000 and 1,000", "supported"),
        ({"spl": 2001, "rn": 1000}, "2,001 and 1,000", "not testable"),
        ({"spl": 1000, "rn": 2001}, "1,000 and 2,001", "not testable"),
        ({"spl": 2001}, "2,001 and unknown", "supported"),
    ],
)
def test_trainings_of_unequal_effort_are_not_compared_and_unknown_effort_is_told(
    params, tmp_path, images_seen, told, verdict
):
    table = check(params_of_paris(params), tmp_path, images_seen=images_seen)
    found = rows(table, claim="ahead", rival="rn", dataset="paris")
    assert set(found["verdict"]) == {verdict}
    assert set(found["images_seen"]) == {told}
    assert found["reason"].str.contains("more than a factor of 2").all() == (verdict == "not testable")
    assert f"Images seen in training: {told}." in (tmp_path / "claims.md").read_text()
    assert verdicts(table, claim="ahead", rival="rfr", dataset="paris") != {"not testable"}


def test_what_is_not_ahead_of_the_classical_fills_is_not_tested(params, tmp_path):
    table = check(params, tmp_path, shifts=SHIFTS | {"telea": 0.5})
    found = rows(table, claim="ahead", rival="rn")
    assert set(found["verdict"]) == {"not testable"}
    assert set(found["reason"]) == {"SPL is not ahead of a classical fill, Telea."}
    assert float(found["difference"].iloc[0]) > 0  # measured all the same
    assert verdicts(table, claim="concatenation") == {"not testable"}
    assert verdicts(table, claim="more_objects", metric="recall", rival="rn") == {
        "not testable"
    }  # Telea finds all, too


@pytest.mark.parametrize(("images", "verdict"), [(20, "supported"), (60, "not testable")])
def test_a_fill_leaves_the_floor_where_it_is_limited(params, tmp_path, images, verdict):
    fill = BiharmonicFill(recipe="biharmonic", images=images)
    one = params_of_paris(params, methods=params.methods | {"biharmonic": fill})
    table = check(one, tmp_path, shifts=SHIFTS | {"biharmonic": 0.5})
    assert verdicts(table, claim="ahead", rival="rn", dataset="paris") == {verdict}
    assert "does not count there: biharmonic." in (tmp_path / "claims.md").read_text()


def test_patchmatch_is_no_part_of_the_floor(params, tmp_path):
    one = params_of_paris(params, methods=params.methods | {"patches": FILLS["patchmatch"]})
    table = check(one, tmp_path, shifts=SHIFTS | {"patches": 0.5})
    assert verdicts(table, claim="ahead", rival="rn", dataset="paris") == {"supported"}


def test_no_objects_are_searched_in_the_images_of_a_limited_fill(params, tmp_path):
    fill = BiharmonicFill(recipe="biharmonic", images=20)
    limits = params.model_copy(update={"methods": params.methods | {"biharmonic": fill}})
    table = check(limits, tmp_path, shifts=SHIFTS | {"biharmonic": 0.5})
    assert not (tmp_path / "results/detections/places2/biharmonic.csv").exists()
    assert "not testable" not in verdicts(table, claim="more_objects", rival="rn")


def test_ones_own_images_stand_apart_and_are_not_counted(params, tmp_path):
    layout = FolderLayout(kind="folder", glob="*.jpg", test_fraction=0.5)
    own = params.datasets["paris"].model_copy(update={"layout": layout, "source": Supplied(kind="supplied", path="x")})
    datasets = {"paris": params.datasets["paris"]}
    before, table = (
        check(params_of_paris(params, datasets=datasets | more), tmp_path / name)
        for name, more in {"before": {}, "after": {"mine": own}}.items()
    )
    assert rows(table, on="the paper's data sets").to_csv(index=False) == before.to_csv(index=False)
    assert set(rows(table, on="other images")["dataset"]) == {"mine"}
    assert verdicts(table, claim="ahead", dataset="mine", rival="rn") == {"supported"}
    papers, others = (tmp_path / "after/claims.md").read_text().split("\n# On other images\n")
    assert papers.split("\n\n| claim")[1].strip() == (
        (tmp_path / "before/claims.md").read_text().split("\n\n| claim")[1].strip()
    )
    assert "| mine<br>" in others
    assert "| paris<br>" not in others


def test_what_is_absent_is_named(params, tmp_path):
    absent = ("ec", "rfr", "spl_no_prior", "spl_detector", "spl_concat")
    methods = {name: method for name, method in params.methods.items() if name not in absent}
    datasets = {name: dataset for name, dataset in params.datasets.items() if name != "celeba"}
    changes = {"ablations": None, "detection": None, "methods": methods, "datasets": datasets}
    table = check(params.model_copy(update=changes), tmp_path, bins=("20-30",))
    for reason, wanted in {
        "No suitable test images.": {"claim": "ahead", "rival": "rn", "mask_ratio": "40-60"},
        "There is no rfr.": {"claim": "ahead", "rival": "rfr", "dataset": "paris"},
        "There is no ec.": {"claim": "ahead_of_edges", "dataset": "paris"},
        "There is no dataset celeba.": {"claim": "ahead", "dataset": "celeba"},
        "There are no ablations.": {"claim": "supervision"},
        "Object detection is off.": {"claim": "more_objects"},
    }.items():
        assert set(rows(table, **wanted)["reason"]) == {reason}
        assert verdicts(table, **wanted) == {"not testable"}
    assert "There is no rfr." in only(table, claim="state_of_the_art", dataset="paris")["reason"]
    assert verdicts(table, claim="state_of_the_art", dataset="celeba") == {"not testable"}
    assert verdicts(table, claim="ahead", rival="rn", dataset="paris", mask_ratio="all") == {"supported"}


def test_both_spl_variants_are_judged(params, tmp_path):
    methods = params.methods | {"spl_released": params.methods["spl"]}
    table = check(params.model_copy(update={"methods": methods}), tmp_path)
    assert set(rows(table, claim="ahead")["subject"]) == {"spl", "spl_released"}
    assert len(rows(table, claim="state_of_the_art")) == 6


def test_the_page_warns_counts_verdicts_and_shows_every_comparison(demo):
    table, text = demo[0], (demo[1] / "claims.md").read_text()
    assert "**The verdicts are about the miniature world" in text
    for name, claim in paper_claims().items():
        found = table[table["claim"] == name]
        counts = " | ".join(str((found["verdict"] == verdict).sum()) for verdict in Verdict)
        assert f"| {claim.text} | {claim.source} | {claim.kind} | {counts} |" in text
        section = text.split(f"\n## {claim.text}\n")[1].split("\n## ")[0]
        lines = [line for line in section.splitlines() if line.startswith("|")]
        assert len({line.count("|") for line in lines}) == 1
        assert len(re.findall(rf"ed \({claim.kind}\)<br>\d+ images", section)) == found["metric"].ne("").sum()
    assert "In all" not in text
    assert "All comparisons" not in text
    for said in ("Below 20 images", "PSNR 0.1, SSIM 0.002, MAE 0.0002", "80% power", "intervals are not adjusted"):
        assert said in text
