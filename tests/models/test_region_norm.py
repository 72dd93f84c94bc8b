import numpy as np
import pytest
import torch
import torch.nn.functional as F

from spl.models.region_norm import (
    BasicRegionNorm,
    LearnedRegionNorm,
    hole_and_valid,
    instance_norm,
    normalise_regions,
)


def slow_region_norm(x, mask, pool):
    """The definition, region by region: float64 loops that share nothing with the code under test."""
    x, mask = x.double().numpy(), np.broadcast_to(mask.numpy() > 0.5, x.shape)
    result = np.zeros_like(x)
    batches = [slice(None)] if pool else [slice(i, i + 1) for i in range(len(x))]
    for batch in batches:
        for channel in range(x.shape[1]):
            values = x[batch, channel]
            for region in (mask[batch, channel], ~mask[batch, channel]):
                inside = values[region]
                if inside.size:
                    eps = 1e-5 * values.size / inside.size
                    result[batch, channel][region] = (inside - inside.mean()) / np.sqrt(inside.var() + eps)
    return result


@pytest.fixture
def features():
    return torch.randn(3, 5, 32, 32) * 3 + 7


@pytest.mark.parametrize("statistics", ["instance", "batch"])
def test_normalise_regions_equals_the_slow_definition(features, mask, statistics):
    actual = normalise_regions(features, hole_and_valid(mask), statistics=statistics)
    expected = slow_region_norm(features, mask, pool=statistics == "batch")
    np.testing.assert_allclose(actual.numpy(), expected, atol=2e-5)


def test_a_tiny_region_has_a_large_eps():
    features, mask = torch.randn(1, 2, 16, 16) * 0.01, torch.zeros(1, 1, 16, 16)
    mask[0, 0, 3, 4:6] = 1
    actual = normalise_regions(features, hole_and_valid(mask), statistics="instance")
    np.testing.assert_allclose(actual.numpy(), slow_region_norm(features, mask, pool=False), atol=1e-5)
    pair = features[0, :, 3, 4:6].double()
    plain = (pair - pair.mean(1, keepdim=True)) / (pair.var(1, unbiased=False, keepdim=True) + 1e-5).sqrt()
    assert (plain - actual[0, :, 3, 4:6]).abs().max() > 0.1


@pytest.mark.parametrize("statistics", ["instance", "batch"])
@pytest.mark.parametrize("fill", [0.0, 1.0])
def test_no_hole_and_all_hole_are_plain_normalisation(features, fill, statistics):
    mask = torch.full((3, 1, 32, 32), fill)
    actual = normalise_regions(features, hole_and_valid(mask), statistics=statistics)
    expected = (
        F.instance_norm(features) if statistics == "instance" else F.batch_norm(features, None, None, training=True)
    )
    torch.testing.assert_close(actual, expected, atol=1e-5, rtol=1e-5)


def test_a_flat_map_becomes_zero():
    features = torch.rand(2, 4, 1, 1).expand(2, 4, 64, 64) * 10
    assert instance_norm(features).abs().max() < 1e-3


def test_instance_norm_equals_pytorch(features):
    torch.testing.assert_close(instance_norm(features), F.instance_norm(features), atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("statistics", ["instance", "batch"])
def test_gradients_equal_finite_differences(statistics):
    x = torch.randn(2, 2, 3, 4, dtype=torch.float64, requires_grad=True)
    gamma = torch.randn(2, 2, dtype=torch.float64, requires_grad=True)
    mask = (torch.arange(24).view(2, 1, 3, 4) % 3 == 0).double()
    mask[1] = 1

    def normalise(x, gamma):
        return normalise_regions(x, hole_and_valid(mask), gamma, statistics=statistics)

    assert torch.autograd.gradcheck(normalise, (x, gamma))
    assert torch.autograd.gradcheck(lambda x: normalise_regions(x, hole_and_valid(mask), statistics=statistics), (x,))


def test_half_precision_is_normalised_in_single(features, mask):
    regions = hole_and_valid(mask)
    half = normalise_regions(features.bfloat16(), regions.bfloat16(), statistics="instance")
    assert half.dtype == torch.float32
    with torch.autocast("cpu", dtype=torch.bfloat16):
        cast = normalise_regions(features, regions, statistics="instance")
    assert torch.equal(cast, normalise_regions(features, regions, statistics="instance"))


def test_basic_region_norm_has_an_affine_map_per_region_and_both_shifts_everywhere(features, mask):
    norm = BasicRegionNorm(5, statistics="instance")
    with torch.no_grad():
        for vector in norm.parameters():
            assert torch.equal(vector, torch.zeros(5))
            vector.normal_()
    gamma_hole, beta_hole, gamma_valid, beta_valid = (
        vector.detach().numpy()[:, None, None]
        for vector in (norm.hole_gamma, norm.hole_beta, norm.valid_gamma, norm.valid_beta)
    )
    m = mask.numpy()
    expected = slow_region_norm(features, mask, pool=False) * (1 + m * gamma_hole + (1 - m) * gamma_valid)
    np.testing.assert_allclose(norm(features, mask).detach().numpy(), expected + beta_hole + beta_valid, atol=5e-5)


def test_basic_region_norm_shrinks_the_mask_by_nearest_neighbour(mask):
    norm, features = BasicRegionNorm(5, statistics="instance"), torch.randn(3, 5, 8, 8)
    assert torch.equal(norm(features, mask), norm(features, mask[:, :, ::4, ::4]))


def test_learned_region_norm_cuts_at_the_threshold_and_scales_by_the_response(features):
    norm = LearnedRegionNorm(statistics="instance")
    with torch.no_grad():
        norm.region_conv.weight.zero_()
        norm.region_conv.weight[0, 1, 3, 3] = 0.13  # response = sigmoid(0.13 * channel maximum)
    response = torch.sigmoid(0.13 * features.amax(1, keepdim=True))
    regions = (response >= 0.8).float()
    assert 0.05 < regions.mean() < 0.95
    expected = torch.from_numpy(slow_region_norm(features, regions, pool=False)).float()
    expected = expected * (1 + norm.gamma_conv(response)) + norm.beta_conv(response)
    torch.testing.assert_close(norm(features), expected, atol=5e-5, rtol=1e-4)
