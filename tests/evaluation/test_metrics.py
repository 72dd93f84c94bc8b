"""Metrics agree with scikit-image and with three lines of NumPy."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

from spl.evaluation.metrics import METRICS, mae, mae_rgb, psnr, quantise, ssim


def picture_pairs(seed=0, count=3, size=24, noise=20):
    rng = np.random.default_rng(seed)
    images = rng.integers(0, 256, (count, 3, size, size)).astype(np.uint8)
    noisy = np.clip(images + rng.normal(0, noise, images.shape), 0, 255).astype(np.uint8)
    return torch.from_numpy(noisy), torch.from_numpy(images)


@given(seed=st.integers(0, 1000), size=st.integers(11, 40), noise=st.floats(1, 80))
def test_psnr_and_ssim_agree_with_scikit_image(seed, size, noise):
    composited, images = picture_pairs(seed, 2, size, noise)
    for i in range(2):
        a, b = composited[i].permute(1, 2, 0).numpy(), images[i].permute(1, 2, 0).numpy()
        assert psnr(composited, images)[i] == pytest.approx(peak_signal_noise_ratio(b, a, data_range=255), rel=1e-9)
        expected = structural_similarity(a, b, win_size=11, channel_axis=2, data_range=255)
        assert ssim(composited, images)[i] == pytest.approx(expected, abs=1e-9)


def test_mae_takes_the_channel_mean_first_as_the_released_code_does():
    composited, images = picture_pairs()
    a, b = composited.numpy().astype(float), images.numpy().astype(float)
    assert mae(composited, images).numpy() == pytest.approx(np.abs(a.mean(1) - b.mean(1)).mean((1, 2)) / 255)
    assert mae_rgb(composited, images).numpy() == pytest.approx(np.abs(a - b).mean((1, 2, 3)) / 255)


@given(seed=st.integers(0, 1000))
def test_channel_mean_mae_is_never_larger_than_rgb_mae(seed):
    composited, images = picture_pairs(seed)
    assert (mae(composited, images) <= mae_rgb(composited, images) + 1e-12).all()


@given(seed=st.integers(0, 1000))
def test_metrics_are_symmetric(seed):
    composited, images = picture_pairs(seed)
    for metric in METRICS.values():
        torch.testing.assert_close(metric(composited, images), metric(images, composited))


def test_equal_pictures_have_infinite_psnr_ssim_one_and_no_error():
    _, images = picture_pairs()
    assert torch.isinf(psnr(images, images)).all()
    assert ssim(images, images).numpy() == pytest.approx(1)
    assert (mae(images, images) == 0).all()


def test_psnr_is_per_image_not_pooled():
    composited, images = picture_pairs()
    composited[0] = images[0] ^ 1
    pooled = 10 * np.log10(255**2 / (composited.double() - images.double()).square().mean().item())
    assert psnr(composited, images).mean().item() != pytest.approx(pooled, rel=0.05)


def test_quantisation_truncates_and_keeps_every_8_bit_code():
    codes = torch.arange(256, dtype=torch.uint8)
    assert torch.equal(quantise(codes.float() / 255), codes)
    assert quantise(torch.tensor([0.999, 1.7, -0.3, 0.5])).tolist() == [254, 255, 0, 127]
