"""All five recipes at the smallest sizes: as parameters of whole runs, and as methods with two images to learn."""

from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass

import pytest
import torch
import torch.nn.functional as F

from spl.config.experiment import Params
from spl.config.methods import ECLossWeights, MFELossWeights, RFRLossWeights, RNLossWeights, SPLLossWeights
from spl.models.ec import canny_edges, gray
from spl.steps.settings import RunSettings
from spl.teachers.frozen import FrozenTeacher
from spl.teachers.perception import Features
from spl.training.build import build_method as build_from_recipe
from spl.training.context import TrainingContext
from spl.training.distributed import World
from tests.conftest import REPOSITORY, read_raw
from tests.workflow.conftest import shrink

CPU = World(0, 1, torch.device("cpu"))

# --- Whole runs -------------------------------------------------------------------------------------------------------


def tiny_params() -> dict:
    """Parameters of the smallest runs: 8 images in batches of 4, hence 2 steps per epoch."""
    raw = shrink(read_raw(REPOSITORY / "presets/demo.yaml"))
    raw["datasets"]["paris"]["image_size"] = 48  # more than 32, the least side of MFE's crop, so that it can move
    raw["methods"]["ec"]["training"] |= {"epochs": 3, "canny_epochs": 1}  # one epoch for every stage
    return raw


def tiny_run(method, **training):
    """The settings of a tiny run, its training changed."""
    raw = tiny_params()
    raw["methods"][method]["training"] |= training
    return RunSettings.of(Params.model_validate(raw, strict=False), dataset="paris", method=method)


# --- Single steps -----------------------------------------------------------------------------------------------------

LOSSES = {
    "spl": SPLLossWeights(lambda_img=10, lambda_adv=1, lambda_prior=1, alpha=3, delta=5, discriminator="sum"),
    "rn": RNLossWeights(lambda_img=1, lambda_adv=0.1),
    "rfr": RFRLossWeights(lambda_valid=1, lambda_hole=6, lambda_perceptual=0.5, lambda_style=3, lambda_tv=0.1),
    "mfe": MFELossWeights(lambda_img=5, lambda_adv=0.2, lambda_perceptual=0.7, lambda_style=2, lambda_auxiliary=3),
    "ec": ECLossWeights(
        lambda_edge_adv=0.3,
        lambda_feature_matching=10,
        lambda_img=5,
        lambda_adv=0.1,
        lambda_perceptual=0.7,
        lambda_style=2,
    ),
}


class FakeTeacher(FrozenTeacher):
    """Four channels from the enlarged image: a stand-in with the teacher's shapes."""

    channels = 4

    def features(self, image):
        pooled = F.avg_pool2d(image, 8)
        return torch.cat([pooled, pooled.mean(1, keepdim=True)], dim=1)


def fake_features(image):
    """Two maps for the perceptual loss and another one for the style: a stand-in for VGG, of fixed random weights."""
    weight = torch.randn(4, 3, 3, 3, generator=torch.Generator().manual_seed(2)) / 5
    first = F.conv2d(image, weight.to(image.dtype))
    return Features([first, F.avg_pool2d(image, 2)], [first.relu()])


def scaled(losses, scale):
    """Multiply all weights of the generator's loss."""
    return losses.model_copy(
        update={name: scale * value for name, value in losses if name.startswith("lambda_")}
    )  # alpha and delta are weights of pixels


@dataclass(frozen=True)
class WrappingWorld(World):
    """One process that wraps what would be distributed."""

    wrap: Callable

    def distribute(self, network):
        return self.wrap(network)


def build_method(recipe, *, wrap=lambda network: network, scale=1.0, autocast=nullcontext, **attributes):
    """Build a recipe for images of 32 x 32, always from the same random weights; set attributes of the method.

    EdgeConnect is in its three stages in the steps 0, 1 and 2.
    """
    torch.manual_seed(0)
    rates = {"lr": 1e-3, "betas": [0.0, 0.9]} | ({} if recipe == "rfr" else {"lr_discriminator": 1e-3})
    settings = tiny_run(recipe, **rates).recipe
    model = settings.model.model_copy(update={"width": 8})
    settings = settings.model_copy(update={"model": model, "losses": scaled(LOSSES[recipe], scale)})
    teacher = FakeTeacher() if recipe == "spl" else None
    world = WrappingWorld(0, 1, CPU.device, wrap)
    method = build_from_recipe(settings, TrainingContext(world, 32, 1, 1, teacher, fake_features))
    for name, value in (attributes | {"autocast": autocast}).items():
        setattr(method, name, value)
    return method


@pytest.fixture
def build():
    """The function that builds a recipe."""
    return build_method


@pytest.fixture
def batches():
    """Two images of 32 x 32 with their masks, and what each recipe sees beside them."""
    generator = torch.Generator().manual_seed(1)
    mask = torch.zeros(2, 1, 32, 32)
    mask[0, :, 8:24, 8:24] = 1
    mask[1, :, :, 20:] = 1
    image = torch.rand(2, 3, 8, 8, generator=generator).repeat_interleave(4, 2).repeat_interleave(4, 3)
    structure = F.interpolate(F.avg_pool2d(image, 8), scale_factor=8, mode="bilinear")
    plain = dict.fromkeys(("spl", "rn", "rfr"), (image, mask))
    return plain | {"mfe": (image, mask, structure), "ec": (image, mask, canny_edges(gray(image)))}
