import numpy as np
import pytest
import torch

from spl.common.errors import DataError
from spl.training.losses import (
    adversarial_loss,
    discriminator_loss,
    hole_normalised_l1,
    image_loss,
    perceptual_loss,
    prior_loss,
    relativistic_loss,
    style_loss,
    total_variation,
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


def test_relativistic_loss_measures_each_side_against_the_mean_of_the_other():
    better, worse = torch.randn(2, 4, 1, 2, 3, generator=torch.Generator().manual_seed(0))
    r, f = better.numpy(), worse.numpy()
    expected = (np.mean((r - f.mean() - 1) ** 2) + np.mean((f - r.mean() + 1) ** 2)) / 2
    assert relativistic_loss(better=better, worse=worse).item() == pytest.approx(expected, rel=1e-6)


def test_total_variation(batch):
    image = batch[1].numpy()
    rows = np.mean(np.abs(image[:, :, 1:] - image[:, :, :-1]))
    columns = np.mean(np.abs(image[..., 1:] - image[..., :-1]))
    assert total_variation(batch[1]).item() == pytest.approx(rows + columns, rel=1e-6)


# --- Feature maps -----------------------------------------------------------------------------------------------------


def maps(seed):
    generator = torch.Generator().manual_seed(seed)
    return [torch.randn(2, 4, 6, 5, generator=generator), torch.randn(2, 3, 2, 2, generator=generator)]


def numpy_gram(x):
    """Entry by entry."""
    batch, channels, height, width = x.shape
    gram = np.zeros((batch, channels, channels))
    for b in range(batch):
        for i in range(channels):
            for j in range(channels):
                gram[b, i, j] = np.sum(x[b, i] * x[b, j]) / (channels * height * width)
    return gram


def test_perceptual_and_style_loss():
    ours, theirs = maps(0), maps(1)
    pairs = [(a.numpy(), b.numpy()) for a, b in zip(ours, theirs, strict=True)]
    perceptual = sum(np.mean(np.abs(a - b)) for a, b in pairs)
    style = sum(np.mean(np.abs(numpy_gram(a) - numpy_gram(b))) for a, b in pairs)
    assert perceptual_loss(ours, theirs).item() == pytest.approx(perceptual, rel=1e-5)
    assert style_loss(ours, theirs).item() == pytest.approx(style, rel=1e-5)


@pytest.mark.parametrize(
    "loss",
    [
        lambda ours, theirs: perceptual_loss(ours, theirs),
        lambda ours, theirs: style_loss(ours, theirs),
        lambda ours, theirs: relativistic_loss(better=ours[0], worse=theirs[0]),
        lambda ours, theirs: adversarial_loss(ours[0].sigmoid(), real=True),
    ],
    ids=["perceptual", "style", "relativistic", "adversarial"],
)
def test_losses_are_in_full_precision_under_autocast(loss, bfloat16):
    ours, theirs = ([x.bfloat16() for x in maps(seed)] for seed in (0, 1))
    with bfloat16():
        found = loss(ours, theirs)
    assert found.dtype == torch.float32
    torch.testing.assert_close(found, loss([x.float() for x in ours], [x.float() for x in theirs]), rtol=2e-3, atol=0)


def test_maps_of_different_numbers_are_an_error():
    with pytest.raises(ValueError):
        perceptual_loss(maps(0), maps(1)[:1])
