"""Whatever bytes people bring: an image, or one DataError that begins with the name and says what is wrong."""

import io
import os
import struct
import warnings
import zlib

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from spl.common.errors import DataError
from spl.data.images import MIN_SIDE, decode_rgb, load_opaque, read_rgb

PIXELS = cv2.resize(
    np.random.default_rng(0).integers(0, 256, (5, 6, 3), dtype=np.uint8), (30, 20), interpolation=cv2.INTER_LINEAR
)
IMAGE = Image.fromarray(PIXELS)
DEEP = np.random.default_rng(1).integers(0, 65536, (20, 30, 3), dtype=np.uint16)
OTHER = {"save_all": True, "append_images": [IMAGE.transpose(Image.Transpose.ROTATE_180)]}
SHARP = {"format": "JPEG", "quality": 100, "subsampling": 0}
LOSSLESS = {
    "png": {"format": "PNG"},
    "webp": {"format": "WEBP", "lossless": True},
    "bmp": {"format": "BMP"},
    "tiff": {"format": "TIFF"},
    "lzw": {"format": "TIFF", "compression": "tiff_lzw"},
}
FORMATS = LOSSLESS | {"jpeg": SHARP, "progressive": {"format": "JPEG", "progressive": True}, "gif": {"format": "GIF"}}


def encode(image, **options):
    content = io.BytesIO()
    image.save(content, **({"format": "PNG"} | options))
    return content.getvalue()


def encode_deep(pixels, ending=".png"):
    """16 bits a channel, by OpenCV: Pillow cannot write that."""
    return cv2.imencode(ending, pixels[..., ::-1] if pixels.ndim == 3 else pixels)[1].tobytes()


def by_opencv(content):
    return cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR)[..., ::-1]


def grey(pixels):
    return np.repeat(pixels[..., None], 3, axis=2)


# --- Transparency -----------------------------------------------------------------------------------------------------


def palette(**options):
    indices = np.zeros((20, 30), np.uint8)
    indices[5:10] = 1
    image = Image.fromarray(indices).convert("P")
    image.putpalette([10, 20, 30, 200, 100, 50, 7, 7, 7])
    return encode(image, **options)


def keyed(kind, key):
    """An image, black above white, of which one colour counts as transparent."""
    halves = {"colour": np.repeat(np.uint8([0, 255]), 900).reshape(20, 30, 3),
              "grey": np.repeat(np.uint8([0, 255]), 300).reshape(20, 30),
              "deep grey": np.repeat(np.uint16([0, 65535]), 300).reshape(20, 30)}  # fmt: skip
    return encode(Image.fromarray(halves[kind]), transparency=key)


def with_alpha(mode, alpha):
    image = IMAGE.convert(mode)
    channel = np.full((20, 30), 255, np.uint8)
    channel[3, 4] = alpha
    image.putalpha(Image.fromarray(channel))
    return encode(image)


TRANSPARENT = {
    "alpha": with_alpha("RGBA", 254),
    "grey with alpha": with_alpha("LA", 0),
    "palette": palette(transparency=1),
    "half transparent palette": palette(transparency=bytes([255, 128])),
    "colour": keyed("colour", (255, 255, 255)),
    "grey": keyed("grey", 255),
    "deep grey": keyed("deep grey", 65535),
}
OPAQUE = {
    "opaque alpha": with_alpha("RGBA", 255),
    "palette": palette(),
    "unused entry of a palette": palette(transparency=2),
    "opaque entries": palette(transparency=bytes([255, 255, 0])),
    "unused colour": keyed("colour", (1, 2, 3)),
    "unused grey": keyed("grey", 7),
    "unused deep grey": keyed("deep grey", 4660),
}


# --- Files that are rejected ------------------------------------------------------------------------------------------


def damaged(content):
    start = content.index(b"IDAT") + 4
    return content[: start + 40] + bytes(40) + content[start + 80 :]


def promising(side):
    """A small PNG whose header promises many pixels."""
    content = bytearray(encode(IMAGE))
    content[16:24] = struct.pack(">II", side, side)
    content[29:33] = struct.pack(">I", zlib.crc32(content[12:29]))
    return bytes(content)


TEXT = r"is text instead of an image; it starts with 'Quota exceeded,\ntry later'. Replace or remove it."
BAD = {
    "empty": (b"", "is empty (0 bytes). Replace or remove it."),
    "text": (b"Quota exceeded,\ntry later", TEXT),
    "umlaut": ("Zugriff verweigert: Datei für".encode(), "is text instead of an image; it starts with 'Zugriff verw"),
    "text like a bitmap": (b"BM is text as well", "is text instead of an image"),
    "page": (b"<!DOCTYPE html><html><body>Sign in", "is a web page instead of the file; it starts with '<!DOCTYPE"),
    "page after a blank": (b"\n <HTML lang='en'>", "is a web page instead of the file"),
    "bytes": (bytes(range(256)), "is not an image of a known format; expected one of JPEG, PNG, "),
    "pdf": (b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n\0", "is not an image of a known format"),
    "damaged": (damaged(encode(IMAGE)), "is damaged: "),
    "bomb": (promising(10_000), "has 10000 x 10000 = 100,000,000 pixels, 89,478,485 are allowed: perhaps a"),
    "huge bomb": (promising(30_000), "has too many pixels: Image size (900000000 pixels) exceeds limit"),
    "deep TIFF whose white is 0": (
        encode(Image.fromarray(DEEP[..., 0]), format="TIFF", tiffinfo={262: 0}), "has grey values without a known range"
    ),
}  # fmt: skip
BAD |= {
    f"{size} pixels": (encode(IMAGE.resize(size)), f"has {size[0]} x {size[1]} pixels; expected at least 16 on each")
    for size in ((1, 1), (MIN_SIDE - 1, 400), (400, MIN_SIDE - 1))
}
BAD |= {
    f"animated {kind}": (encode(IMAGE, format=kind, **OTHER), "is an animation or has several pages; expected one")
    for kind in ("GIF", "WEBP", "PNG", "TIFF")
}  # fmt: skip
BAD |= {
    f"grey {mode}": (encode(IMAGE.convert(mode), format="TIFF"), "has grey values without a known range of black to")
    for mode in ("I", "F")
}
BAD |= {
    f"transparent {kind}": (content, "is partly transparent. Flatten it first") for kind, content in TRANSPARENT.items()
}


def refusal(content, name="some/file.jpg"):
    """The message of the error, which reading and verifying share."""
    with pytest.raises(DataError) as decoding:
        decode_rgb(content, name)
    with pytest.raises(DataError) as verifying:
        load_opaque(content, name)
    assert str(decoding.value) == str(verifying.value)
    assert str(decoding.value).startswith(f"{name} ")
    assert "\n" not in str(decoding.value)
    return str(decoding.value).removeprefix(f"{name} ")


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("kind", BAD)
def test_a_bad_image_is_named_and_told_apart(kind):
    content, message = BAD[kind]
    assert refusal(content).startswith(message)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("kind", ["bomb", "huge bomb"])
def test_a_decompression_bomb_is_rejected_before_it_is_decoded_also_where_warnings_are_errors(kind):
    assert "decompression bomb" in refusal(BAD[kind][0])


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("kind", FORMATS)
@pytest.mark.parametrize("share", [0.9, 0.7, 0.3])
def test_a_cut_image_ends_early(kind, share):
    content = encode(IMAGE, **FORMATS[kind])
    message = refusal(content[: int(len(content) * share)])
    assert "ends early" in message
    assert message.endswith("Replace or remove it.")


# --- Files that are decoded -------------------------------------------------------------------------------------------


def exif(orientation):
    tags = Image.Exif()
    tags[0x0112] = orientation
    return tags


def upright(orientation):
    """The pixels that a viewer shows, from the definition: which side of the scene are row 0 and column 0?"""
    flipped = PIXELS[:, ::-1] if orientation in (2, 3, 7, 8) else PIXELS
    flipped = flipped[::-1] if orientation in (3, 4, 6, 7) else flipped
    return flipped.transpose(1, 0, 2) if orientation >= 5 else flipped


LAB = (cv2.cvtColor(np.float32(PIXELS) / 255, cv2.COLOR_RGB2LAB) * [2.55, 1, 1]).round().astype(np.int16)
SIGNED = Image.frombytes("LAB", (30, 20), LAB.astype(np.uint8).tobytes())  # TIFF stores a and b with a sign


CMYK = encode(IMAGE.convert("CMYK"), format="JPEG", quality=100)
FINE = {
    "smallest": (encode(IMAGE.resize((MIN_SIDE, MIN_SIDE))), np.asarray(IMAGE.resize((MIN_SIDE, MIN_SIDE))), 0),
    "MPO of a camera, whose first image counts": (encode(IMAGE, **SHARP | OTHER | {"format": "MPO"}), PIXELS, 3),
    "CMYK TIFF": (encode(IMAGE.convert("CMYK"), format="TIFF"), PIXELS, 3),
    "CMYK JPEG": (CMYK, PIXELS, 3),
    "CMYK JPEG by another decoder: Adobe stores the complement": (CMYK, by_opencv(CMYK), 2),
    "YCbCr": (encode(IMAGE.convert("YCbCr"), format="TIFF"), PIXELS, 4),
    "grey": (encode(IMAGE.convert("L")), grey(np.asarray(IMAGE.convert("L"))), 0),
    "black and white": (encode(IMAGE.convert("1")), np.asarray(IMAGE.convert("1").convert("RGB")), 0),
    "grey with opaque alpha": (with_alpha("LA", 255), grey(np.asarray(IMAGE.convert("L"))), 0),
    "turned deep grey": (
        encode(Image.fromarray(DEEP[..., 0]), exif=exif(6)), grey(np.rot90(DEEP[..., 0] >> 8, -1)), 0
    ),
    "garbage as EXIF": (encode(IMAGE, exif=b"Exif\0\0garbage"), PIXELS, 0),
    "damaged EXIF": (encode(IMAGE, exif=b"Exif\0\0MM\0*\0\0\0\x08\0\x09garbage"), PIXELS, 0),
}  # fmt: skip
FINE |= {f"lossless {kind}": (encode(IMAGE, **options), PIXELS, 0) for kind, options in LOSSLESS.items()}
FINE |= {kind: (content, by_opencv(content), 0) for kind, content in OPAQUE.items()}
for ending in (".png", ".tiff"):
    FINE[f"16 bits {ending}"] = (encode_deep(DEEP, ending), DEEP >> 8, 0)
    FINE[f"16 bits of grey {ending}"] = (encode_deep(DEEP[..., 0], ending), grey(DEEP[..., 0] >> 8), 0)
for orientation in range(1, 9):
    for kind in ("png", "webp", "tiff", "lzw", "jpeg"):
        content = encode(IMAGE, **FORMATS[kind], exif=exif(orientation))
        FINE[f"{kind} turned {orientation}"] = (content, upright(orientation), 3 * (kind == "jpeg"))


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("kind", FINE)
def test_every_way_to_store_colour_gives_upright_rgb(kind):
    content, expected, tolerance = FINE[kind]
    pixels = decode_rgb(content, "x")
    assert pixels.shape == expected.shape
    assert load_opaque(content, "x").size == expected.shape[1::-1]
    assert np.abs(pixels.astype(int) - expected).max() <= tolerance


def test_lab_is_converted():
    # Rounding to 8 bits in Lab costs more in dark blue than elsewhere.
    assert np.abs(decode_rgb(encode(SIGNED, format="TIFF"), "x").astype(int) - PIXELS).mean() < 4


# --- Files that cannot be read ----------------------------------------------------------------------------------------


def test_unreadable_paths_are_named_plainly(tmp_path):
    os.mkfifo(tmp_path / "pipe.png")
    loop, link = tmp_path / "loop.png", tmp_path / "link.png"
    IMAGE.save(tmp_path / "fine.png")
    assert np.array_equal(read_rgb(tmp_path / "fine.png"), PIXELS)
    loop.symlink_to(loop)
    link.symlink_to(tmp_path / "nowhere.png")
    for path, message in {
        tmp_path / "missing.png": "does not exist",
        tmp_path: "is a folder, a pipe or a device; expected a file",
        tmp_path / "pipe.png": "is a folder, a pipe or a device; expected a file",
        loop: "cannot be read: Too many levels of symbolic links",
        link: "does not exist",
        tmp_path / ("long" * 100): "cannot be read: File name too long",
    }.items():
        with pytest.raises(DataError) as error:
            read_rgb(path)
        assert str(error.value) == f"{path} {message}"


def test_a_refused_permission_is_named(tmp_path, monkeypatch):
    def refuse(path):
        raise PermissionError(13, "Permission denied")

    (tmp_path / "secret.png").touch()
    monkeypatch.setattr("pathlib.Path.read_bytes", refuse)
    with pytest.raises(DataError, match=r"secret\.png may not be read: permission denied. Allow it: chmod \+r"):
        read_rgb(tmp_path / "secret.png")


# --- Any bytes --------------------------------------------------------------------------------------------------------


SEEDS = [
    *(encode(IMAGE, **options) for options in FORMATS.values()),
    *TRANSPARENT.values(),
    encode_deep(DEEP),
    encode_deep(DEEP[..., 0], ".tiff"),
    encode(IMAGE, format="JPEG", exif=exif(6)),
    CMYK,
    BAD["animated WEBP"][0],
    BAD["animated GIF"][0],
]


@st.composite
def mutated(draw):
    """An image's bytes with some replaced, near the header as often as anywhere, and perhaps a piece cut out."""
    content = bytearray(draw(st.sampled_from(SEEDS)))
    place = st.one_of(st.integers(0, 80), st.integers(0, len(content) - 1))
    for _ in range(draw(st.integers(0, 6))):
        byte = draw(st.sampled_from([0, 1, 0x7F, 0x80, 0xFF]) | st.integers(0, 255))
        content[min(draw(place), len(content) - 1)] = byte
    if draw(st.booleans()):
        start = draw(place)
        del content[start : start + draw(st.integers(1, len(content)))]
    return bytes(content)


def outcome(read):
    """What a reader returns, or its complaint."""
    try:
        return read()
    except DataError as error:
        return str(error)


@pytest.mark.parametrize("filtered", ["ignore", "error"])
@given(content=mutated() | st.binary(max_size=60))
def test_any_bytes_are_an_image_or_one_dataerror(filtered, content):
    with warnings.catch_warnings():
        warnings.simplefilter(filtered)
        verified = outcome(lambda: load_opaque(content, "some.jpg").size)
        decoded = outcome(lambda: decode_rgb(content, "some.jpg"))
    if isinstance(decoded, str):
        assert decoded.startswith("some.jpg ")
        assert verified == decoded
    else:
        assert decoded.dtype == np.uint8
        assert decoded.shape == (verified[1], verified[0], 3)
