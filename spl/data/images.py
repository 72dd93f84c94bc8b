"""Reading an image of any kind and bringing it to the network's size by the released convention."""

import codecs
import errno
from collections.abc import Sequence
from contextlib import suppress
from io import BytesIO
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
from PIL import ExifTags, Image, ImageOps, PngImagePlugin, UnidentifiedImageError

from spl.common.errors import DataError
from spl.common.files import foreign_content
from spl.common.names import FORMATS
from spl.sources.listing import Listed
from spl.sources.raw_files import read_place

cv2.setNumThreads(1)  # the pools around these functions own the parallelism
PngImagePlugin.MAX_TEXT_CHUNK = PngImagePlugin.MAX_TEXT_MEMORY = 64 << 20  # drawing programs store their work as text

MAX_BYTES = 1 << 30
"""Larger files are not read: as many pixels as Pillow allows, with four channels of 16 bits, have 0.7 GB."""

MIN_SIDE = 16
"""Smaller files are web pages' counting pixels and icons: half of the smallest network input, 32."""

SIGNATURES = (b"\xff\xd8", b"\x89PNG", b"RIFF", b"BM", b"II", b"MM", b"GIF8")

UNREADABLE = {
    errno.ENOENT: "does not exist",
    errno.EACCES: "may not be read: permission denied. Allow it: chmod +r",
}


class Stored(NamedTuple):
    """How an image lies in its file; `info["stored"]` of what `load_image` returns."""

    mode: str
    """Pillow's name of it."""

    size: tuple[int, int]
    """Width and height, before it is turned upright."""

    deep: bool
    """Whether it has 16 bits a channel."""


def read_file(path: str | Path) -> bytes:
    """Read a file's bytes.

    Raises: DataError if the file cannot be read, is a pipe or a device, or too large for an image.
    """
    path = Path(path)
    try:
        _check_bytes(path.stat().st_size, path)
        if not path.is_file():
            raise DataError(f"{path} is a folder, a pipe or a device; expected a file")
        return path.read_bytes()
    except OSError as error:
        raise DataError(f"{path} {UNREADABLE.get(error.errno or 0, f'cannot be read: {error.strerror}')}") from None


def read_raw(folder: Path, image: Listed) -> bytes:
    """Read the bytes of an image of a source.

    Raises: DataError if they cannot be read, are not as they were listed, or too many for an image.
    """
    _check_bytes(image.place.size, folder / image.path)
    return read_place(folder, image.place)


def _check_bytes(count: int, name: Path) -> None:
    if count > MAX_BYTES:
        raise DataError(f"{name} has {count:,} bytes, {MAX_BYTES:,} are allowed. Make it smaller or remove it.")


def first_faults(faults: Sequence[str], shown: int = 10) -> str:
    """Print faults one below the other: the first ones, and how many more there are."""
    more = [f"and {len(faults) - shown} more"] if len(faults) > shown else []
    return "\n".join(f"  {fault}" for fault in [*faults[:shown], *more])


def read_rgb(path: str | Path) -> np.ndarray:
    """Read an image upright as RGB.

    Shapes: returns (H, W, 3) uint8. Raises: DataError if the file is not a readable image.
    """
    return decode_rgb(read_file(path), path)


def decode_rgb(content: bytes, name: str | Path) -> np.ndarray:
    """Decode an image upright as RGB.

    Shapes: returns (H, W, 3) uint8. Raises: DataError, beginning with the name, if it is not a readable image.
    """
    return to_rgb(load_opaque(content, name))


def to_rgb(image: Image.Image) -> np.ndarray:
    """Return the pixels of a decoded image, (H, W, 3) uint8."""
    return np.asarray(image if image.mode == "RGB" else image.convert("RGB"))


def load_opaque(content: bytes, name: str | Path) -> Image.Image:
    """Decode an image upright, as it is stored.

    Raises: DataError as `load_image` does, and if the image is partly transparent.
    """
    image = load_image(content, name)
    if image.mode == "RGBA":
        raise DataError(f"{name} is partly transparent. Flatten it first: put it on a background of one colour.")
    return image


def load_image(content: bytes, name: str | Path, *, max_pixels: int | None = None) -> Image.Image:
    """Decode an image and turn it upright; its mode is 1, L, RGB or, only if it is partly transparent, RGBA.

    Its `info` is the file's, with how the image is stored there.
    `max_pixels` are those that Pillow allows if not given.
    Raises: DataError, beginning with the name, if it is empty, no image, damaged, ends early, has too many pixels or
        too few, moves, or has values without a known range.
    """
    try:
        image = Image.open(BytesIO(content), formats=FORMATS)
        _check_header(image, name, max_pixels or Image.MAX_IMAGE_PIXELS)
        stored = Stored(image.mode, image.size, ";16" in str(image.tile[:1]))
        image.load()
        with suppress(Exception):  # damaged EXIF says nothing; the image itself was decoded without a fault
            ImageOps.exif_transpose(image, in_place=True)
        known = _in_known_mode(image)
        known.info["stored"] = stored
        return known
    except DataError:
        raise
    except Exception as error:  # a damaged file leads Pillow's readers to errors of any kind
        raise DataError(f"{name} {_damage(content, error)} Replace or remove it.") from None


def _check_header(image: Image.Image, name: str | Path, limit: int | None) -> None:
    """Reject what is seen before decoding."""
    width, height = image.size
    if limit and width * height > limit:
        raise DataError(
            f"{name} has {width} x {height} = {width * height:,} pixels, {limit:,} are allowed: perhaps a "
            "decompression bomb. Make it smaller or remove it."
        )
    if min(width, height) < MIN_SIDE:
        raise DataError(
            f"{name} has {width} x {height} pixels; expected at least {MIN_SIDE} on each side. Replace or remove it."
        )
    # The second image of a camera's MPO is a preview or another eye's view, no later moment.
    if getattr(image, "is_animated", False) and image.format != "MPO":
        raise DataError(f"{name} is an animation or has several pages; expected one image. Extract one or remove it.")
    if image.mode in ("I", "F") or (image.mode.startswith("I;16") and not _has_full_range(image)):
        raise DataError(
            f"{name} has grey values without a known range of black to white. Convert it to 8 bits a channel."
        )


def _has_full_range(image: Image.Image) -> bool:
    """Tell whether 16-bit grey goes from 0 = black to 65535 = white: a TIFF may hold 12 bits, or white as 0."""
    tags = getattr(image, "tag_v2", None)
    return tags is None or (
        tags.get(ExifTags.Base.BitsPerSample) == (16,) and tags.get(ExifTags.Base.PhotometricInterpretation) == 1
    )


def _in_known_mode(image: Image.Image) -> Image.Image:
    if image.mode.startswith("I;16"):
        image = _high_byte(image)
    if image.has_transparency_data:
        grey, image = image.mode in ("1", "L", "LA"), image.convert("RGBA")
        if image.getchannel("A").getextrema() != (255, 255):
            return image
        image = image.convert("L" if grey else "RGB")
    return image if image.mode in ("1", "L", "RGB") else image.convert("L" if image.mode == "LA" else "RGB")


def _high_byte(image: Image.Image) -> Image.Image:
    """Bring 16-bit grey to 8 bits as Pillow brings 16-bit colour; its `convert` would clip grey to white."""
    grey = Image.fromarray((np.asarray(image) >> 8).astype(np.uint8))
    grey.info = dict(image.info)
    if "transparency" in grey.info:
        grey.info["transparency"] >>= 8
    return grey


def _damage(content: bytes, error: Exception) -> str:
    """Tell what is wrong with a file that Pillow could not decode."""
    if not content:
        return "is empty (0 bytes)."
    if text := _text_start(content):
        return f"is {foreign_content(content) or 'text instead of an image'}; it starts with {text[:60]!r}."
    if isinstance(error, UnidentifiedImageError):
        if content.startswith(SIGNATURES):
            return "is damaged or ends early: its header cannot be read."
        return f"is not an image of a known format; expected one of {', '.join(FORMATS)}."
    if isinstance(error, Image.DecompressionBombError | Image.DecompressionBombWarning):
        return f"has too many pixels: {error}"
    if "MAX_TEXT" in str(error):
        return "holds more than 64 MiB of text or of a colour profile: perhaps a decompression bomb."
    cut_webp = content.startswith(b"RIFF") and int.from_bytes(content[4:8], "little") + 8 > len(content)
    if cut_webp or "truncated" in str(error).lower() or "cannot load this image" in str(error):
        return f"ends early, after {len(content):,} bytes."
    return f"is damaged: {str(error).rstrip('.') or type(error).__name__}."


def _text_start(content: bytes) -> str:
    """Return the start of a text, "" if the bytes are none."""
    try:
        text = codecs.getincrementaldecoder("utf-8")().decode(content[:300]).strip()
    except UnicodeDecodeError:
        return ""
    return text if all(letter.isprintable() or letter.isspace() for letter in text) else ""


def centre_crop(image: np.ndarray, side: int, name: str | Path) -> np.ndarray:
    """Cut the central square; CelebA's 178 x 218 images lose 20 rows above and below (side 178).

    Raises: DataError if the image is smaller than the square.
    """
    height, width = image.shape[:2]
    if height < side or width < side:
        raise DataError(
            f"{name}: expected at least {side} x {side} pixels for the centre crop, got {width} x {height}. "
            "Replace or remove it, or change the crop."
        )
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
