import copy

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from spl.models.layers import SPADE
from spl.models.spl import build_spl

PAPER = {"semantic_learner": "residual", "semantic_blocks": 2, "fusion": "gamma"}
RELEASED = {"semantic_learner": "dense", "semantic_blocks": 2, "fusion": "one_plus_gamma"}
SMALL = {"width": 8, "teacher_channels": 6, "fusion_blocks": 2}
CONCAT = PAPER | {"fusion": "concat"}
VARIANTS = pytest.mark.parametrize("variant", [PAPER, RELEASED, CONCAT], ids=["paper", "released", "concat"])


@pytest.mark.parametrize("size", [(36, 28), (64, 32)])
def test_any_multiple_of_four(size):
    output, adapted_prior = build_spl(**PAPER, **SMALL)(torch.rand(1, 3, *size), torch.ones(1, 1, *size))
    assert output.shape[2:] == size
    assert adapted_prior.shape == (1, 6, size[0] // 4, size[1] // 4)


@VARIANTS
def test_the_prior_guides_the_image_and_its_adaptation_does_not(variant, image, mask):
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
