import numpy as np
import pytest
import torch

from spl.errors import DataError
from spl.training.losses import (
    adversarial_loss,
    discriminator_loss,
    hole_normalised_l1,
    image_loss,
    prior_loss,
)


@pytest.fixture
def batch():
    generator = torch.Generator().manual_seed(0)
    output, image = torch.rand(2, 2, 3, 8, 12, generator=generator)
    mask = (torch.rand(2, 1, 8, 12, generator=generator) > 0.7).float()
    return output, image, mask


def test_image_loss(batch):
    output, image, mask = (tensor.numpy() for tensor in batch)
    expected = np.mean(np.abs(output - image) * (1 + 5 * mask))
    assert image_loss(*batch, delta=5.0).item() == pytest.approx(expected, rel=1e-6)


def test_prior_loss_shrinks_the_mask_by_picking_every_fourth_pixel(batch):
    mask = batch[2]
    prior, features = torch.randn(2, 2, 7, 2, 3, generator=torch.Generator().manual_seed(1))
    expected = np.mean(np.abs(prior.numpy() - features.numpy()) * (1 + 3 * mask.numpy()[:, :, ::4, ::4]))
    assert prior_loss(prior, features, mask, alpha=3.0).item() == pytest.approx(expected, rel=1e-6)


def test_prior_loss_refuses_another_teacher(batch):
    with pytest.raises(DataError, match="this teacher's channels"):
        prior_loss(torch.zeros(2, 7, 2, 3), torch.zeros(2, 1, 2, 3), batch[2], alpha=3.0)


def test_hole_normalised_l1(batch):
    output, image, mask = (tensor.numpy() for tensor in batch)
    expected = np.mean(np.abs(image - (output * mask + image * (1 - mask)))) / np.mean(mask)
    assert hole_normalised_l1(*batch).item() == pytest.approx(expected, rel=1e-6)


def test_hole_normalised_l1_of_a_batch_without_a_hole_is_zero(batch):
    output, image, mask = batch
    assert hole_normalised_l1(output, image, torch.zeros_like(mask)).item() == 0


def test_adversarial_loss_is_the_log_of_the_probability():
    probabilities = torch.tensor([[0.2, 0.9]])
    real, fake = adversarial_loss(probabilities, real=True), adversarial_loss(probabilities, real=False)
    assert real.item() == pytest.approx(-np.mean(np.log([0.2, 0.9])))
    assert fake.item() == pytest.approx(-np.mean(np.log([0.8, 0.1])))
    assert discriminator_loss(real, fake, reduction="sum").item() == pytest.approx((real + fake).item())
    assert discriminator_loss(real, fake, reduction="mean").item() == pytest.approx((real + fake).item() / 2)


def test_adversarial_loss_is_in_full_precision_under_autocast():
    with torch.autocast("cpu", dtype=torch.bfloat16):
        loss = adversarial_loss(torch.full((4,), 0.5, dtype=torch.bfloat16), real=True)
    assert loss.dtype == torch.float32
