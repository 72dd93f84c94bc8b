from functools import partial

import numpy as np
import pytest
import torch
from torch import nn

from spl.models.spectral_norm import SpectralNorm


def test_sigma_becomes_the_largest_singular_value():
    conv = SpectralNorm(nn.Conv2d(4, 6, 3, padding=1, bias=False))
    for _ in range(200):
        conv(torch.rand(1, 4, 8, 8))
    conv.eval()
    matrix = conv.weight_orig.detach().double().numpy().reshape(6, -1)
    expected = conv.weight_orig.detach().numpy() / np.linalg.svd(matrix, compute_uv=False)[0]
    np.testing.assert_allclose(conv.normalised_weight().detach().numpy(), expected, rtol=1e-5, atol=1e-7)


def test_each_training_forward_updates_v_and_then_u():
    conv = SpectralNorm(nn.Conv2d(4, 6, 3, padding=1, bias=False))
    matrix = conv.weight_orig.detach().double().numpy().reshape(6, -1)
    u = conv.weight_u.double().numpy()
    for _ in range(3):
        v = matrix.T @ u / np.linalg.norm(matrix.T @ u)
        u = matrix @ v / np.linalg.norm(matrix @ v)
        conv(torch.rand(1, 4, 8, 8))
    np.testing.assert_allclose(conv.weight_v.numpy(), v, atol=1e-6)
    np.testing.assert_allclose(conv.weight_u.numpy(), u, atol=1e-6)


def test_evaluation_uses_the_stored_vectors_as_they_are():
    conv = SpectralNorm(nn.Conv2d(4, 6, 3, padding=1, bias=False)).eval()
    u, v = conv.weight_u.clone(), conv.weight_v.clone()
    weight = conv.normalised_weight()
    assert torch.equal(conv.weight_u, u)
    assert torch.equal(conv.weight_v, v)
    torch.testing.assert_close(weight, conv.weight_orig / (u @ conv.weight_orig.flatten(1) @ v))


CONVOLUTIONS = {
    "plain": partial(nn.Conv2d, kernel_size=4, stride=2, padding=1, bias=False),
    "bias": partial(nn.Conv2d, kernel_size=3, padding=1),
    "dilated and reflected": partial(nn.Conv2d, kernel_size=3, padding=2, dilation=2, padding_mode="reflect"),
    "transposed": partial(nn.ConvTranspose2d, kernel_size=4, stride=2, padding=1),
}


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("kind", CONVOLUTIONS)
def test_agrees_with_pytorchs_hook(image, kind):
    build = CONVOLUTIONS[kind]
    ours, hooked = SpectralNorm(build(3, 6)), nn.utils.spectral_norm(build(3, 6))
    hooked.load_state_dict(ours.state_dict())
    for _ in range(2):
        torch.testing.assert_close(ours(image), hooked(image))
    ours(image).square().mean().backward()
    hooked(image).square().mean().backward()
    theirs = dict(hooked.named_parameters())
    assert theirs.keys() == dict(ours.named_parameters()).keys()
    for name, parameter in ours.named_parameters():
        torch.testing.assert_close(parameter.grad, theirs[name].grad)
    torch.testing.assert_close(ours.state_dict(), dict(hooked.state_dict()))
    torch.testing.assert_close(ours.eval()(image), hooked.eval()(image))
