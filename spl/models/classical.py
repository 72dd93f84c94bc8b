"""Classical fills: the floor that a learned method has to beat."""

from collections.abc import Callable

import cv2
import numpy as np
import torch
from skimage import restoration  # what is not called is not imported
from torch import Tensor

from spl.config.methods import BiharmonicFill, DiffusionFill

_OPENCV_FLAGS = {"telea": cv2.INPAINT_TELEA, "navier_stokes": cv2.INPAINT_NS}


def diffusion_fill(image: np.ndarray, mask: np.ndarray, settings: DiffusionFill) -> np.ndarray:
    """Fill by OpenCV's fast marching (Telea) or Navier-Stokes scheme.

    Shapes: image (H, W, 3) uint8; mask (H, W) bool, True = hole; returns (H, W, 3) uint8.
    """
    return cv2.inpaint(image, mask.astype(np.uint8), settings.radius, _OPENCV_FLAGS[settings.recipe])


def biharmonic_fill(image: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Fill by solving the biharmonic equation in the hole.

    Shapes: image (H, W, 3) uint8; mask (H, W) bool, True = hole; returns (H, W, 3) uint8, rounded.
    """
    filled = restoration.inpaint_biharmonic(image, mask, channel_axis=-1)  # float in [0, 1]
    return np.rint(filled.clip(0, 1) * 255).astype(np.uint8)


def classical_inpainter(settings: DiffusionFill | BiharmonicFill) -> Callable[[Tensor, Tensor], Tensor]:
    """Return a fill with the generators' call: image (B, 3, H, W) in [0, 1] and mask (B, 1, H, W) to an output.

    What the image holds inside the hole is blanked first, so that no fill can peek.
    """

    def fill(image: Tensor, mask: Tensor) -> Tensor:
        outputs = []
        for pixels, hole in zip(image, mask[:, 0].bool().cpu().numpy(), strict=True):
            visible = (pixels * 255).round().byte().permute(1, 2, 0).cpu().numpy().copy()  # (H, W, 3)
            visible[hole] = 0
            if isinstance(settings, BiharmonicFill):
                filled = biharmonic_fill(visible, hole)
            else:
                filled = diffusion_fill(visible, hole, settings)
            outputs.append(torch.from_numpy(filled).permute(2, 0, 1).float() / 255)
        return torch.stack(outputs).to(image.device)

    return fill
