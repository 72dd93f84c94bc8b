import torch

from spl.models.discriminator import PatchDiscriminator


def test_maps():
    discriminator = PatchDiscriminator()
    with torch.no_grad():
        probabilities, features = discriminator(torch.rand(1, 3, 256, 256))
    assert probabilities.shape == (1, 1, 30, 30)
    assert [feature.shape[1] for feature in features] == [64, 128, 256, 512, 1]
    assert torch.equal(probabilities, torch.sigmoid(features[-1]))


def test_two_forwards_before_one_backward(image):
    discriminator = PatchDiscriminator(width=8)
    (discriminator(image)[0].mean() - discriminator(1 - image)[0].mean()).backward()
    assert all(parameter.grad.isfinite().all() for parameter in discriminator.parameters())


def test_probabilities_stay_in_full_precision(image):
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert PatchDiscriminator(width=8)(image)[0].dtype == torch.float32
