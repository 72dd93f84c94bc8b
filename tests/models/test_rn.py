import math

import pytest
import torch

from spl.common.errors import DataError
from spl.models.discriminator import PatchDiscriminator
from spl.models.rn import build_rn, initialise_rn


def test_published_size():
    assert sum(parameter.numel() for parameter in build_rn().parameters()) == 11_596_591


def test_shape_range_and_hidden_hole(image, mask):
    network = build_rn(width=8, blocks=2)
    output = network(image, mask)
    assert output.shape == image.shape
    assert 0 <= output.min() <= output.max() <= 1
    assert torch.equal(output, network(image * (1 - mask), mask))


def test_a_sample_depends_on_its_batch_in_evaluation_too(image, mask):
    network = build_rn(width=8, blocks=2).eval()
    whole, single = network(image, mask), network(image[:1], mask[:1])
    assert (whole[:1] - single).abs().max() > 1e-3


def test_a_batch_of_copies_equals_the_single_sample(image, mask):
    network = build_rn(width=8, blocks=2).eval()
    copies = network(image[:1].expand(3, -1, -1, -1), mask[:1].expand(3, -1, -1, -1))
    torch.testing.assert_close(copies[:1], network(image[:1], mask[:1]), atol=1e-5, rtol=1e-4)


def test_wrong_size_is_named():
    with pytest.raises(DataError, match="multiples of 4, got 30 x 32"):
        build_rn(width=8, blocks=1)(torch.rand(1, 3, 30, 32), torch.zeros(1, 1, 30, 32))


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
