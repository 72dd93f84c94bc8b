"""Irregular masks: binarised once, polarity checked, grouped into six bins by their measured hole ratio.

A mask file shows missing pixels in white or in black; which one is declared in `params.yaml`. From here on,
1 (white in the stored files) is a hole.
"""

import struct
import zlib
from pathlib import Path

import numpy as np
from PIL import Image, ImageChops

from spl.common.errors import DataError
from spl.data.images import load_image, read_file

RATIO_BINS = ("00-10", "10-20", "20-30", "30-40", "40-50", "50-60")
"""Names of the bins (0, 0.1], (0.1, 0.2], ..., (0.5, 0.6], in percent of missing pixels."""

_EDGES = np.arange(7) / 10

MIN_MASK_SIDE = 32
"""The smallest network input; a smaller mask would have to be enlarged."""

# Share of pixels that may have a grey of 64 .. 191. Measured: irregular masks of the miniature world and of NVIDIA's
# kind, at 64 to 512 pixels, hard or antialiased by any of Pillow's filters, as PNG or JPEG of quality 50 to 95, have
# 13.4 % at most (64 pixels, bilinear; 2 % at 512); real photographs 19 % at least, drawn images 54 %.
MAX_GREYS = 0.15

MAX_COLOURED = 0.001
"""Share of pixels whose channels may differ by more than 32 of 255: grey saved as colour JPEG has none at all."""


def ratio_bin(hole_ratio: float) -> str | None:
    """Return the name of the bin that a hole ratio in [0, 1] falls into; None for 0 and for more than 0.6.

    Upper edges belong to their bin: 0.1 is in `00-10`.

    >>> [ratio_bin(ratio) for ratio in (0.0, 0.1, 0.11, 0.6, 0.61)]
    [None, '00-10', '10-20', '50-60', None]
    """
    # Ratios are counts over pixels, so 1e-9 only absorbs the rounding of an edge such as 3 / 10.
    index = int(np.searchsorted(_EDGES, hole_ratio - 1e-9)) - 1
    return RATIO_BINS[index] if 0 <= index < len(RATIO_BINS) else None


def read_mask(path: str | Path, hole: str) -> np.ndarray:
    """Read and binarise a mask at half of the range.

    Shapes: returns (H, W) bool, True = hole. Raises: DataError if the file is not a readable mask.
    """
    return decode_mask(read_file(path), path, hole)


def decode_mask(content: bytes, name: str | Path, hole: str) -> np.ndarray:
    """Decode and binarise a mask at half of the range.

    Shapes: returns (H, W) bool, True = hole. Raises: DataError if the bytes are no readable image, or it is no mask.
    """
    mask, reason = measure_mask(content, name, hole)
    if reason:
        remedy = "Flatten it onto one colour." if reason == "transparent" else "Replace or remove it."
        raise DataError(f"{name} is no mask ({reason}); expected black and white, without colours. {remedy}")
    return mask


def measure_mask(content: bytes, name: str | Path, hole: str) -> tuple[np.ndarray, str]:
    """Decode and binarise a mask, or tell why the image is none: the reason is "" if it is one.

    Shapes: returns (H, W) bool, True = hole; all False if there is a reason.
    Raises: DataError if the bytes are no readable image.
    """
    image = load_image(content, name)
    grey = np.asarray(image if image.mode in ("1", "L") else image.convert("L"))
    if reason := _no_mask(image, grey):
        return np.zeros(grey.shape, bool), reason
    white = grey.view(np.uint8) > 127  # True of a 1-bit image is 255 in memory, which some libraries take for a number
    return white if hole == "white" else ~white, ""


def encode_mask(mask: np.ndarray) -> bytes:
    """Return a mask as a PNG of 1 bit a pixel, white = hole; several times quicker than Pillow's encoder.

    Shapes: mask (H, W) bool.
    """
    height, width = mask.shape
    bits = np.packbits(mask, axis=1)
    # Every row begins with its filter, 2: the difference to the row above. Little but runs of zeros is left of a mask.
    rows = np.full((height, 1 + bits.shape[1]), 2, np.uint8)
    rows[:, 1:] = bits
    rows[1:, 1:] -= bits[:-1]
    packer = zlib.compressobj(1, strategy=zlib.Z_RLE)
    packed = packer.compress(rows.tobytes()) + packer.flush()
    header = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)  # 1 bit of grey, not interlaced
    chunks = ((b"IHDR", header), (b"IDAT", packed), (b"IEND", b""))
    parts = (
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)) for kind, data in chunks
    )
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def _no_mask(image: Image.Image, grey: np.ndarray) -> str:
    """Tell why an image is no mask, "" if it is one."""
    if min(grey.shape) < MIN_MASK_SIDE:
        return f"smaller than {MIN_MASK_SIDE} pixels"
    if image.mode == "RGBA":
        return "transparent"
    if image.mode == "RGB" and _coloured(image):
        return "coloured"
    # 64 .. 191, by the wrap-around of 8 bits: one pass and no copy in a wider type.
    if grey.dtype != bool and np.count_nonzero(grey + np.uint8(64) >= 128) > MAX_GREYS * grey.size:
        return "not black and white"
    deep = image.info["stored"].deep
    highest = 256 * int(grey.max()) + 255 if deep else int(grey.max())
    if grey.dtype != bool and 0 < highest < (32768 if deep else 128):
        return f"without a grey above {highest}{' of 65535' if deep else ''}: values 0 and {highest}?"
    return ""


def _coloured(image: Image.Image) -> bool:
    red, green, blue = image.split()
    highest = ImageChops.lighter(ImageChops.lighter(red, green), blue)
    lowest = ImageChops.darker(ImageChops.darker(red, green), blue)
    spread = ImageChops.subtract(highest, lowest).histogram()
    return sum(spread[33:]) > MAX_COLOURED * sum(spread)
