"""What a weight file is: every released layout at its published size, misfits, strangers, and runs of this project."""

import re

import pytest
import torch

from spl.common.errors import CheckpointError, RecordError
from spl.common.files import sha256, write_json
from spl.config.releases import RELEASES
from spl.released.convert import convert_released
from spl.released.inspect import PUBLISHED, inspect_weights
from spl.steps.records import write_record
from spl.steps.settings import TeacherSettings
from spl.teachers.build import build_teacher
from spl.weights.files import save_weights
from spl.weights.fit import SIGNATURES
from tests.released.fabricate import FILES, RECIPES, contents, release, run_of, save, small, states_of, without_values

VARIANTS = [(name, variant) for name, published in PUBLISHED.items() for variant in published.builds]


def published_state(name, variant=""):
    """A state of the published size in the authors' keys, which costs nothing: all its values are one zero."""
    with torch.device("meta"):
        network = PUBLISHED[name].builds[variant]()
    return without_values(network, PUBLISHED[name].rules)


def facts(report):
    """The first lines of a report by name, and the problems below them."""
    lines = [line for line in report.splitlines() if not line.startswith("  ")]
    return {line[:12].strip(): line[12:] for line in lines}, [x for x in report.splitlines() if x.startswith("  ")]


@pytest.mark.parametrize(("name", "variant"), VARIANTS)
def test_published_files_fit(tmp_path, name, variant):
    state = published_state(name, variant)
    wrapping = "discriminator" if "discriminator" in name else "model" if "TResNet" in name else "generator"
    torch.save({"iteration": 1, wrapping: {f"module.{key}": value for key, value in state.items()}}, tmp_path / "file")
    found = inspect_weights(tmp_path / "file")
    told, problems = facts(found.report)
    assert found.fits
    assert problems == []
    assert told["file"] == str(tmp_path / "file")
    assert told["sha256"] == sha256(tmp_path / "file")
    assert told["looks like"] == name
    assert told["tensors"] == f"{len(state)}, {sum(tensor.numel() for tensor in state.values()):,} values"
    assert told["fits"].startswith("yes, the published ")
    assert told["fits"].endswith(variant)
    for recipe, known in RELEASES.items():
        if name.startswith(known.layout):
            assert told["documented"] == known.documented
            assert f"recipe: {recipe}>" in told["use"]
            assert ", ".join(known.files) in told["use"]


def test_a_whole_teacher_fits_by_its_trunk(tmp_path):
    state = published_state("a TResNet in its authors' layout")
    top = {"body.layer3.0.conv1.0.weight": torch.zeros(1), "head.fc.FC.weight": torch.zeros(1)}
    torch.save({"model": state | top, "num_classes": 9605}, tmp_path / "Open_ImagesV6.pth")
    found = inspect_weights(tmp_path / "Open_ImagesV6.pth")
    assert found.fits
    assert facts(found.report)[0]["use"] == "teachers.<name>: {kind: tresnet_released, path: this file}"


@pytest.mark.parametrize("recipe", ["spl", "rn"])
def test_whole_training_modules_fit_by_their_generator(tmp_path, recipe):
    """The released file beside whose generator lie a discriminator, constants and perhaps a teacher."""
    name = RELEASES[recipe].layout
    critic = published_state("the released patch discriminator of SPL, RN and EdgeConnect")
    critic |= {"features.0.weight_orig": critic["conv1.0.weight_orig"]}
    (content,) = contents(recipe, {"generator": published_state(name), "discriminator": critic}).values()
    content["tresnet_xL_hold.body.conv1.0.weight"] = torch.zeros(1)
    torch.save(content, tmp_path / "file.pt")
    found = inspect_weights(tmp_path / "file.pt")
    assert found.fits
    assert facts(found.report)[0]["looks like"] == name


def test_a_discriminator_whose_first_layer_stands_twice_fits(tmp_path):
    state = published_state("the released patch discriminator of SPL, RN and EdgeConnect")
    copies = {key.replace("conv1.0", "features.0"): tensor for key, tensor in state.items() if "conv1." in key}
    torch.save({"discriminator": state | copies}, tmp_path / "InpaintingModel_dis.pth")
    assert inspect_weights(tmp_path / "InpaintingModel_dis.pth").fits


def test_every_layout_that_can_be_named_and_used_is_inspected():
    released = {name for name, pattern in SIGNATURES if name.startswith("the released")}
    assert released < set(PUBLISHED)
    assert set(PUBLISHED) <= {name for name, _ in SIGNATURES}
    documented = {published.documented for published in PUBLISHED.values()}
    assert {release.documented for release in RELEASES.values()} < documented


@pytest.mark.parametrize("recipe", RECIPES)
def test_another_width_does_not_fit_and_says_why(tmp_path, recipe):
    release(recipe, small(recipe, tmp_path), tmp_path / "files")
    for file in (tmp_path / "files").iterdir():
        found = inspect_weights(file)
        told, problems = facts(found.report)
        assert not found.fits
        assert told["looks like"].startswith(RELEASES[recipe].layout)
        assert told["fits"].startswith("no, the published ")
        assert told["documented"] == RELEASES[recipe].documented
        assert re.search(r"of another shape: .* \(.*\) instead of \(.*\)", problems[-1])


def test_missing_and_unexpected_keys_are_listed(tmp_path):
    state = published_state("the released RFR")
    del state["Tconv.weight"], state["tail2.bn1.weight"]
    torch.save({"generator": state | {"extra": torch.zeros(1)}}, tmp_path / "file.pth")
    found = inspect_weights(tmp_path / "file.pth")
    assert not found.fits
    assert facts(found.report)[1] == ["  2 missing: Tconv.weight, tail2.bn1.weight", "  1 unexpected: extra"]


def test_a_stranger_is_unknown(tmp_path):
    torch.save({"conv.weight": torch.zeros(1)}, tmp_path / "file.pth")
    found = inspect_weights(tmp_path / "file.pth")
    told, problems = facts(found.report)
    assert not found.fits
    assert (told["looks like"], told["fits"]) == ("nothing known here", "unknown")
    assert "neither a released layout nor the weights of a run of this project" in problems[0]


def test_our_weights_without_their_record_are_recognised_but_not_judged(tmp_path):
    save_weights(small("rn", tmp_path).state_dict(), tmp_path / "weights.safetensors")
    found = inspect_weights(tmp_path / "weights.safetensors")
    told, _ = facts(found.report)
    assert not found.fits
    assert (told["looks like"], told["fits"]) == ("this project's RN", "unknown")


@pytest.mark.parametrize("recipe", RECIPES)
def test_a_run_of_this_project_fits_its_record(tmp_path, recipe):
    run = run_of(recipe, release(recipe, small(recipe, tmp_path), tmp_path / "files"), tmp_path)
    convert_released(run, tmp_path / "run")
    found = inspect_weights(tmp_path / "run" / "weights.safetensors")
    assert found.fits
    assert facts(found.report)[0]["fits"] == f"yes, the {recipe} of {tmp_path / 'run' / 'run.json'}"
    state = small(recipe, tmp_path).state_dict()
    state.pop(next(iter(state)))
    save_weights(state, tmp_path / "run" / "weights.safetensors")
    found = inspect_weights(tmp_path / "run" / "weights.safetensors")
    assert not found.fits
    assert "  1 missing: " in found.report


@pytest.mark.parametrize(("name", "classes"), [("multilabel", ["tree"]), ("detector", ["house", "tree"])])
def test_a_teacher_of_this_project_fits_its_record(tmp_path, demo_params, name, classes):
    settings = TeacherSettings.of(demo_params, teacher=name)
    network = build_teacher(settings.network, classes=len(classes))
    save_weights(network.state_dict(), tmp_path / "weights.safetensors")
    write_record(tmp_path / "run.json", settings, {}, {}, classes=classes)
    found = inspect_weights(tmp_path / "weights.safetensors")
    assert found.fits
    assert facts(found.report)[0]["fits"] == f"yes, the teacher of {tmp_path / 'run.json'}"


@pytest.mark.parametrize("content", [{}, {"settings": {"method": "rn"}}, {"settings": {"seed": 1}}, []])
def test_a_record_of_something_else_is_refused(tmp_path, content):
    save_weights(small("rn", tmp_path).state_dict(), tmp_path / "weights.safetensors")
    write_json(tmp_path / "run.json", content)
    with pytest.raises(RecordError, match=r"run\.json is not a record of format"):
        inspect_weights(tmp_path / "weights.safetensors")


def test_a_released_file_beside_a_record_is_still_a_released_file(tmp_path):
    torch.save(published_state("the released MFE encoder (EN)"), tmp_path / "EN.pkl")
    write_json(tmp_path / "run.json", {})
    assert inspect_weights(tmp_path / "EN.pkl").fits


def test_unreadable_files_are_refused(tmp_path):
    save("rfr", {FILES["rfr"]["generator"]: {"note": 1}}, tmp_path / "files")
    (tmp_path / "page.pth").write_text("<html>")
    for file, message in (
        (tmp_path / "files" / FILES["rfr"]["generator"], "holds no weights"),
        (tmp_path / "page.pth", "is a web page"),
        (tmp_path / "files", "is a folder"),
    ):
        with pytest.raises(CheckpointError, match=message):
            inspect_weights(file)


@pytest.mark.parametrize("recipe", RECIPES)
def test_the_keys_of_small_networks_are_those_of_the_published_layouts(tmp_path, recipe):
    """What the other tests fabricate is recognised as what the authors released."""
    for network, state in states_of(recipe, small(recipe, tmp_path)).items():
        torch.save(state, tmp_path / network)
        assert facts(inspect_weights(tmp_path / network).report)[0]["looks like"].startswith(RELEASES[recipe].layout)
