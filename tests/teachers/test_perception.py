"""Features that perceptual and style losses compare, against torchvision's own layers."""

import pytest
import torch
import torch.nn.functional as F
import torchvision
from torch import nn

from spl.common.errors import CheckpointError
from spl.common.files import sha256
from spl.config.experiment import PerceptualVGG
from spl.config.methods import RECIPES
from spl.config.teachers import ReleasedYOLO, TimmTeacher
from spl.sources.weight_files import WeightFile
from spl.steps.settings import RunSettings
from spl.teachers.build import build_teacher
from spl.teachers.perception import (
    RELU5_1_AGAIN,
    VGGFeatures,
    VGGLayers,
    load_feature_extractor,
    load_vgg,
    teacher_features,
)
from spl.teachers.tresnet import TResNetTeacher

CPU = torch.device("cpu")

# Index of every layer in torchvision's `features`, counted by hand from its configurations D and E.
VGG16 = {
    "relu1_1": 1, "relu1_2": 3, "pool1": 4, "relu2_1": 6, "relu2_2": 8, "pool2": 9,
    "relu3_1": 11, "relu3_2": 13, "relu3_3": 15, "pool3": 16, "relu4_1": 18, "relu4_2": 20, "relu4_3": 22, "pool4": 23,
    "relu5_1": 25, "relu5_2": 27, "relu5_3": 29, "pool5": 30,
}  # fmt: skip
VGG19 = {
    "relu1_1": 1, "relu1_2": 3, "pool1": 4, "relu2_1": 6, "relu2_2": 8, "pool2": 9,
    "relu3_1": 11, "relu3_2": 13, "relu3_3": 15, "relu3_4": 17, "pool3": 18,
    "relu4_1": 20, "relu4_2": 22, "relu4_3": 24, "relu4_4": 26, "pool4": 27,
    "relu5_1": 29, "relu5_2": 31, "relu5_3": 33, "relu5_4": 35, "pool5": 36,
}  # fmt: skip
INDICES = {"vgg16": VGG16, "vgg19": VGG19}
CONFIGURATION = {"vgg16": "D", "vgg19": "E"}


def trunk(network: str) -> nn.Sequential:
    """torchvision's `features` without its large classifier, in evaluation mode and with activations in place."""
    torch.manual_seed(0)
    layers = torchvision.models.vgg.make_layers(torchvision.models.vgg.cfgs[CONFIGURATION[network]])
    for layer in layers:
        if isinstance(layer, nn.Conv2d):
            nn.init.kaiming_normal_(layer.weight)
    return layers.eval()


def random_image():
    return torch.rand(2, 3, 32, 32, generator=torch.Generator().manual_seed(1))


@torch.no_grad()
def outputs(layers, x):
    """Run layer after layer, and copy every output before the next one may change it in place."""
    x, found = x.clone(), []
    for layer in layers:
        x = layer(x)
        found.append(x.clone())
    return found


@pytest.fixture(scope="module")
def trunks():
    return {network: trunk(network) for network in INDICES}


@pytest.fixture(scope="module")
def expected(trunks):
    """Outputs of torchvision's layers by network and range, computed before anything of ours touches them."""
    return {
        (network, signed): outputs(layers, 2 * random_image() - 1 if signed else random_image())
        for network, layers in trunks.items()
        for signed in (False, True)
    }


@pytest.fixture
def image():
    return random_image()


# --- VGG --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("network", ["vgg16", "vgg19"])
def test_every_named_layer_is_torchvisions(network, trunks, expected, image):
    indices = dict(INDICES[network])
    indices |= {name.replace("relu", "conv"): i - 1 for name, i in indices.items() if name.startswith("relu")}
    found = VGGFeatures(trunks[network], VGGLayers(network, list(indices), [])).forward(image)
    assert found.style == []
    for index, ours in zip(indices.values(), found.perceptual, strict=True):
        torch.testing.assert_close(ours, expected[network, False][index])


@pytest.mark.parametrize(("recipe", "signed"), [("rfr", False), ("mfe", True), ("ec", False)])
def test_each_method_reads_its_layers_of_its_network_in_its_range(recipe, signed, trunks, expected, image):
    pools, first = [f"pool{i}" for i in (1, 2, 3)], [f"relu{i}_1" for i in (1, 2, 3, 4, 5)]
    perceptual, style = {
        "rfr": (pools, pools),
        "mfe": (first, ["relu2_2", "relu3_3", "relu4_3", None]),
        "ec": (first, ["relu2_2", "relu3_4", "relu4_4", "relu5_2"]),
    }[recipe]
    network = {"rfr": "vgg16", "mfe": "vgg16", "ec": "vgg19"}[recipe]
    assert RECIPES[recipe].perceptual_layers.network == network
    found = VGGFeatures(trunks[network], RECIPES[recipe].perceptual_layers).forward(image)
    assert len(found.perceptual) == len(perceptual)
    assert len(found.style) == len(style)
    for maps, names in ((found.perceptual, perceptual), (found.style, style)):
        for ours, name in zip(maps, names, strict=True):
            if name:  # the other one is below
                torch.testing.assert_close(ours, expected[network, signed][INDICES[network][name]])


def test_the_last_style_layer_of_mfe_applies_pool_convolution_and_relu_again(trunks, image):
    found = VGGFeatures(trunks["vgg16"], VGGLayers("vgg16", ["relu5_1"], [RELU5_1_AGAIN])).forward(image)
    with torch.no_grad():
        once = trunks["vgg16"][:26](image)
        pooled = nn.functional.max_pool2d(once, 2)
        again = nn.functional.conv2d(pooled, trunks["vgg16"][24].weight, trunks["vgg16"][24].bias, padding=1).relu()
    torch.testing.assert_close(found.perceptual[0], once)
    torch.testing.assert_close(found.style[0], again)
    assert found.style[0].shape == (2, 512, 1, 1)


def test_gradients_reach_the_image_through_a_frozen_network(trunks, image):
    extract_features = VGGFeatures(trunks["vgg16"], RECIPES["mfe"].perceptual_layers)
    image.requires_grad_()
    features = extract_features(image)
    (sum(x.sum() for x in features.perceptual) + sum(x.sum() for x in features.style)).backward()
    assert image.grad.abs().sum() > 0
    assert all(not parameter.requires_grad and parameter.grad is None for parameter in extract_features.parameters())


# --- The file of VGG --------------------------------------------------------------------------------------------------


def write_vgg(path, layers):
    """Write torchvision's layout, a piece of classifier included."""
    state = {f"features.{key}": tensor for key, tensor in layers.state_dict().items()}
    torch.save(state | {"classifier.0.bias": torch.zeros(4)}, path)
    return path


@pytest.fixture(scope="module")
def vgg_path(trunks, tmp_path_factory):
    """A file with random weights."""
    return write_vgg(tmp_path_factory.mktemp("vgg") / "vgg16-397923af.pth", trunks["vgg16"])


@pytest.fixture
def accept(monkeypatch):
    """A function that takes a file for the registered one."""

    def accept(path):
        known = WeightFile((path.name,), sha256(path), "https://example.org")
        monkeypatch.setattr(WeightFile, "registered", lambda source, name: known)
        return path

    return accept


def test_a_right_file_gives_its_convolutions_and_draws_no_random_numbers(vgg_path, accept, expected, image):
    before = torch.get_rng_state()
    found = load_vgg(accept(vgg_path), "vgg16")
    assert torch.equal(torch.get_rng_state(), before)
    torch.testing.assert_close(outputs(found, image), expected["vgg16", False])


def test_a_file_that_is_not_the_registered_one_is_refused(vgg_path):
    with pytest.raises(CheckpointError) as caught:
        load_vgg(vgg_path, "vgg16")
    message = str(caught.value)
    assert message.startswith(f"{vgg_path}: expected the published file, whose sha256 starts with 397923af, got ")
    assert message.endswith("Fetch it again: https://download.pytorch.org/models/vgg16-397923af.pth")
    assert "\n" not in message


def test_a_file_of_another_network_is_refused(trunks, accept, tmp_path):
    path = accept(write_vgg(tmp_path / "vgg.pth", trunks["vgg19"]))
    with pytest.raises(CheckpointError, match="expected torchvision's vgg16 layout"):
        load_vgg(path, "vgg16")


# --- The teacher in place of VGG --------------------------------------------------------------------------------------


@pytest.fixture
def teacher():
    torch.manual_seed(0)
    return TResNetTeacher.build(layers=(1, 1), width_factor=0.25)


def test_the_teacher_gives_three_maps_through_which_gradients_reach_the_image(teacher, image):
    features = teacher_features(teacher)(image.requires_grad_())
    assert [tuple(x.shape) for x in features.perceptual] == [(2, 16, 8, 8), (2, 16, 8, 8), (2, 32, 4, 4)]
    assert all(ours is theirs for ours, theirs in zip(features.perceptual, features.style, strict=True))
    for x in features.perceptual:
        (gradient,) = torch.autograd.grad(x.sum(), image, retain_graph=True)
        assert gradient.abs().sum() > 0
    assert not any(parameter.requires_grad for parameter in teacher.parameters())
    torch.testing.assert_close(features.perceptual[-1].detach(), teacher(image.detach()))


@pytest.mark.parametrize(
    ("settings", "shape"),
    [
        (TimmTeacher(kind="timm", model="resnet18", reduction=16, weights=None), (2, 256, 8, 8)),
        (ReleasedYOLO(kind="yolov5_released", size="n", path="x.pt"), (2, 64, 8, 8)),
    ],
)
def test_any_kind_of_teacher_gives_perceptual_losses_its_features(settings, shape, image):
    """An image of 32 x 32: the map that a prior would learn from, with gradients."""
    teacher = build_teacher(settings)
    features = teacher_features(teacher)(image.requires_grad_())
    assert [tuple(x.shape) for x in features.perceptual] == [shape]
    (gradient,) = torch.autograd.grad(features.perceptual[0].sum(), image)
    assert gradient.abs().sum() > 0
    assert teacher(F.interpolate(image, scale_factor=2)).grad_fn is None  # as a prior's teacher it has none


# --- Which of them a run uses -----------------------------------------------------------------------------------------


def test_methods_without_perceptual_losses_load_nothing(demo_params):
    for method in ("spl", "rn"):
        assert load_feature_extractor(RunSettings.of(demo_params, dataset="paris", method=method), None, CPU) is None


def test_the_demo_looks_through_its_teacher(demo_params, teacher, image):
    run = RunSettings.of(demo_params, dataset="paris", method="rfr")
    assert run.teachers == ["multilabel"]
    extract_features = load_feature_extractor(run, teacher, CPU)
    torch.testing.assert_close(extract_features(image), teacher_features(teacher)(image))


def test_vgg_is_loaded_from_the_folder_that_the_settings_name(demo_params, vgg_path, accept, image):
    accept(vgg_path)
    run = RunSettings.of(demo_params, dataset="paris", method="mfe")
    run = run.model_copy(update={"perceptual": PerceptualVGG(kind="vgg", folder=str(vgg_path.parent))})
    assert isinstance(run, RunSettings)
    features = load_feature_extractor(run, None, CPU)(image)
    assert [x.shape[1] for x in features.perceptual] == [64, 128, 256, 512, 512]
    assert [x.shape[1] for x in features.style] == [128, 256, 512, 512]
