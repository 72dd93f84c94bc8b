"""Inspection of weight files: every released layout at its published size, misfits, strangers, and our own runs."""

import pytest
import torch

from spl.common.errors import RecordError
from spl.common.files import sha256, write_json
from spl.config.teachers import TimmTeacher
from spl.released.convert import convert_released
from spl.released.inspect import inspect_weights
from spl.released.published import PUBLISHED
from spl.steps.records import write_record
from spl.steps.settings import TeacherSettings
from spl.teachers.build import build_teacher
from spl.weights.files import save_weights
from spl.weights.layouts import Layout
from tests.released.fabricate import RECIPES, contents, release, run_of, small, with_copies, without_values

VARIANTS = [(layout, variant) for layout, published in PUBLISHED.items() for variant in published.builds]


def published_state(layout, variant=""):
    """A state of the published size in the authors' keys, which costs nothing: all its values are one zero."""
    with torch.device("meta"):
        network = PUBLISHED[layout].builds[variant]()
    return without_values(network, PUBLISHED[layout].rules)


def inspect(content, path):
    """Save a file and inspect it: whether it fits, the facts of the report by name, and the problems below them."""
    torch.save(content, path)
    return inspected(path)


def inspected(path):
    found = inspect_weights(path)
    lines = found.report.splitlines()
    facts = {line[:12].strip(): line[12:] for line in lines if not line.startswith("  ")}
    return found.fits, facts, [line for line in lines if line.startswith("  ")]


@pytest.mark.parametrize(("layout", "variant"), VARIANTS)
def test_published_files_fit(tmp_path, layout, variant):
    state, path, known = published_state(layout, variant), tmp_path / "file", PUBLISHED[layout]
    wrapping = {Layout.DISCRIMINATOR: "discriminator", Layout.TRESNET: "model"}.get(layout, "generator")
    content = {f"module.{key}": value for key, value in state.items()}
    fits, facts, problems = inspect({"iteration": 1, wrapping: content}, path)
    assert fits
    assert problems == []
    assert facts.pop("fits").startswith("yes, the published ")
    size = sum(tensor.numel() for tensor in state.values())
    expected = {"looks like": layout.title, "tensors": f"{len(state)}, {size:,} values"}
    expected |= {"documented": known.release.documented, "use": known.use}
    expected |= {"file": str(path), "sha256": sha256(path)}
    assert facts == {name: value for name, value in expected.items() if value}


def test_the_report_tells_the_variant_and_where_the_file_goes(tmp_path):
    _, facts, _ = inspect(published_state(Layout.RFR, "with kernel: 5"), tmp_path / "file")
    assert facts["fits"] == "yes, the published RFR with kernel: 5"
    assert facts["use"].startswith("methods.<a method with recipe: rfr>.weights.<dataset>: {source: released, path: ")
    _, facts, _ = inspect(published_state(Layout.EC_EDGES), tmp_path / "file")
    assert "path: the folder of EdgeModel_gen.pth, InpaintingModel_gen.pth}" in facts["use"]


def training_module(recipe):
    discriminator = with_copies(published_state(Layout.DISCRIMINATOR))
    states = {"generator": published_state(Layout[recipe.upper()]), "discriminator": discriminator}
    (content,) = contents(recipe, states).values()
    return content | {"tresnet_xL_hold.body.conv1.0.weight": torch.zeros(1)}


TOP = {"body.layer3.0.conv1.0.weight": torch.zeros(1), "head.fc.FC.weight": torch.zeros(1)}


@pytest.mark.parametrize(
    ("layout", "content"),
    [
        (Layout.SPL, lambda: training_module("spl")),
        (Layout.RN, lambda: training_module("rn")),
        (Layout.TRESNET, lambda: {"model": published_state(Layout.TRESNET) | TOP, "num_classes": 9605}),
        (Layout.DISCRIMINATOR, lambda: {"discriminator": with_copies(published_state(Layout.DISCRIMINATOR))}),
    ],
)
def test_what_a_file_holds_beside_the_network_does_not_matter(tmp_path, layout, content):
    fits, facts, _ = inspect(content(), tmp_path / "file.pt")
    assert fits
    assert facts["looks like"] == layout.title


def test_every_released_layout_is_inspected():
    assert {layout for layout in Layout if layout.title.startswith("the released")} < PUBLISHED.keys()


def test_missing_and_unexpected_keys_are_listed(tmp_path):
    state = published_state(Layout.RFR) | {"extra": torch.zeros(1), "tail2.bn1.bias": torch.zeros(1)}
    del state["Tconv.weight"], state["tail2.bn1.weight"]
    fits, facts, problems = inspect({"generator": state}, tmp_path / "file.pth")
    assert not fits
    assert facts["fits"] == "no, the published RFR"
    assert problems == [
        "  2 missing: Tconv.weight, tail2.bn1.weight",
        "  1 unexpected: extra",
        "  1 of another shape: tail2.bn1.bias (1,) instead of (8,)",
    ]


def test_strangers_and_our_weights_without_their_record_are_not_judged(tmp_path):
    own = small("rn", tmp_path).state_dict()
    for content, title in (({"conv.weight": torch.zeros(1)}, "nothing known here"), (own, "this project's RN")):
        fits, facts, problems = inspect(content, tmp_path / "file.pth")
        assert not fits
        assert (facts["looks like"], facts["fits"]) == (title, "unknown")
        assert "neither a released layout nor the weights of a run of this project" in problems[0]


@pytest.mark.parametrize("recipe", RECIPES)
def test_a_run_of_this_project_fits_its_record(tmp_path, recipe):
    run = run_of(recipe, release(recipe, small(recipe, tmp_path), tmp_path / "files"), tmp_path)
    convert_released(run, tmp_path / "run")
    weights = tmp_path / "run" / "weights.safetensors"
    fits, facts, _ = inspected(weights)
    assert fits
    assert facts["fits"] == f"yes, the {recipe} of {tmp_path / 'run' / 'run.json'}"
    state = small(recipe, tmp_path).state_dict()
    state.pop(next(iter(state)))
    save_weights(state, weights)
    fits, facts, problems = inspected(weights)
    assert not fits
    assert problems[0].startswith("  1 missing: ")


@pytest.mark.parametrize(
    ("name", "classes"), [("multilabel", ["tree"]), ("detector", ["house", "tree"]), ("backbone", [])]
)
def test_a_teacher_of_this_project_fits_its_record(tmp_path, demo_params, name, classes):
    if name == "backbone":
        network = TimmTeacher(kind="timm", model="resnet18", reduction=8, weights=None)
        demo_params = demo_params.model_copy(update={"teachers": {name: network}})
    settings = TeacherSettings.of(demo_params, teacher=name)
    network = build_teacher(settings.network, classes=len(classes))
    save_weights(network.state_dict(), tmp_path / "weights.safetensors")
    write_record(tmp_path / "run.json", settings, {}, {}, classes=classes)
    fits, facts, _ = inspected(tmp_path / "weights.safetensors")
    assert fits
    assert facts["fits"] == f"yes, the teacher of {tmp_path / 'run.json'}"


@pytest.mark.parametrize("content", [{}, {"settings": {"method": "rn"}}, {"settings": {"seed": 1}}, []])
def test_a_record_of_something_else_is_refused(tmp_path, content):
    save_weights(small("rn", tmp_path).state_dict(), tmp_path / "weights.safetensors")
    write_json(tmp_path / "run.json", content)
    with pytest.raises(RecordError, match=r"run\.json is not a record of format"):
        inspect_weights(tmp_path / "weights.safetensors")


def test_a_released_file_beside_a_record_is_still_a_released_file(tmp_path):
    write_json(tmp_path / "run.json", {})
    assert inspect(published_state(Layout.MFE_ENCODER), tmp_path / "EN.pkl")[0]
