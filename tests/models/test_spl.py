import copy

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from spl.common.errors import DataError
from spl.models.layers import SPADE
from spl.models.spl import build_paper_spl, build_released_spl, build_spl

PAPER = {"semantic_learner": "residual", "semantic_blocks": 2, "fusion": "gamma"}
RELEASED = {"semantic_learner": "dense", "semantic_blocks": 2, "fusion": "one_plus_gamma"}
SMALL = {"width": 8, "teacher_channels": 6, "fusion_blocks": 2}
CONCAT = PAPER | {"fusion": "concat"}
VARIANTS = pytest.mark.parametrize("variant", [PAPER, RELEASED, CONCAT], ids=["paper", "released", "concat"])


def count(module):
    return sum(parameter.numel() for parameter in module.parameters())


def test_published_sizes():
    with torch.device("meta"):
        assert count(build_released_spl()) == 45_597_223
        assert count(build_paper_spl()) == 33_416_487


@VARIANTS
def test_shapes_and_range(variant, image, mask):
    output, adapted_prior = build_spl(**variant, **SMALL)(image, mask)
    assert output.shape == image.shape
    assert adapted_prior.shape == (3, 6, 8, 8)
    assert 0 <= output.min() <= output.max() <= 1


@pytest.mark.parametrize("size", [(36, 28), (64, 32)])
def test_any_multiple_of_four(size):
    output, adapted_prior = build_spl(**PAPER, **SMALL)(torch.rand(1, 3, *size), torch.ones(1, 1, *size))
    assert output.shape[2:] == size
    assert adapted_prior.shape[2:] == (size[0] // 4, size[1] // 4)


@VARIANTS
def test_what_lies_in_the_hole_is_never_seen(variant, image, mask):
    network = build_spl(**variant, **SMALL)
    other = image * (1 - mask) + torch.rand_like(image) * mask
    for ours, theirs in zip(network(image, mask), network(other, mask), strict=True):
        assert torch.equal(ours, theirs)


@VARIANTS
def test_a_batch_equals_its_samples_one_by_one(variant, image, mask):
    network = build_spl(**variant, **SMALL).eval()
    whole = network(image, mask)
    singles = [network(image[i : i + 1], mask[i : i + 1]) for i in range(3)]
    for k in range(2):
        torch.testing.assert_close(whole[k], torch.cat([single[k] for single in singles]), atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("fill", [0.0, 1.0])
def test_empty_and_full_holes_are_finite(fill, image):
    network = build_spl(**PAPER, **SMALL)
    output, adapted_prior = network(image, torch.full((3, 1, 32, 32), fill))
    (output.mean() + adapted_prior.mean()).backward()
    assert output.isfinite().all()
    assert all(parameter.grad.isfinite().all() for parameter in network.parameters())


@VARIANTS
def test_the_prior_guides_the_picture_and_its_adaptation_does_not(variant, image, mask):
    network = build_spl(**variant, **SMALL)
    output, adapted_prior = network(image, mask)
    network.semantic_learner.adapter.bias.data += 1
    assert torch.equal(network(image, mask)[0], output)
    assert not torch.equal(network(image, mask)[1], adapted_prior)
    network.semantic_learner.body.register_forward_hook(lambda module, inputs, prior: prior.flip(3))
    assert not torch.allclose(network(image, mask)[0], output, atol=1e-4)


@VARIANTS
def test_the_semantic_prior_is_the_one_that_forward_uses(variant, image, mask):
    network, seen = build_spl(**variant, **SMALL), []
    network.image_decoder.register_forward_pre_hook(lambda module, inputs: seen.append(inputs[1]))
    network(image, mask)
    assert seen[0].shape == (3, 32, 8, 8)
    assert torch.equal(network.semantic_prior(image, mask), seen[0])


@VARIANTS
def test_the_image_loss_alone_reaches_the_semantic_learner(variant, image, mask):
    network = build_spl(**variant, **SMALL)
    network(image, mask)[0].mean().backward()
    learner = {name: parameter.grad for name, parameter in network.semantic_learner.named_parameters()}
    assert {name for name, grad in learner.items() if grad is None} == {"adapter.weight", "adapter.bias"}
    assert learner["conv1.weight"].abs().sum() > 0  # the layer farthest from the output


def test_semantic_learner_sees_the_doubled_masked_image(image, mask):
    network = build_spl(**PAPER, **SMALL)
    masked = torch.where(mask.bool(), 1.0, image).repeat_interleave(2, dim=2).repeat_interleave(2, dim=3)
    large_mask = mask.repeat_interleave(2, dim=2).repeat_interleave(2, dim=3)
    assert torch.equal(network.semantic_learner(masked, large_mask)[1], network(image, mask)[1])


@pytest.mark.parametrize(
    ("image_shape", "mask_shape"),
    [
        ((1, 3, 30, 32), (1, 1, 30, 32)),
        ((1, 3, 32, 32), (1, 3, 32, 32)),
        ((1, 3, 32, 32), (1, 1, 64, 64)),
        ((2, 3, 32, 32), (1, 1, 32, 32)),
        ((1, 1, 32, 32), (1, 1, 32, 32)),
        ((3, 32, 32), (1, 32, 32)),
    ],
)
def test_wrong_shapes_are_named(image_shape, mask_shape):
    with pytest.raises(DataError, match=r"Expected .* got"):
        build_spl(**PAPER, **SMALL)(torch.rand(image_shape), torch.zeros(mask_shape))


def test_spade_equals_its_formula():
    spade = SPADE(4, 3, hidden=5, gamma="one_plus_gamma")
    x, prior = torch.randn(2, 4, 8, 8), torch.randn(2, 3, 8, 8)
    hidden = F.relu(spade.shared_conv(prior))
    x64 = x.double().numpy()
    normalised = (x64 - x64.mean((2, 3), keepdims=True)) / np.sqrt(x64.var((2, 3), keepdims=True) + 1e-5)
    expected = normalised * (1 + spade.gamma_conv(hidden).detach().numpy()) + spade.beta_conv(hidden).detach().numpy()
    np.testing.assert_allclose(spade(x, prior).detach().numpy(), expected, atol=1e-5)


def test_the_two_forms_of_gamma_differ_by_one_in_a_bias(image, mask):
    paper = build_spl(**PAPER, **SMALL)
    released = build_spl(**PAPER | {"fusion": "one_plus_gamma"}, **SMALL)
    weights = copy.deepcopy(paper.state_dict())
    gammas = [name for name in weights if name.endswith("gamma_conv.bias") and "fusion" in name]
    assert len(gammas) == 4
    for name in gammas:
        assert torch.equal(weights[name], torch.ones_like(weights[name]))
        weights[name] -= 1
    released.load_state_dict(weights)
    torch.testing.assert_close(paper(image, mask)[0], released(image, mask)[0], atol=1e-6, rtol=1e-5)
