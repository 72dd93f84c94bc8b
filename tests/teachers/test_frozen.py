"""Controls teach as other teachers do: fresh networks are alive, features share one scale, pixels are pixels."""

import pytest
import torch
import torch.nn.functional as F

from spl.config.teachers import Pixels, RandomTResNet, TimmTeacher
from spl.teachers.build import build_teacher, fit_teacher
from spl.teachers.frozen import enlarge

RANDOM = RandomTResNet(kind="tresnet_random", layers=(1, 2), width=0.25)
FRESH = TimmTeacher(kind="timm", model="test_resnet", reduction=8, weights=None)


@pytest.fixture(scope="module")
def images():
    """Smooth coloured images of 32 x 32."""
    small = torch.rand(16, 3, 4, 4, generator=torch.Generator().manual_seed(0))
    return F.interpolate(small, scale_factor=8, mode="bilinear")


def teacher_of(settings, images, *, seed=0):
    torch.manual_seed(seed)
    teacher = build_teacher(settings)
    return teacher, fit_teacher(settings, teacher, lambda: images.split(1))


def residual_share(teacher, image):
    """How much of the output changes when the last norm of every residual branch is silenced."""
    before = teacher(image)
    for name, module in teacher.named_modules():
        if name.endswith(("conv2.bn", "bn2")) and isinstance(module, torch.nn.BatchNorm2d):
            torch.nn.init.zeros_(module.weight)
    return ((teacher(image) - before).abs().mean() / before.abs().mean()).item()


@pytest.mark.parametrize("settings", [RANDOM, FRESH], ids=lambda settings: settings.kind)
def test_fresh_networks_are_alive(settings, images):
    teacher, _ = teacher_of(settings, images)
    features = teacher(enlarge(images))
    assert (features.std((0, 2, 3)) > 0.01).all()  # no channel is dead
    assert residual_share(teacher, enlarge(images)) > 0.1
    assert not any(module.training for module in teacher.modules())
    other, _ = teacher_of(settings, images, seed=1)
    assert not torch.equal(other(enlarge(images)), features)


@pytest.mark.parametrize("settings", [RANDOM, Pixels(kind="pixels")], ids=lambda settings: settings.kind)
def test_features_are_standardised_where_that_is_asked_for(settings, images):
    plain, scale = teacher_of(settings, images)
    assert scale == {}
    teacher, scale = teacher_of(settings.model_copy(update={"standardised": True}), images)
    raw, features = plain(enlarge(images)), teacher(enlarge(images))
    expected = (raw - raw.mean((0, 2, 3), keepdim=True)) / raw.std((0, 2, 3), keepdim=True, correction=0)
    torch.testing.assert_close(features, expected, atol=1e-3, rtol=0)
    torch.testing.assert_close(torch.tensor(scale["mean"]), raw.mean((0, 2, 3)))
    assert torch.equal(teacher.stages(images)[-1], features) is isinstance(settings, Pixels)  # a TResNet's stay as is


def test_pixels_are_the_image_at_a_quarter_of_its_size(images):
    teacher, _ = teacher_of(Pixels(kind="pixels"), images)
    torch.testing.assert_close(teacher(enlarge(images)), F.avg_pool2d(images, 4), atol=0.02, rtol=0)
    assert teacher.channels == 3
