"""Image metrics, one number per image; the first three are Table 1's, in the convention of the released evaluator.

All take 8-bit images: Table 1 quantises the composited image by truncation. Shapes: composited, image (B, 3, H, W)
uint8; mask (B, 1, H, W), 1 = hole; each metric returns (B,) float64. Their version is `metrics` of `Evaluation` in
spl/config/experiment.py: raise it when a value moves.
"""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

WINDOW = 11
"""Side of SSIM's window in pixels, uniform or Gaussian."""

SIGMA = 1.5
"""Standard deviation of SSIM's Gaussian window in pixels."""


def measure(composited: Tensor, image: Tensor, mask: Tensor) -> dict[str, Tensor]:
    """Return every metric of `per_image.csv` by its column's name."""
    whole = (psnr, ssim, mae, mae_rgb, ssim_gaussian)
    hole = (psnr_hole, mae_hole)
    found = {metric.__name__: metric(composited, image) for metric in whole}
    return found | {metric.__name__: metric(composited, image, mask) for metric in hole}


def psnr(composited: Tensor, image: Tensor) -> Tensor:
    """Return the peak signal-to-noise ratio in dB over all channels, range 255; infinite for equal images.

    >>> image = torch.full((1, 3, 4, 4), 100, dtype=torch.uint8)
    >>> psnr(image + 10, image)
    tensor([28.1308], dtype=torch.float64)
    """
    return _decibels((composited.double() - image.double()).square().mean(dim=(1, 2, 3)))


def psnr_hole(composited: Tensor, image: Tensor, mask: Tensor) -> Tensor:
    """Return the peak signal-to-noise ratio in dB over the hole's pixels; NaN where there is no hole."""
    return _decibels(_hole_mean((composited.double() - image.double()).square(), mask))


def ssim(composited: Tensor, image: Tensor) -> Tensor:
    """Return structural similarity: uniform window, per channel, sample covariance, range 255.

    Agrees with `skimage.metrics.structural_similarity(win_size=11, channel_axis=..., data_range=255)`.
    """
    sample = WINDOW**2 / (WINDOW**2 - 1)
    return _similarity(composited.double(), image.double(), lambda x: F.avg_pool2d(x, WINDOW, stride=1), sample)


def ssim_gaussian(composited: Tensor, image: Tensor) -> Tensor:
    """Return structural similarity as its authors define it: Gaussian window, per channel, range 255.

    Paper: Wang et al. 2004. Agrees with `skimage.metrics.structural_similarity(gaussian_weights=True, sigma=1.5,
    use_sample_covariance=False, channel_axis=..., data_range=255)`.
    """
    offsets = torch.arange(WINDOW, dtype=torch.float64, device=image.device) - WINDOW // 2
    weights = torch.exp(-(offsets**2) / (2 * SIGMA**2))
    weights = (weights / weights.sum()).expand(3, 1, 1, WINDOW)

    def mean(x: Tensor) -> Tensor:
        return F.conv2d(F.conv2d(x, weights, groups=3), weights.mT, groups=3)

    return _similarity(composited.double(), image.double(), mean, 1)


def mae(composited: Tensor, image: Tensor) -> Tensor:
    """Return the paper's "mean l1" in [0, 1]: absolute difference of the channel means, as the released code does."""
    difference = composited.double().mean(dim=1) - image.double().mean(dim=1)
    return difference.abs().mean(dim=(1, 2)) / 255


def mae_rgb(composited: Tensor, image: Tensor) -> Tensor:
    """Return the usual mean absolute error over all channels in [0, 1]; never smaller than `mae`."""
    return (composited.double() - image.double()).abs().mean(dim=(1, 2, 3)) / 255


def mae_hole(composited: Tensor, image: Tensor, mask: Tensor) -> Tensor:
    """Return the mean absolute error over the hole's pixels, all channels, in [0, 1]; NaN where there is no hole."""
    return _hole_mean((composited.double() - image.double()).abs(), mask) / 255


def _decibels(mse: Tensor) -> Tensor:
    return 10 * torch.log10(255**2 / mse)


def _hole_mean(values: Tensor, mask: Tensor) -> Tensor:
    """Average (B, 3, H, W) over channels and hole pixels; 0 / 0 = NaN where there is no hole."""
    return (values * mask).sum(dim=(1, 2, 3)) / (values.shape[1] * mask.double().sum(dim=(1, 2, 3)))


def _similarity(x: Tensor, y: Tensor, mean: Callable[[Tensor], Tensor], sample: float) -> Tensor:
    """Average the similarity of all windows that lie within the image.

    `mean` averages within every window, (B, 3, H, W) -> (B, 3, H - 10, W - 10); variances are multiplied by `sample`.
    """
    mean_x, mean_y = mean(x), mean(y)
    var_x = sample * (mean(x * x) - mean_x**2)
    var_y = sample * (mean(y * y) - mean_y**2)
    cov = sample * (mean(x * y) - mean_x * mean_y)
    c1, c2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
    similarity = (2 * mean_x * mean_y + c1) * (2 * cov + c2) / ((mean_x**2 + mean_y**2 + c1) * (var_x + var_y + c2))
    return similarity.mean(dim=(1, 2, 3))
