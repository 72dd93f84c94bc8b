"""Image metrics, one number per image; the first three are Table 1's, in the convention of the released evaluator.

All take 8-bit images: Table 1 quantises the composited image by truncation. Shapes: composited, image (H, W, 3) uint8;
mask (H, W) bool, True = hole. They run on the processor wherever the network runs, in as many threads as there are
images at a time, since OpenCV lets other threads run. Their version is `metrics` of `Evaluation` in
spl/config/experiment.py: raise it when a value moves.
"""

import math
from collections.abc import Callable

import cv2
import numpy as np

WINDOW = 11
"""Side of SSIM's window in pixels, uniform or Gaussian."""

SIGMA = 1.5
"""Standard deviation of SSIM's Gaussian window in pixels."""

STRIP = 64
"""Rows that SSIM works on at a time: few enough that all their sums stay in the processor's cache."""


def measure(composited: np.ndarray, image: np.ndarray, mask: np.ndarray) -> dict[str, float]:
    """Return every metric of `per_image.csv` by its column's name."""
    whole = (psnr, ssim, mae, mae_rgb, ssim_gaussian)
    hole = (psnr_hole, mae_hole)
    found = {metric.__name__: metric(composited, image) for metric in whole}
    return found | {metric.__name__: metric(composited, image, mask) for metric in hole}


def psnr(composited: np.ndarray, image: np.ndarray) -> float:
    """Return the peak signal-to-noise ratio in dB over all channels, range 255; infinite for equal images.

    >>> image = np.full((4, 4, 3), 100, dtype=np.uint8)
    >>> round(psnr(image + 10, image), 4)
    28.1308
    """
    return psnr_hole(composited, image, np.ones(image.shape[:2], dtype=bool))


def psnr_hole(composited: np.ndarray, image: np.ndarray, mask: np.ndarray) -> float:
    """Return the peak signal-to-noise ratio in dB over the hole's pixels; NaN where there is no hole."""
    mse = _mean_error(composited, image, mask, cv2.NORM_L2SQR)
    return 10 * math.log10(255**2 / mse) if mse else math.inf


def ssim(composited: np.ndarray, image: np.ndarray) -> float:
    """Return structural similarity: uniform window, per channel, sample covariance, range 255.

    Agrees with `skimage.metrics.structural_similarity(win_size=11, channel_axis=..., data_range=255)`.
    """
    n = WINDOW**2

    def total(x: np.ndarray) -> np.ndarray:  # running sums; those of squares and their products stay below 2^31
        return cv2.boxFilter(x, -1, (WINDOW, WINDOW), normalize=False)

    return _similarity(composited.astype(np.int32), image.astype(np.int32), total, n, n * (n - 1))


def ssim_gaussian(composited: np.ndarray, image: np.ndarray) -> float:
    """Return structural similarity as its authors define it: Gaussian window, per channel, range 255.

    Paper: Wang et al. 2004. Agrees with `skimage.metrics.structural_similarity(gaussian_weights=True, sigma=1.5,
    use_sample_covariance=False, channel_axis=..., data_range=255)`.
    """
    weights = cv2.getGaussianKernel(WINDOW, SIGMA)

    def mean(x: np.ndarray) -> np.ndarray:
        return cv2.sepFilter2D(x, -1, weights, weights)

    return _similarity(composited.astype(np.float64), image.astype(np.float64), mean, 1, 1)


def mae(composited: np.ndarray, image: np.ndarray) -> float:
    """Return the paper's "mean l1" in [0, 1]: absolute difference of the channel means, as the released code does."""
    difference = composited.astype(np.int16) - image
    return float(np.abs(difference[..., 0] + difference[..., 1] + difference[..., 2]).mean() / (3 * 255))


def mae_rgb(composited: np.ndarray, image: np.ndarray) -> float:
    """Return the usual mean absolute error over all channels in [0, 1]; never smaller than `mae`."""
    return mae_hole(composited, image, np.ones(image.shape[:2], dtype=bool))


def mae_hole(composited: np.ndarray, image: np.ndarray, mask: np.ndarray) -> float:
    """Return the mean absolute error over the hole's pixels, all channels, in [0, 1]; NaN where there is no hole."""
    return _mean_error(composited, image, mask, cv2.NORM_L1) / 255


def _mean_error(composited: np.ndarray, image: np.ndarray, mask: np.ndarray, norm: int) -> float:
    """Average the hole's errors, absolute or squared, over all channels."""
    count = 3 * np.count_nonzero(mask)
    return cv2.norm(composited, image, norm, mask.view(np.uint8)) / count if count else math.nan


def _similarity(
    x: np.ndarray, y: np.ndarray, total: Callable[[np.ndarray], np.ndarray], weight: int, pairs: int
) -> float:
    """Average the similarity of all windows that lie within the image.

    `total` sums every window, of `weight` pixels; variances are divided by `pairs` / `weight`.
    """
    margin, strips = WINDOW // 2, []

    def inner(values: np.ndarray) -> np.ndarray:
        return total(values)[margin:-margin, margin:-margin]

    c1, c2 = (0.01 * 255) ** 2 * weight**2, (0.03 * 255) ** 2 * pairs
    for top in range(0, len(x) - 2 * margin, STRIP):
        a, b = (image[top : top + STRIP + 2 * margin] for image in (x, y))
        sum_a, sum_b = inner(a), inner(b)
        product, squares = sum_a * sum_b, sum_a * sum_a + sum_b * sum_b
        covariance, variances = weight * inner(a * b) - product, weight * inner(a * a + b * b) - squares
        similarity = (2.0 * product + c1) * (2.0 * covariance + c2) / ((squares + c1) * (variances + c2))
        strips.append(similarity.sum(dtype=np.float64))
    return float(sum(strips) / ((x.shape[0] - 2 * margin) * (x.shape[1] - 2 * margin) * x.shape[2]))
