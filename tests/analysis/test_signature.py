"""Numbers may be compared if their signatures are equal; if they are not, every fact that differs is named."""

import pandas as pd
import pytest

from spl.analysis.evidence import read_evidence, seeds_of
from spl.analysis.signature import differences, sign
from spl.analysis.write_table1 import write_table1
from spl.common.errors import DataError
from spl.common.files import write_json
from spl.config.experiment import Evaluation
from spl.data.pair_masks import limit_pairs
from spl.inventory.verify import verify
from tests.analysis.fabricate import EVALUATION, per_image, table_settings, write_evidence
from tests.fabricate import write_facts

SETTINGS = table_settings(["paris", "mine"], ["telea", "biharmonic", "rn", "spl"])


def experiment(
    results, *, dataset="paris", methods=("telea", "rn"), seeds=(1,), pairs=pd.DataFrame.copy, entry=(), **protocol
):
    """Write the evidence of an experiment, its pairs changed by a function, and return its settings."""
    settings = SETTINGS.model_copy(update={
        "seeds": seeds,
        "methods": {name: SETTINGS.methods[name] for name in methods},
        "datasets": {dataset: SETTINGS.datasets[dataset].model_copy(update=dict(entry))},
        "evaluation": EVALUATION.model_copy(update=protocol),
    })  # fmt: skip
    runs = [(dataset, method, seed) for method, own in seeds_of(settings)[dataset].items() for seed in own]
    write_evidence(
        results, {run: pairs(per_image(0, noise=1, draw=run[2])) for run in runs}, metrics=Evaluation.metrics
    )
    return settings


def signed(results, **changes):
    """Return the signature of an experiment's numbers, as signatures.json has it."""
    settings = experiment(results, **changes)
    seeds = seeds_of(settings)
    found = sign(settings, results, seeds, read_evidence(results, seeds))
    write_json(results / "signatures.json", found)
    return next(iter(found.values()))


@pytest.fixture(scope="module")
def ours(tmp_path_factory):
    return signed(tmp_path_factory.mktemp("ours"))


def column(name, *values):
    """A function that changes the first rows of a column."""
    return lambda pairs: pairs.assign(**{name: [*values, *pairs[name][len(values) :]]})


SAME = {
    "files have other names": {"pairs": lambda pairs: pairs.assign(image="a/" + pairs["image"], mask=pairs["image"])},
    "the dataset has another name": {"dataset": "mine"},
    "other trainings": {"seeds": (1, 2)},
    "other methods": {"methods": ("biharmonic", "spl")},
    "another resampling": {"bootstrap": EVALUATION.bootstrap.model_copy(update={"samples": 100})},
}


@pytest.mark.parametrize("changes", SAME.values(), ids=SAME)
def test_equal_signatures(ours, tmp_path, changes):
    theirs = signed(tmp_path, **changes)
    assert theirs["signature"] == ours["signature"]
    assert differences(ours, theirs) == []


def test_a_limited_fill_changes_no_signature(ours, tmp_path):
    settings = experiment(tmp_path)
    some = limit_pairs(per_image(0, noise=1, draw=1), 9)
    write_evidence(tmp_path, {("paris", "telea", 1): some}, metrics=Evaluation.metrics)
    seeds = seeds_of(settings)
    assert sign(settings, tmp_path, seeds, read_evidence(tmp_path, seeds))["paris"]["signature"] == ours["signature"]


OTHER = {
    "masks": ({"pairs": column("mask_sha256", "x", "y")}, ["2 of 48 pairs have other masks: first test/0.png"]),
    "an image": ({"pairs": column("image_sha256", "x")}, ["1 of 48 pairs have other images: first test/0.png"]),
    "fewer pairs": (
        {"pairs": lambda pairs: pairs[1:]},
        ["pairs: 48 against 47", "1 of 48 pairs have other images: first test/0.png"],
    ),
    "more pairs": ({"pairs": lambda t: pd.concat([t, t.tail(1).assign(image="z")])}, ["pairs: 48 against 49"]),
    "several masks per image": ({"pairs": column("image", "test/1.png")}, ["masks per image: 1 against 2"]),
    "the order": ({"pairs": lambda pairs: pairs[::-1]}, ["the pairs stand in another order"]),
    "the size": ({"entry": {"image_size": 256}}, ["size: 64 against 256"]),
    "the crop": ({"entry": {"crop": 178}}, ["crop: None against 178"]),
    "the split": ({"split": "validation"}, ["split: test against validation"]),
    "the batch": ({"batch_size": 16}, ["batch: 8 against 16"]),
    "the metrics": ({"metrics": 2}, ["metrics: v1 against v2"]),
}


@pytest.mark.parametrize(("changes", "told"), OTHER.values(), ids=OTHER)
def test_other_signatures_and_what_differs(ours, tmp_path, monkeypatch, changes, told):
    monkeypatch.setattr(Evaluation, "metrics", changes.get("metrics", Evaluation.metrics))
    theirs = signed(tmp_path, **{name: change for name, change in changes.items() if name != "metrics"})
    assert theirs["signature"][:8] != ours["signature"][:8]
    assert differences(ours, theirs) == told


def test_a_signature_reads_as_a_line(tmp_path):
    line = signed(tmp_path, entry={"crop": 178})["signature"]
    assert line[8:] == " · test · 48 pairs · 1 mask per image · 64 px, crop 178 · batches of 8 · metrics v1"


def test_evidence_of_several_versions_of_the_metrics_makes_no_table(tmp_path):
    settings = experiment(tmp_path)
    old = tmp_path / "eval/paris/rn/seed1/per_image.csv"
    write_facts(old.with_name("record.json"), settings={"metrics": 0}, device="cpu")
    with pytest.raises(DataError, match=f"^{old}: measured by another version of the metrics.*--forcerun {old}"):
        write_table1(settings, results=tmp_path, out=tmp_path / "table1.csv")


def test_the_tables_carry_the_signature_and_what_stands_beside_it_is_printed(ours, tmp_path, demo_params):
    write_table1(experiment(tmp_path, seeds=(1, 2)), results=tmp_path, out=tmp_path / "table1.csv")
    for name in ("table1", "comparisons"):
        assert set(pd.read_csv(tmp_path / f"{name}.csv")["signature"]) == {ours["signature"]}
    line = f"façades (Paris layout): {ours['signature']} (seeds 1, 2; cpu; spl "
    assert (tmp_path / "table1.md").read_text().split("\n\n")[-1].startswith(line)
    assert f"\n% {line}" in (tmp_path / "table1.tex").read_text()
    (tmp_path / "signatures.json").write_text("{}")
    states = {finding.path.name: finding.state for finding in verify(demo_params, [tmp_path / "table1.json"])}
    assert states["signatures.json"] == "edited"


def test_the_command_says_whether_two_results_may_be_compared(spl, tmp_path):
    changes = {
        "ours": {},
        "same": {"seeds": (1, 2)},
        "other": {"split": "validation"},
        "elsewhere": {"dataset": "mine"},
    }
    for name, own in changes.items():
        signed(tmp_path / name, **own)
    alone = spl("signature", "ours", cwd=tmp_path)
    assert (alone.status, alone.out.count("\n"), alone.out[:7]) == (0, 1, "paris: ")
    for other, status, told in (
        ("same/signatures.json", 0, "equal: may be compared"),
        ("other", 1, "split: test against validation"),
        ("elsewhere", 1, "not there"),
    ):
        assert spl("signature", "ours", other, cwd=tmp_path)[:2] == (status, f"{alone.out}  {told}\n")
    write_json(tmp_path / "no.json", {"psnr": {}})
    assert "no.json holds no signatures" in spl("signature", "ours", "no.json", cwd=tmp_path).err
