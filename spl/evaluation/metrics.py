"""Image metrics, one number per image, in the convention of the released evaluator.

All take 8-bit images: Table 1 quantises the composited image by truncation. Shapes: (B, 3, H, W) uint8; each
metric returns (B,) float64.
"""

import torch
import torch.nn.functional as F
from torch import Tensor


def quantise(image: Tensor) -> Tensor:
    """Turn [0, 1] into 8 bits by truncation; pictures that came from 8 bits survive exactly.

    Shapes: (B, 3, H, W) float, returns uint8. Values outside the range are clamped first.
    """
    return (image.clamp(0, 1) * 255).to(torch.uint8)


def psnr(composited: Tensor, image: Tensor) -> Tensor:
    """Return the peak signal-to-noise ratio in dB over all channels, range 255; infinite for equal images."""
    mse = (composited.double() - image.double()).square().mean(dim=(1, 2, 3))
    return 10 * torch.log10(255**2 / mse)


def ssim(composited: Tensor, image: Tensor, window: int = 11) -> Tensor:
    """Return structural similarity: uniform window, per channel, sample covariance, range 255.

    Windows that leave the picture do not count. Agrees with `skimage.metrics.structural_similarity(win_size=11,
    channel_axis=..., data_range=255)`.
    """
    x, y = composited.double(), image.double()

    def mean(values: Tensor) -> Tensor:
        return F.avg_pool2d(values, window, stride=1)  # (B, 3, H - 10, W - 10)

    sample = window**2 / (window**2 - 1)
    mean_x, mean_y = mean(x), mean(y)
    var_x = sample * (mean(x * x) - mean_x**2)
    var_y = sample * (mean(y * y) - mean_y**2)
    cov = sample * (mean(x * y) - mean_x * mean_y)
    c1, c2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
    similarity = (2 * mean_x * mean_y + c1) * (2 * cov + c2) / ((mean_x**2 + mean_y**2 + c1) * (var_x + var_y + c2))
    return similarity.mean(dim=(1, 2, 3))


def mae(composited: Tensor, image: Tensor) -> Tensor:
    """Return the paper's "mean l1" in [0, 1]: absolute difference of the channel means, as the released code does."""
    difference = composited.double().mean(dim=1) - image.double().mean(dim=1)
    return difference.abs().mean(dim=(1, 2)) / 255


def mae_rgb(composited: Tensor, image: Tensor) -> Tensor:
    """Return the usual mean absolute error over all channels in [0, 1]; never smaller than `mae`."""
    return (composited.double() - image.double()).abs().mean(dim=(1, 2, 3)) / 255


METRICS = {"psnr": psnr, "ssim": ssim, "mae": mae, "mae_rgb": mae_rgb}
"""Every metric of `per_image.csv`, by its column's name."""
