import numpy as np
import torch
from scipy.signal import correlate2d

from spl.models.migan import SeparableConv, build_migan, double, halve

FILTER = np.outer([1, 3, 3, 1], [1, 3, 3, 1]) / 64


def test_halving_is_its_formula():
    x = torch.randn(2, 3, 8, 6)
    for sample, ours in zip(x.flatten(0, 1), halve(x).flatten(0, 1), strict=True):
        expected = correlate2d(np.pad(sample.double(), 1), FILTER, mode="valid")[::2, ::2]
        np.testing.assert_allclose(ours, expected, atol=1e-6)


def test_doubling_is_its_formula():
    x = torch.randn(2, 3, 4, 6)
    for sample, ours in zip(x.flatten(0, 1), double(x).flatten(0, 1), strict=True):
        spread = np.zeros((8, 12))
        spread[::2, ::2] = sample
        expected = correlate2d(np.pad(spread, ((2, 1), (2, 1))), 4 * FILTER, mode="valid")
        np.testing.assert_allclose(ours, expected, atol=1e-6)


def test_a_plain_map_stays_plain_but_at_its_border():
    assert (halve(torch.ones(1, 1, 8, 8))[..., 1:-1, 1:-1] == 1).all()
    doubled = double(torch.ones(1, 1, 8, 8))
    assert (doubled[..., 1:-1, 1:-1] == 1).all()
    assert doubled[..., 0, 1:-1].max() == 0.75


def test_the_noise_is_one_map_before_the_last_activation():
    layer = SeparableConv(2, 2, noise=4)
    torch.nn.init.zeros_(layer.pointwise.weight)
    layer.noise.map.normal_()
    torch.nn.init.constant_(layer.noise.strength, -3.0)
    expected = -3 * layer.noise.map.numpy() * np.sqrt(2)
    expected = np.where(expected < 0, 0.2 * expected, expected)
    for ours in layer(torch.randn(2, 2, 4, 4)).flatten(0, 1):
        np.testing.assert_allclose(ours.detach(), expected, rtol=1e-5)


def test_activations_stay_within_256():
    layer = SeparableConv(2, 2)
    for parameter in layer.parameters():
        torch.nn.init.constant_(parameter, 100.0)
    assert (layer(torch.ones(1, 2, 4, 4)) == 256).all()


@torch.no_grad()
def test_the_resolutions_have_the_published_channels_and_noise():
    with torch.device("meta"):
        network = build_migan(size=512)
    assert {r: layer.in_channels for r, layer in network.to_rgb.items()} == {
        "4": 512, "8": 512, "16": 512, "32": 512, "64": 512, "128": 256, "256": 128, "512": 64,
    }  # fmt: skip
    noises = {name: tuple(tensor.shape) for name, tensor in network.named_buffers()}
    sizes = [8, 16, 32, 64, 128, 256, 512]
    assert noises == {f"{part}.{r}.noise.map": (r, r) for part in ("enlarge", "decode") for r in sizes}


@torch.no_grad()
def test_whatever_is_not_black_in_a_mask_is_a_hole(image, mask):
    network = build_migan(size=32).eval()
    assert torch.equal(network(image, mask * 0.01), network(image, mask))
