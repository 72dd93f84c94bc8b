import copy

import pytest
import torch
from torch import nn

from spl.models.layers import downsample_conv, reflect_conv, upsample_conv
from spl.models.region_norm import WideConv2d
from spl.models.rfr import PartialConv2d
from spl.models.spectral_norm import SpectralNorm
from spl.models.winograd import speed_up

LAYERS = {
    "3x3": lambda: nn.Conv2d(96, 128, 3, padding=1),
    "3x3, without a bias": lambda: nn.Conv2d(96, 100, 3, padding=1, bias=False),
    "reflected": lambda: reflect_conv(96, 96, 3),
    "reflected and dilated": lambda: reflect_conv(96, 96, 3, dilation=2),
    "5x5": lambda: nn.Conv2d(64, 64, 5, padding=2),
    "7x7": lambda: nn.Conv2d(64, 72, 7, padding=3),
    "7x7, reflected": lambda: reflect_conv(64, 64, 7),
    "halving": lambda: downsample_conv(24, 96),
    "doubling": lambda: upsample_conv(96, 24),
    "two at once": lambda: WideConv2d(nn.Conv2d(96, 48, 3, padding=1), nn.Conv2d(96, 48, 3, padding=1)),
    "normalised": lambda: SpectralNorm(reflect_conv(96, 96, 3, dilation=2, bias=False)).eval(),
    "normalised, doubling": lambda: SpectralNorm(upsample_conv(96, 24)).eval(),
}


def weight_of(layer):
    return layer.weight_orig if isinstance(layer, SpectralNorm) else layer.weight


@pytest.mark.parametrize("size", [(64, 64), (66, 86)], ids=["whole tiles", "cut tiles"])
@pytest.mark.parametrize("build", LAYERS.values(), ids=LAYERS)
def test_a_layer_gives_the_same_within_rounding(build, size):
    layer = build()
    x = torch.randn(2, weight_of(layer).shape[0 if layer.transposed else 1], *size)
    with torch.no_grad():
        expected = layer(x)
        speed_up(layer)
        actual = layer(x)
        assert torch.equal(actual[1:], layer(x[1:]))  # whatever else is in the batch
    assert actual.shape == expected.shape
    error = (actual - expected).abs().max() / expected.std()
    most = 3e-4 if weight_of(layer).shape[2] == 5 else 6e-5
    assert 3e-6 < error < most  # a direct convolution comes closer: the fast way was taken


@pytest.mark.parametrize(
    ("layer", "size", "dtype", "grad"),
    [
        (nn.Conv2d(96, 96, 3, padding=1), 64, torch.float32, True),
        (nn.Conv2d(96, 96, 3, padding=1), 64, torch.float64, False),
        (nn.Conv2d(96, 96, 3, padding=1), 16, torch.float32, False),
        (nn.Conv2d(96, 32, 3, padding=1), 64, torch.float32, False),
        (nn.Conv2d(96, 32, 7, padding=3), 64, torch.float32, False),
        (nn.Conv2d(96, 96, 3, padding=1, stride=2), 64, torch.float32, False),
        (nn.Conv2d(96, 96, 1), 64, torch.float32, False),
    ],
    ids=["with gradients", "float64", "small maps", "narrow", "narrow, 7x7", "strided", "1x1"],
)
def test_the_direct_way_stays_where_the_other_would_not_pay(layer, size, dtype, grad):
    layer, x = layer.to(dtype), torch.randn(1, 96, size, size, dtype=dtype)
    with torch.set_grad_enabled(grad):
        layer.to(memory_format=torch.channels_last)
        expected = layer(x)
        speed_up(layer)
        assert torch.equal(layer(x), expected)


def test_a_partial_convolution_gives_the_same_within_rounding():
    layer, x = PartialConv2d(64, 64, 7), torch.randn(1, 64, 64, 64)
    known = torch.full((1, 1, 64, 64), 64.0)
    with torch.no_grad():
        expected, _ = layer(x, known)
        speed_up(layer)
        actual, _ = layer(x, known)
    assert 3e-6 < (actual - expected).abs().max() / expected.std() < 6e-5


def test_the_state_dict_stays_as_it_is():
    layer = nn.Sequential(nn.Conv2d(96, 96, 3, padding=1))
    before = copy.deepcopy(layer.state_dict())
    speed_up(layer)
    with torch.no_grad():
        layer(torch.randn(1, 96, 64, 64))
    assert layer.state_dict().keys() == before.keys()
