"""Files as people have them, of a given image, each with how it is received: used, or refused in these words."""

import struct
import zlib
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
from PIL import ExifTags, Image, ImageCms

PHOTOGRAPH = Image.fromarray(
    cv2.resize(np.random.default_rng(3).integers(0, 256, (4, 5, 3), np.uint8), (64, 48), interpolation=cv2.INTER_CUBIC)
)
MASK = Image.fromarray(np.pad(np.full((16, 24), 255, np.uint8), ((8, 24), (8, 32))))
"""White where pixels are missing: a block in the upper left, so that a turn is noticed."""


class File(NamedTuple):
    """A file to be written for an image, and the start of what is said of it; "" if it is used."""

    name: str
    content: Callable[[Image.Image], bytes | int]
    """Bytes, or the size of a file full of holes."""
    refusal: str = ""


def write_file(file: File, image: Image.Image, folder: Path) -> Path:
    """Write a file into a folder; return its path."""
    folder.mkdir(parents=True, exist_ok=True)
    content, path = file.content(image.convert("RGB")), folder / file.name
    path.write_bytes(b"" if isinstance(content, int) else content)
    if isinstance(content, int):
        with path.open("r+b") as opened:
            opened.truncate(content)
    return path


def encoded(format="PNG", mode="RGB", **options):
    """A function that encodes an image by Pillow."""

    def encode(image):
        content = BytesIO()
        image.convert(mode).save(content, format, **options)
        return content.getvalue()

    return encode


def turned(image):
    """A camera that was held upright: the sensor's rows are the image's columns, and EXIF says so."""
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation], exif[ExifTags.Base.Make] = 6, "Camera"
    return encoded("JPEG", quality=95, exif=exif, dpi=(300, 300))(image.transpose(Image.Transpose.ROTATE_90))


def deep(grey=False, scale=257):
    """A PNG of 16 bits a channel; Pillow cannot write colours of that kind."""

    def encode(image):
        pixels = np.asarray(image.convert("L") if grey else image)[..., :: 1 if grey else -1].astype(np.uint16)
        return cv2.imencode(".png", pixels * scale if scale else (pixels > 127).astype(np.uint16) * 255)[1].tobytes()

    return encode


def chunk(kind, data):
    """A piece of a PNG."""
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


END = chunk(b"IEND", b"")


def interlaced(image):
    """A PNG that appears coarsely first (Adam7)."""
    pixels, rows = np.asarray(image), b""
    for x, y, dx, dy in (
        (0, 0, 8, 8),
        (4, 0, 8, 8),
        (0, 4, 4, 8),
        (2, 0, 4, 4),
        (0, 2, 2, 4),
        (1, 0, 2, 2),
        (0, 1, 1, 2),
    ):
        rows += b"".join(b"\0" + row.tobytes() for row in pixels[y::dy, x::dx])
    header = struct.pack(">IIBBBBB", *image.size, 8, 2, 0, 0, 1)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + END


def with_text(size):
    """A drawing program's PNG, which holds its layers as compressed text."""
    text = chunk(b"zTXt", b"layers\0\0" + zlib.compress(bytes(size), 1))
    return lambda image: encoded()(image).replace(END, text + END)


def grey_with_alpha(image):
    image = image.convert("L")
    image.putalpha(255)
    return encoded(mode="LA")(image)


def erased(image):
    image = image.convert("RGBA")
    image.paste((0, 0, 0, 0), (20, 20, 30, 30))
    return encoded(mode="RGBA")(image)


def labels(image):
    """A mask as programs write labels: 0 and 1."""
    return encoded(mode="L")(Image.fromarray((np.asarray(image.convert("L")) > 127).astype(np.uint8)))


def animated(image):
    frames = [image.transpose(Image.Transpose.ROTATE_180)]
    return encoded("GIF", save_all=True, append_images=frames)(image)


SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n"

USED = [
    File("camera.jpg", turned),
    File("CAPITALS.JPG", encoded("JPEG", quality=95)),
    File("browser.jfif", encoded("JPEG", quality=95)),
    File("grey.jpeg", encoded("JPEG", "L", quality=95)),
    File("print.jpg", encoded("JPEG", "CMYK", quality=95)),
    File("stereo.jpg", lambda image: encoded("MPO", quality=95, save_all=True, append_images=[image])(image)),
    File("raw.png", deep()),
    File("xray.png", deep(grey=True)),
    File("profile.png", encoded(icc_profile=SRGB, dpi=(300, 300))),
    File("palette.png", encoded(mode="P")),
    File("unused.png", lambda image: encoded(mode="P", transparency=bytes([255] * 256))(image)),
    File("flat.png", grey_with_alpha),
    File("interlaced.png", interlaced),
    File("drawing.png", with_text(2 << 20)),
    File("scan.tif", encoded("TIFF", compression="tiff_lzw")),
    File("old.bmp", encoded("BMP")),
    File("still.gif", encoded("GIF", "L")),
    File("modern.webp", encoded("WEBP", lossless=True)),
    File("ünïcode ✓.png", encoded()),
]
BILEVEL = File("fax.png", encoded(mode="1"))
"""Used; as an image it is coarse."""

REFUSED = [
    File("cut.jpg", lambda image: encoded("JPEG", quality=95)(image)[:-300], "ends early, after "),
    File("login.png", lambda _: b"<html>Sign in", "is a web page instead of the file; it starts with '<html>"),
    File("pointer.jpg", lambda _: POINTER, "is a pointer of Git LFS instead of the file, which `git lfs pull` brings"),
    File("empty.png", lambda _: b"", "is empty (0 bytes)"),
    File("moving.gif", animated, "is an animation or has several pages"),
    File("pixel.png", lambda image: encoded()(image.resize((1, 1))), "has 1 x 1 pixels; expected at least 16"),
    File("bomb.png", with_text(65 << 20), "holds more than 64 MiB of text or of a colour profile"),
    File("sparse.png", lambda _: 3 << 30, "has 3,221,225,472 bytes, 1,073,741,824 are allowed"),
    File("height.tif", encoded("TIFF", "F"), "has grey values without a known range"),
]
ERASED = File("erased.png", erased, "is partly transparent. Flatten it first")

NO_MASKS = [
    (ERASED, "transparent"),
    (File("labels.png", labels), "without a grey above 1: values 0 and 1?"),
    (File("labels16.png", deep(grey=True, scale=0)), "without a grey above 255 of 65535: values 0 and 255?"),
]
"""With the reason why they are left out."""

HIDDEN = File("._camera.png", lambda _: b"\0\5\x16\7\0\2\0\0Mac OS X")
OTHER = File("photo.heic", lambda _: b"\0\0\0\x18ftypheic")
