import numpy as np
import pytest
import torch

from spl.models.discriminator import PatchDiscriminator, SpectralNormConv2d


def test_published_size_and_map():
    discriminator = PatchDiscriminator()
    assert sum(parameter.numel() for parameter in discriminator.parameters()) == 2_763_776
    with torch.no_grad():
        probabilities, features = discriminator(torch.rand(1, 3, 256, 256))
    assert probabilities.shape == (1, 1, 30, 30)
    assert [feature.shape[1] for feature in features] == [64, 128, 256, 512, 1]
    assert torch.equal(probabilities, torch.sigmoid(features[-1]))


def test_sigma_becomes_the_largest_singular_value():
    conv = SpectralNormConv2d(4, 6, 3, stride=1, padding=1)
    for _ in range(200):
        conv(torch.rand(1, 4, 8, 8))
    conv.eval()
    matrix = conv.weight_orig.detach().double().numpy().reshape(6, -1)
    expected = conv.weight_orig.detach().numpy() / np.linalg.svd(matrix, compute_uv=False)[0]
    np.testing.assert_allclose(conv.normalised_weight().detach().numpy(), expected, rtol=1e-5, atol=1e-7)


def test_each_training_forward_updates_v_and_then_u():
    conv = SpectralNormConv2d(4, 6, 3, stride=1, padding=1)
    matrix = conv.weight_orig.detach().double().numpy().reshape(6, -1)
    u = conv.weight_u.double().numpy()
    for _ in range(3):
        v = matrix.T @ u / np.linalg.norm(matrix.T @ u)
        u = matrix @ v / np.linalg.norm(matrix @ v)
        conv(torch.rand(1, 4, 8, 8))
    np.testing.assert_allclose(conv.weight_v.numpy(), v, atol=1e-6)
    np.testing.assert_allclose(conv.weight_u.numpy(), u, atol=1e-6)


def test_evaluation_uses_the_stored_vectors_as_they_are():
    conv = SpectralNormConv2d(4, 6, 3, stride=1, padding=1).eval()
    u, v = conv.weight_u.clone(), conv.weight_v.clone()
    weight = conv.normalised_weight()
    assert torch.equal(conv.weight_u, u)
    assert torch.equal(conv.weight_v, v)
    torch.testing.assert_close(weight, conv.weight_orig / (u @ conv.weight_orig.flatten(1) @ v))


@pytest.mark.filterwarnings("ignore")
def test_agrees_with_pytorchs_hook(image):
    ours = SpectralNormConv2d(3, 6, 4, stride=2, padding=1)
    hooked = torch.nn.utils.spectral_norm(torch.nn.Conv2d(3, 6, 4, stride=2, padding=1, bias=False))
    hooked.load_state_dict(ours.state_dict())
    for _ in range(2):
        torch.testing.assert_close(ours(image), hooked(image))
    ours(image).square().mean().backward()
    hooked(image).square().mean().backward()
    torch.testing.assert_close(ours.weight_orig.grad, hooked.weight_orig.grad)


def test_two_forwards_before_one_backward(image):
    discriminator = PatchDiscriminator(width=8)
    (discriminator(image)[0].mean() - discriminator(1 - image)[0].mean()).backward()
    assert all(parameter.grad.isfinite().all() for parameter in discriminator.parameters())


def test_probabilities_stay_in_full_precision(image):
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert PatchDiscriminator(width=8)(image)[0].dtype == torch.float32
