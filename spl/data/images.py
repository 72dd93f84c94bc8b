"""Reading a picture and bringing it to the network's size, by the released code's convention."""

import warnings
from pathlib import Path

import cv2
import numpy as np
from PIL import Image, ImageOps

from spl.errors import DataError

cv2.setNumThreads(1)  # the pools around these functions own the parallelism


def read_rgb(path: str | Path) -> np.ndarray:
    """Read a picture upright as RGB.

    Shapes: returns (H, W, 3) uint8. Raises: DataError if the file is not a readable picture.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        try:
            with Image.open(path) as picture:
                return np.asarray(ImageOps.exif_transpose(picture).convert("RGB"))
        except FileNotFoundError:
            raise DataError(f"{path} does not exist") from None
        except (
            OSError,
            ValueError,
            SyntaxError,
            Image.DecompressionBombError,
            Image.DecompressionBombWarning,
        ) as error:
            raise DataError(f"{path}: expected a readable picture, got: {error}. Replace or remove it.") from None


def centre_crop(image: np.ndarray, side: int) -> np.ndarray:
    """Cut the central square; CelebA's 178 x 218 pictures lose 20 rows above and below (side 178).

    Raises: DataError if the picture is smaller than the square.
    """
    height, width = image.shape[:2]
    if height < side or width < side:
        raise DataError(f"expected at least {side} x {side} pixels for the centre crop, got {width} x {height}")
    top, left = (height - side) // 2, (width - side) // 2
    return image[top : top + side, left : left + side]


def resize_image(image: np.ndarray, size: int) -> np.ndarray:
    """Resize to a square: OpenCV bilinear, no antialiasing, aspect ratio not kept, as the released code does."""
    return cv2.resize(image, (size, size), interpolation=cv2.INTER_LINEAR)


def resize_mask(mask: np.ndarray, size: int) -> np.ndarray:
    """Resize a mask to a square by picking the nearest pixel (row floor(i H / size)), as the released code does."""
    rows = np.arange(size) * mask.shape[0] // size
    columns = np.arange(size) * mask.shape[1] // size
    return mask[rows[:, None], columns]


def decode_rgb(content: bytes, name: str | Path) -> np.ndarray:
    """TEMPORARY until the robust decoder lands."""
    from io import BytesIO

    with Image.open(BytesIO(content)) as picture:
        return np.asarray(ImageOps.exif_transpose(picture).convert("RGB"))
