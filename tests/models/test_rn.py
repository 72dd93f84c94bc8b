import math

import pytest
import torch

from spl.models.discriminator import PatchDiscriminator
from spl.models.rn import build_rn, initialise_rn


def test_initialisation_is_the_originals():
    network = build_rn(width=32, blocks=4)
    weight = network.blocks[0].conv1.weight
    assert weight.std().item() == pytest.approx(0.1 * math.sqrt(2 / (128 * 9)), rel=0.02)
    biases = torch.cat([p for name, p in network.named_parameters() if name.endswith("conv1.bias")])
    assert biases.std().item() == pytest.approx(1, rel=0.1)
    assert torch.equal(network.image_encoder.norm1.hole_gamma, torch.zeros(32))


def test_initialisation_reaches_the_discriminator():
    discriminator = PatchDiscriminator(width=32)
    initialise_rn(discriminator)
    assert discriminator.convs[3].weight_orig.std().item() == pytest.approx(0.1 * math.sqrt(2 / (128 * 16)), rel=0.02)
