"""The operations on (image, mask) that everything shares. Mask 1 = hole (paper section 3.1)."""

import numpy as np
import torch
from torch import Tensor


def to_image(pixels: np.ndarray) -> Tensor:
    """Turn (H, W, 3) uint8 into a (3, H, W) float tensor in [0, 1]."""
    return torch.from_numpy(np.ascontiguousarray(pixels.transpose(2, 0, 1))).float() / 255


def to_mask(mask: np.ndarray) -> Tensor:
    """Turn (H, W) bool into a (1, H, W) float tensor in {0, 1}, 1 = hole."""
    return torch.from_numpy(np.ascontiguousarray(mask[None])).float()


def mask_out(image: Tensor, mask: Tensor, fill: float | Tensor) -> Tensor:
    """Hide the hole: keep `image` where it is valid and put `fill` where the mask is 1.

    Shapes: image (B, 3, H, W); mask (B, 1, H, W) in {0, 1}; returns (B, 3, H, W).
    """
    return image * (1 - mask) + fill * mask


def composite(output: Tensor, image: Tensor, mask: Tensor) -> Tensor:
    """Take the hole from a generator's `output` and everything else from `image`, exactly.

    Shapes: output, image (B, 3, H, W) in [0, 1]; mask (B, 1, H, W) in {0, 1}; returns (B, 3, H, W).

    >>> mask = torch.tensor([[[[0.0, 1.0]]]])
    >>> composite(torch.full((1, 1, 1, 2), 0.9), torch.full((1, 1, 1, 2), 0.2), mask)
    tensor([[[[0.2000, 0.9000]]]])
    """
    return output * mask + image * (1 - mask)


def quantise(image: Tensor) -> Tensor:
    """Turn [0, 1] into 8 bits by truncation; images that came from 8 bits survive exactly.

    Shapes: (B, 3, H, W) float, returns uint8. Values outside the range are clamped first.
    """
    return image.clamp(0, 1).mul_(255).to(torch.uint8)
