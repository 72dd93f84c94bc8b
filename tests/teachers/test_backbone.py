"""Any timm model teaches: its map is that of the image's size, whatever its stride."""

import pytest
import timm
import torch
import torch.nn.functional as F

from spl.common.errors import CheckpointError, ParamsError
from spl.teachers.backbone import BackboneTeacher, read_backbone
from spl.weights.files import save_weights

VIT = "vit_tiny_patch16_224"


@pytest.fixture(scope="module")
def image():
    """An image of 64 x 32, enlarged twice."""
    return torch.rand(2, 3, 128, 64, generator=torch.Generator().manual_seed(0))


@pytest.fixture(autouse=True)
def seeded():
    torch.manual_seed(0)


@pytest.mark.parametrize(
    ("model", "reduction", "channels"),
    [("resnet18", 4, 64), ("resnet18", 8, 128), ("resnet18", 16, 256), (VIT, 16, 192)],
)
def test_the_map_has_a_quarter_of_the_size_before_enlarging(image, model, reduction, channels):
    teacher = BackboneTeacher.build(model, reduction=reduction)
    features = teacher(image)
    assert features.shape == (2, channels, 16, 8)
    assert teacher.channels == channels
    assert features.isfinite().all()


@pytest.mark.parametrize("reduction", [4, 8, 16])
def test_features_are_those_of_timm(image, reduction):
    teacher = BackboneTeacher.build("resnet18", reduction=reduction)
    stages = timm.create_model("resnet18", pretrained=False, features_only=True, out_indices=[1, 2, 3]).eval()
    stages.load_state_dict(teacher.model.state_dict(), strict=False)  # without the head
    shown = F.interpolate(image, scale_factor=reduction / 8, mode="bilinear") if reduction != 8 else image
    mean, std = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
    with torch.no_grad():
        expected = stages((shown - mean.view(1, 3, 1, 1)) / std.view(1, 3, 1, 1))[[4, 8, 16].index(reduction)]
    torch.testing.assert_close(teacher(image), expected)


@pytest.mark.parametrize("model", ["resnet18", VIT])
def test_images_are_normalised_as_in_the_models_own_training(image, model):
    reduction = 8 if model == "resnet18" else 16
    teacher = BackboneTeacher.build(model, reduction=reduction)
    config = timm.get_pretrained_cfg(model)  # the two models' differ
    assert teacher.mean.flatten().tolist() == pytest.approx(config.mean)
    assert teacher.std.flatten().tolist() == pytest.approx(config.std)
    assert not {"mean", "std"} & teacher.state_dict().keys()


def test_standardised_features_have_one_scale_over_the_images_it_was_learnt_from(image):
    teacher = BackboneTeacher.build("test_resnet", reduction=8)
    raw = teacher(image)
    shown = F.interpolate(image, scale_factor=0.5, mode="bilinear")  # standardise enlarges them again
    large = F.interpolate(shown, scale_factor=2, mode="bilinear", align_corners=False)
    raw, varies = teacher(large), teacher(large).std((0, 2, 3), correction=0) > 1e-3
    scale = teacher.standardise(iter(shown[:, None]))
    torch.testing.assert_close(torch.tensor(scale["mean"]), raw.mean((0, 2, 3)))
    assert len(scale["std"]) == teacher.channels > 1
    features = teacher(large)
    torch.testing.assert_close(features.mean((0, 2, 3)), torch.zeros(teacher.channels), atol=1e-4, rtol=0)
    torch.testing.assert_close(features.std((0, 2, 3), correction=0)[varies], torch.ones(int(varies.sum())))
    assert not {"feature_mean", "feature_std"} & teacher.state_dict().keys()  # they are a run's, not the teacher's


def test_a_channel_that_is_constant_stays_small(image):
    teacher = BackboneTeacher.build("test_resnet", reduction=8)
    with torch.no_grad():
        for name, parameter in teacher.model.named_parameters():
            parameter.zero_() if name.startswith("layer2") else None
    small = F.interpolate(image, scale_factor=0.5, mode="bilinear")
    teacher.standardise([small])
    assert teacher(image).abs().max() < 10


def test_features_are_frozen(image, check_frozen):
    check_frozen(BackboneTeacher.build("resnet18", reduction=8), image)


def test_a_file_fills_the_model_exactly_or_changes_nothing(image, tmp_path):
    source, teacher = (BackboneTeacher.build("resnet18", reduction=8) for _ in range(2))
    assert not torch.equal(source(image), teacher(image))
    path = tmp_path / "model.safetensors"
    save_weights(source.model.state_dict(), path)
    read_backbone(path, teacher)
    assert torch.equal(source(image), teacher(image))
    save_weights(timm.create_model("resnet34", pretrained=False).state_dict(), path)
    with pytest.raises(CheckpointError, match=r"does not fit: expected timm's layout for ResNet.*unexpected: "):
        read_backbone(path, teacher)
    assert torch.equal(source(image), teacher(image))


def test_an_unknown_model_names_some_that_are_like_it():
    with pytest.raises(ParamsError, match=r"has no model 'resnet18x'.*timm\.list_models\(\)"):
        BackboneTeacher.build("resnet18x", reduction=8)
    with pytest.raises(ParamsError, match=r"has no model 'resnet50\.a1_in1k'; near it: .*resnet50"):
        BackboneTeacher.build("resnet50.a1_in1k", reduction=8)


def test_a_missing_stride_names_those_there_are():
    with pytest.raises(ParamsError, match=r"resnet18 has no feature map of reduction 3; it has \[2, 4, 8, 16, 32\]"):
        BackboneTeacher.build("resnet18", reduction=3)
    with pytest.raises(ParamsError, match=r"no feature map of reduction 8; it has \[16\]"):
        BackboneTeacher.build(VIT, reduction=8)
