"""Metrics agree with scikit-image and with three lines of NumPy."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

from spl.config.experiment import Evaluation
from spl.evaluation.metrics import mae, mae_hole, mae_rgb, measure, psnr, psnr_hole, ssim, ssim_gaussian
from spl.tensors.compositing import composite, quantise


def image_pairs(seed=0, count=3, size=24, noise=20):
    rng = np.random.default_rng(seed)
    images = rng.integers(0, 256, (count, 3, size, size)).astype(np.uint8)
    noisy = np.clip(images + rng.normal(0, noise, images.shape), 0, 255).astype(np.uint8)
    return torch.from_numpy(noisy), torch.from_numpy(images)


def draw_masks(images, seed=0, share=0.3):
    """Scattered holes, at least one pixel each."""
    generator = torch.Generator().manual_seed(seed)
    masks = (torch.rand(len(images), 1, *images.shape[2:], generator=generator) < share).float()
    masks[:, :, 0, 0] = 1
    return masks


@given(seed=st.integers(0, 1000), size=st.integers(11, 40), noise=st.floats(1, 80))
def test_psnr_and_ssim_agree_with_scikit_image(seed, size, noise):
    composited, images = image_pairs(seed, 2, size, noise)
    for i in range(2):
        a, b = composited[i].permute(1, 2, 0).numpy(), images[i].permute(1, 2, 0).numpy()
        assert psnr(composited, images)[i] == pytest.approx(peak_signal_noise_ratio(b, a, data_range=255), rel=1e-9)
        expected = structural_similarity(a, b, win_size=11, channel_axis=2, data_range=255)
        assert ssim(composited, images)[i] == pytest.approx(expected, abs=1e-9)


@given(seed=st.integers(0, 1000), height=st.integers(11, 40), width=st.integers(11, 40), noise=st.floats(1, 80))
def test_gaussian_ssim_agrees_with_scikit_image(seed, height, width, noise):
    composited, images = (x[..., :height, :width] for x in image_pairs(seed, 2, 40, noise))
    for i in range(2):
        a, b = composited[i].permute(1, 2, 0).numpy(), images[i].permute(1, 2, 0).numpy()
        expected = structural_similarity(
            a, b, gaussian_weights=True, sigma=1.5, use_sample_covariance=False, channel_axis=2, data_range=255
        )
        assert ssim_gaussian(composited, images)[i] == pytest.approx(expected, abs=1e-9)


def test_mae_takes_the_channel_mean_first_as_the_released_code_does():
    composited, images = image_pairs()
    a, b = composited.numpy().astype(float), images.numpy().astype(float)
    assert mae(composited, images).numpy() == pytest.approx(np.abs(a.mean(1) - b.mean(1)).mean((1, 2)) / 255)
    assert mae_rgb(composited, images).numpy() == pytest.approx(np.abs(a - b).mean((1, 2, 3)) / 255)


def test_metrics_of_the_hole_see_its_pixels_only():
    composited, images = image_pairs()
    masks = draw_masks(images)
    found = psnr_hole(composited, images, masks), mae_hole(composited, images, masks)
    for i in range(len(images)):
        inside = masks[i, 0].numpy() == 1
        a, b = composited[i].numpy()[:, inside], images[i].numpy()[:, inside]
        assert found[0][i] == pytest.approx(peak_signal_noise_ratio(b, a, data_range=255), rel=1e-9)
        assert found[1][i] == pytest.approx(np.abs(a.astype(float) - b.astype(float)).mean() / 255, rel=1e-9)


def test_without_a_hole_its_metrics_are_no_numbers():
    composited, images = image_pairs()
    masks = draw_masks(images)
    masks[1] = 0
    for metric in (psnr_hole, mae_hole):
        assert torch.isnan(metric(composited, images, masks)).tolist() == [False, True, False]
        assert torch.isnan(metric(images, images, masks)).tolist() == [False, True, False]


def test_every_column_is_the_metric_of_its_name():
    composited, images = image_pairs()
    masks = draw_masks(images)
    found = measure(composited, images, masks)
    assert list(found) == ["psnr", "ssim", "mae", "mae_rgb", "ssim_gaussian", "psnr_hole", "mae_hole"]
    assert {values.dtype for values in found.values()} == {torch.float64}
    assert torch.equal(found["mae_rgb"], mae_rgb(composited, images))
    assert torch.equal(found["psnr_hole"], psnr_hole(composited, images, masks))


def test_equal_images_have_infinite_psnr_ssim_one_and_no_error():
    _, images = image_pairs()
    masks = draw_masks(images)
    for name, values in measure(images, images, masks).items():
        best = np.inf if name.startswith("psnr") else 1 if name.startswith("ssim") else 0
        assert values.numpy() == pytest.approx(best)


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
    found = measure(quantise(composite(output, image, mask)), quantise(image), mask)
    pinned = PINNED[Evaluation.metrics]
    moved = [name for name, value in pinned.items() if found[name].item() != pytest.approx(value, rel=1e-9)]
    assert not moved, "numbers moved: raise the version, `metrics` of Evaluation in spl/config/experiment.py"


def test_quantisation_truncates_and_keeps_every_8_bit_code():
    codes = torch.arange(256, dtype=torch.uint8)
    assert torch.equal(quantise(codes.float() / 255), codes)
    assert quantise(torch.tensor([0.999, 1.7, -0.3, 0.5])).tolist() == [254, 255, 0, 127]
