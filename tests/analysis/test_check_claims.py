"""Every claim of the paper gets a verdict from what was measured, or the name of what is absent."""

import re

import numpy as np
import pandas as pd
import pytest

from spl.analysis.check_claims import COLUMNS, check_claims
from spl.analysis.objects import BOX
from spl.analysis.paper import paper_claims
from spl.analysis.verdicts import Verdict
from spl.config.load import load_params
from spl.data.masks import RATIO_BINS
from spl.steps.settings import ClaimSettings
from tests.analysis.fabricate import per_image, write_evidence, write_masked

# How far SPL is ahead of each method, in dB; noise makes what is near 0 undecided.
SHIFTS = {"rn": -1.0, "rfr": 0.02, "mfe": 1.0, "ec": -0.5, "spl_no_prior": -1.0, "spl_detector": -0.02,
          "spl_concat": 0.5}  # fmt: skip
OBJECTS = 12


@pytest.fixture(scope="module")
def params(repository):
    """The demo with a smaller bootstrap."""
    demo = load_params(repository / "presets/demo.yaml")
    bootstrap = demo.evaluation.bootstrap.model_copy(update={"samples": 100})
    return demo.model_copy(update={"evaluation": demo.evaluation.model_copy(update={"bootstrap": bootstrap})})


def check(params, root, *, growth=0.0, bins=RATIO_BINS, shifts=SHIFTS):
    """Fabricate the results of an experiment with known differences, and return the claims about it."""
    tables = {}
    for i, (dataset, method, seed) in enumerate(params.runs()):
        table = per_image(shifts.get(method, 0.0), noise=0.3, draw=i, bins=bins)
        table["psnr"] += growth * table["hole_ratio"] * (method == "spl")
        tables[dataset, method, seed] = table
    write_evidence(root / "results", tables)
    if params.detection:
        write_detections(root, params.table_methods)
    check_claims(ClaimSettings.of(params), results=root / "results", data=root / "data", out=root / "claims.csv")
    return pd.read_csv(root / "claims.csv", keep_default_na=False)


def write_detections(root, methods):
    """Twelve images of one hidden car each: SPL finds them all, RN half of them, the others less surely."""
    images = [f"test/{i}.png" for i in range(OBJECTS)]
    write_masked(root / "data", "places2", images, np.ones((64, 64), bool))
    (root / "results/detections/places2").mkdir(parents=True)
    scores = np.linspace(0.5, 0.9, OBJECTS)
    for name in ("ground_truth", *methods):
        sure = scores if name in ("spl", "ground_truth") else scores - 0.1
        rows = [(image, "car", score, 5, 5, 40, 40) for image, score in zip(images, sure, strict=True)]
        table = pd.DataFrame(rows[:: 2 if name == "rn" else 1], columns=["image", "label", "score", *BOX])
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


@pytest.mark.parametrize(("metric", "lead"), [("psnr", 1.0), ("ssim", 0.01), ("mae", 0.001)])
def test_a_difference_is_positive_where_the_claim_holds_whatever_the_metric(table, metric, lead):
    found = only(table, claim="ahead", metric=metric, rival="rn", dataset="paris", mask_ratio="all")
    assert 0 < float(found["low"]) < float(found["difference"]) < float(found["high"])
    assert float(found["difference"]) == pytest.approx(lead, rel=0.1)


@pytest.mark.parametrize(
    ("claim", "metric", "rival", "dataset", "mask_ratio", "lead"),
    [
        ("ahead", "psnr", "rn", "places2", "20-40", 26.58 - 25.55),
        ("ahead", "mae", "mfe", "celeba", "40-60", 0.0289 - 0.0205),
        ("larger_holes", "psnr", "rn", "places2", "40-60", (22.14 - 21.16) - (26.58 - 25.55)),
        ("larger_holes", "mae", "rn", "places2", "40-60", (0.0403 - 0.0355) - (0.0184 - 0.0161)),
    ],
)
def test_the_papers_own_lead_stands_beside(table, claim, metric, rival, dataset, mask_ratio, lead):
    found = only(table, claim=claim, metric=metric, rival=rival, dataset=dataset, mask_ratio=mask_ratio)
    assert float(found["paper"]) == pytest.approx(lead)


def test_undecided_rows_say_what_is_needed(table):
    found = rows(table, verdict="undecided", metric="psnr")
    assert found["needed"].str.contains("images").all()
    assert set(found["reason"]) == {"Interval contains 0."}


def test_larger_leads_at_larger_holes(params, tmp_path):
    table = check(params, tmp_path, growth=5.0)
    found = only(table, claim="larger_holes", metric="psnr", rival="rn", dataset="paris")
    assert float(found["difference"]) == pytest.approx(5.0 * 0.2, abs=0.3)
    assert (found["verdict"], int(found["n_images"])) == ("supported", 32)
    assert verdicts(table, claim="larger_holes", metric="ssim", rival="rn", dataset="paris") == {"undecided"}


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
    assert found["reason"].startswith("Of 27 comparisons: 9 not supported")
    better = check(params, tmp_path, shifts=SHIFTS | {"rfr": -1.0, "mfe": -1.0})
    assert verdicts(better, claim="state_of_the_art") == {"supported"}


@pytest.mark.parametrize(("seeds", "told"), [((1,), "spl rn"), ((1, 2, 3), "")])
def test_methods_with_one_seed_are_told(params, tmp_path, seeds, told):
    table = check(params.model_copy(update={"seeds": seeds}), tmp_path)
    found = rows(table, claim="ahead", rival="rn")
    assert set(found["one_seed"]) == {told}
    assert set(found["n_seeds"].astype(float)) == {len(seeds)}
    assert rows(table, claim="more_objects")["one_seed"].str.startswith("spl ").all()  # found with the first seed
    note = "<br>supported, 48 images, 3 seeds"
    assert (note in (tmp_path / "claims.md").read_text()) == (not told)


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
        assert f"| {claim.text} | {claim.source} | {counts} |" in text
        section = text.split(f"\n## {claim.text}\n")[1].split("\n## ")[0]
        lines = [line for line in section.splitlines() if line.startswith("|")]
        assert len({line.count("|") for line in lines}) == 1
        assert len(re.findall(r"ed, \d+ images", section)) == found["metric"].ne("").sum()
    assert "<br>paper −0.050, no growth" in text  # of PSNR on Places2, against RN
