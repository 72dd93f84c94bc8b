"""Metrics agree with scikit-image and with three lines of NumPy."""

from functools import partial
from itertools import product

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

from spl.config.experiment import Evaluation
from spl.evaluation.metrics import mae, mae_hole, mae_rgb, measure, psnr, psnr_hole, ssim, ssim_gaussian
from spl.tensors.compositing import composite, quantise

sides = st.integers(11, 50)  # more than one strip


def draw_pair(seed=0, shape=(24, 24), noise=20):
    """A noisy image and the image, (H, W, 3) uint8."""
    rng = np.random.default_rng(seed)
    image = rng.integers(0, 256, (*shape, 3)).astype(np.uint8)
    return np.clip(image + rng.normal(0, noise, image.shape), 0, 255).astype(np.uint8), image


def draw_mask(image, seed=0, share=0.3):
    """Scattered holes, at least one pixel."""
    mask = np.random.default_rng(seed).random(image.shape[:2]) < share
    mask[0, 0] = True
    return mask


@given(seed=st.integers(0, 1000), height=sides, width=sides, noise=st.floats(1, 80))
def test_psnr_and_both_ssim_agree_with_scikit_image(seed, height, width, noise):
    a, b = draw_pair(seed, (height, width), noise)
    assert psnr(a, b) == pytest.approx(peak_signal_noise_ratio(b, a, data_range=255), rel=1e-9)
    similarity = partial(structural_similarity, a, b, channel_axis=2, data_range=255)
    assert ssim(a, b) == pytest.approx(similarity(win_size=11), abs=1e-9)
    gaussian = similarity(gaussian_weights=True, sigma=1.5, use_sample_covariance=False)
    assert ssim_gaussian(a, b) == pytest.approx(gaussian, abs=1e-9)


def test_sums_of_the_brightest_images_do_not_overflow():
    white = np.full((24, 24, 3), 255, dtype=np.uint8)
    for other in (white - 1, 0 * white):
        expected = structural_similarity(white, other, win_size=11, channel_axis=2, data_range=255)
        assert ssim(white, other) == pytest.approx(expected, abs=1e-9)


def test_mae_takes_the_channel_mean_first_as_the_released_code_does():
    composited, image = draw_pair()
    a, b = composited.astype(float), image.astype(float)
    assert mae(composited, image) == pytest.approx(np.abs(a.mean(2) - b.mean(2)).mean() / 255)
    assert mae_rgb(composited, image) == pytest.approx(np.abs(a - b).mean() / 255)


def test_metrics_of_the_hole_see_its_pixels_only():
    composited, image = draw_pair()
    mask = draw_mask(image)
    a, b = composited[mask], image[mask]
    assert psnr_hole(composited, image, mask) == pytest.approx(peak_signal_noise_ratio(b, a, data_range=255), rel=1e-9)
    assert mae_hole(composited, image, mask) == pytest.approx(np.abs(a.astype(float) - b).mean() / 255, rel=1e-9)


def test_without_a_hole_its_metrics_are_no_numbers():
    composited, image = draw_pair()
    for metric, other in product((psnr_hole, mae_hole), (composited, image)):
        assert np.isnan(metric(other, image, np.zeros((24, 24), dtype=bool)))


def test_every_column_is_the_metric_of_its_name():
    composited, image = draw_pair()
    found = measure(composited, image, mask := draw_mask(image))
    assert list(found) == ["psnr", "ssim", "mae", "mae_rgb", "ssim_gaussian", "psnr_hole", "mae_hole"]
    assert found["mae_rgb"] == mae_rgb(composited, image)
    assert found["psnr_hole"] == psnr_hole(composited, image, mask)


def test_equal_images_have_infinite_psnr_ssim_one_and_no_error():
    _, image = draw_pair()
    for name, value in measure(image, image, draw_mask(image)).items():
        best = np.inf if name.startswith("psnr") else 1 if name.startswith("ssim") else 0
        assert value == pytest.approx(best)


PINNED = {1: {
    "psnr": 32.933191905, "ssim": 0.990612002052, "mae": 0.00583242556282, "mae_rgb": 0.00799745824256,
    "ssim_gaussian": 0.978539143068, "psnr_hole": 25.8597515057, "mae_hole": 0.0407658048470,
}}  # fmt: skip
"""By version."""


def test_a_value_that_moves_raises_the_version():
    """Everything between a network's output and the table: composited, quantised, measured."""
    rows, columns = torch.meshgrid(torch.arange(24), torch.arange(24), indexing="ij")
    image = torch.stack([(7 * rows + 11 * columns) % 256, (rows * columns) % 256, (13 * rows) % 256])[None] / 255
    mask = ((rows - 9).abs() + (columns - 12).abs() < 8).float()[None, None]
    output = (image * 0.8 + columns / 100).clamp(0, 1)
    pixels = [quantise(x)[0].permute(1, 2, 0).contiguous().numpy() for x in (composite(output, image, mask), image)]
    found = measure(*pixels, mask[0, 0].bool().numpy())
    pinned = PINNED[Evaluation.metrics]
    moved = [name for name, value in pinned.items() if found[name] != pytest.approx(value, rel=1e-9)]
    assert not moved, "numbers moved: raise the version, `metrics` of Evaluation in spl/config/experiment.py"


def test_quantisation_truncates_and_keeps_every_8_bit_code():
    codes = torch.arange(256, dtype=torch.uint8)
    assert torch.equal(quantise(codes.float() / 255), codes)
    assert quantise(torch.tensor([0.999, 1.7, -0.3, 0.5])).tolist() == [254, 255, 0, 127]
