"""All five recipes at the smallest sizes: as parameters of whole runs, and as methods with two images to learn."""

from contextlib import nullcontext

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from spl.config.methods import ECLossWeights, MFELossWeights, RFRLossWeights, RNLossWeights, SPLLossWeights
from spl.models.discriminator import PatchDiscriminator
from spl.models.ec import build_ec, canny_edges, gray
from spl.models.layers import initialise_normal
from spl.models.mfe import MFEDiscriminator, build_mfe
from spl.models.rfr import build_rfr
from spl.models.rn import build_rn
from spl.models.spl import build_spl
from spl.teachers.perception import Features
from spl.training.methods.ec import ECMethod, Stages
from spl.training.methods.mfe import DISCRIMINATORS, MFEMethod
from spl.training.methods.rfr import RFRMethod
from spl.training.methods.rn import RNMethod
from spl.training.methods.spl import SPLMethod
from tests.conftest import REPOSITORY, read_raw
from tests.workflow.conftest import shrink

# --- Whole runs -------------------------------------------------------------------------------------------------------


def tiny_params() -> dict:
    """Parameters of the smallest runs: 8 images in batches of 4, hence 2 steps per epoch."""
    raw = shrink(read_raw(REPOSITORY / "presets/demo.yaml"))
    raw["datasets"]["paris"]["image_size"] = 48  # more than 32, the least side of MFE's crop, so that it can move
    raw["methods"]["ec"]["training"] |= {"epochs": 3, "canny_epochs": 1}  # one epoch for every stage
    return raw


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


def fake_teacher(large_image):
    """Four channels from the enlarged image: a stand-in with the teacher's shapes."""
    pooled = F.avg_pool2d(large_image, 8)
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


def adam(network):
    trained = [parameter for parameter in network.parameters() if parameter.requires_grad]
    return torch.optim.Adam(trained, lr=1e-3, betas=(0.0, 0.9))


def build_method(recipe, *, wrap=lambda network: network, autocast=nullcontext, scale=1.0, **options):
    """Build a recipe for images of 32 x 32, always from the same random weights.

    EdgeConnect is in its three stages in the steps 0, 1 and 2.
    """
    torch.manual_seed(0)
    shared = {"losses": scaled(LOSSES[recipe], scale), "autocast": autocast}
    if recipe in ("rfr", "mfe", "ec"):
        shared["extract_features"] = fake_features
    return {"spl": _spl, "rn": _rn, "rfr": _rfr, "mfe": _mfe, "ec": _ec}[recipe](wrap, **shared, **options)


def _spl(wrap, *, teacher=fake_teacher, **options):
    generator = build_spl(
        semantic_learner="residual", semantic_blocks=1, fusion="gamma", width=8, teacher_channels=4, fusion_blocks=1
    )
    return SPLMethod(teacher=teacher, **_pair(wrap, generator), **options)


def _rn(wrap, **options):
    return RNMethod(**_pair(wrap, build_rn(width=8, blocks=1)), **options)


def _pair(wrap, generator):
    networks = {"generator": generator, "discriminator": PatchDiscriminator(width=8)}
    return {
        "networks": {name: wrap(network) for name, network in networks.items()},
        "optimizers": {name: adam(network) for name, network in networks.items()},
    }


def _rfr(wrap, **options):
    generator = build_rfr(width=8, kernel=5, rounds=2)
    return RFRMethod(networks={"generator": wrap(generator)}, optimizers={"generator": adam(generator)}, **options)


def _mfe(wrap, **options):
    generator = build_mfe(image_size=32, width=8, blocks=1)
    discriminators = nn.ModuleDict({name: MFEDiscriminator(width=8) for name in DISCRIMINATORS})
    return MFEMethod(
        networks={name: wrap(network) for name, network in {"generator": generator, **discriminators}.items()},
        optimizers={"generator": adam(generator), "discriminators": adam(discriminators)},
        seed=1,
        **options,
    )


def _ec(wrap, *, stages=None, **options):
    generator = build_ec(width=8, blocks=1)
    parts = {"edge": generator.edge_generator, "inpaint": generator.inpaint_generator}
    discriminators = {
        "edge_discriminator": PatchDiscriminator(width=8, channels=2),
        "inpaint_discriminator": PatchDiscriminator(width=8),
    }
    for discriminator in discriminators.values():
        initialise_normal(discriminator)
    trained = {f"{part}_generator": network for part, network in parts.items()} | discriminators
    return ECMethod(
        networks={"generator": generator} | {name: wrap(network) for name, network in discriminators.items()},
        parts={part: wrap(network) for part, network in parts.items()},
        optimizers={name: adam(network) for name, network in trained.items()},
        stages=stages or Stages(edge=1, canny=2),
        **options,
    )


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
