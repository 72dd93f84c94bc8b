"""Classical fills of one image: no weights, and no torch."""

import cv2
import numpy as np
from skimage import restoration  # what is not called is not imported

from spl.common.errors import DataError
from spl.config.methods import BiharmonicFill, ClassicalFill, DiffusionFill, PatchMatchFill

FILLS: dict[str, ClassicalFill] = {
    "telea": DiffusionFill(recipe="telea", radius=3),
    "navier_stokes": DiffusionFill(recipe="navier_stokes", radius=3),
    "biharmonic": BiharmonicFill(recipe="biharmonic"),
    "patchmatch": PatchMatchFill(recipe="patchmatch", radius=3),
}
"""As they are taken where no experiment says otherwise."""

_OPENCV_FLAGS = {"telea": cv2.INPAINT_TELEA, "navier_stokes": cv2.INPAINT_NS}


def classical_fill(image: np.ndarray, mask: np.ndarray, settings: ClassicalFill) -> np.ndarray:
    """Fill by what is outside the hole: OpenCV's diffusions, scikit-image's biharmonic fill, or PatchMatch.

    Shapes: image (H, W, 3) uint8; mask (H, W) bool, True = hole; returns (H, W, 3) uint8.
    Raises: DataError if PatchMatch is not installed.
    """
    if isinstance(settings, DiffusionFill):
        return cv2.inpaint(image, mask.astype(np.uint8), settings.radius, _OPENCV_FLAGS[settings.recipe])
    if isinstance(settings, PatchMatchFill):
        return _patchmatch(image, mask, settings.radius)
    filled = restoration.inpaint_biharmonic(image, mask, channel_axis=-1)  # float in [0, 1]
    return np.rint(filled.clip(0, 1) * 255).astype(np.uint8)


def _patchmatch(image: np.ndarray, mask: np.ndarray, radius: int) -> np.ndarray:
    """Fill with patches from outside the hole (Barnes et al. 2009); equal inputs give equal results."""
    try:
        import patchmatch

        return patchmatch.inpaint(np.ascontiguousarray(image), mask, patch_size=radius)
    except (ImportError, RuntimeError) as error:
        raise DataError(f"patchmatch: {error}. Install it: pip install 'pypatchmatch>=2.2'") from None
