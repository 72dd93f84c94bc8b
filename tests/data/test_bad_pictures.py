"""Whatever bytes people bring: a picture, or one DataError that begins with the name and says what is wrong."""

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
from spl.data.images import MIN_SIDE, TURNS, decode_rgb, load_opaque, read_rgb

PIXELS = cv2.resize(
    np.random.default_rng(0).integers(0, 256, (5, 6, 3), dtype=np.uint8), (30, 20), interpolation=cv2.INTER_LINEAR
)
PICTURE = Image.fromarray(PIXELS)
DEEP = np.random.default_rng(1).integers(0, 65536, (20, 30, 3), dtype=np.uint16)
FORMATS = {
    "jpeg": {"format": "JPEG", "quality": 100, "subsampling": 0},
    "progressive": {"format": "JPEG", "progressive": True},
    "png": {"format": "PNG"},
    "webp": {"format": "WEBP", "lossless": True},
    "bmp": {"format": "BMP"},
    "tiff": {"format": "TIFF"},
    "lzw": {"format": "TIFF", "compression": "tiff_lzw"},
    "gif": {"format": "GIF"},
}


def encode(picture, **options):
    content = io.BytesIO()
    picture.save(content, **({"format": "PNG"} | options))
    return content.getvalue()


def encode_deep(pixels, ending=".png"):
    """16 bits a channel, by OpenCV: Pillow cannot write that."""
    return cv2.imencode(ending, pixels[..., ::-1] if pixels.ndim == 3 else pixels)[1].tobytes()


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


# --- Files that are no pictures ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty (0 bytes). Replace or remove it."),
        (
            b"Quota exceeded,\ntry later",
            r"is text, not a picture; it starts with 'Quota exceeded,\ntry later'. Replace",
        ),
        ("Zugriff verweigert: Datei für".encode(), "is text, not a picture; it starts with 'Zugriff verweigert: Datei"),
        (b"BM is text as well", "is text, not a picture"),
        (b"<!DOCTYPE html><html><body>Sign in", "is a web page, not a picture; it starts with '<!DOCTYPE html>"),
        (b"\n <HTML lang='en'>", "is a web page, not a picture"),
        (bytes(range(256)), "is not a picture of a known format; expected one of JPEG, PNG, "),
        (b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n\0", "is not a picture of a known format"),
    ],
)
def test_what_is_no_picture_is_told_apart(content, message):
    assert refusal(content).startswith(message)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("kind", FORMATS)
@pytest.mark.parametrize("share", [0.9, 0.7, 0.3])
def test_a_cut_picture_ends_early(kind, share):
    content = encode(PICTURE, **FORMATS[kind])
    message = refusal(content[: int(len(content) * share)])
    assert "ends early" in message
    assert message.endswith("Replace or remove it.")


def test_a_damaged_picture_is_not_taken_for_a_cut_one():
    content = bytearray(encode(PICTURE))
    start = content.index(b"IDAT") + 4
    content[start + 40 : start + 80] = bytes(40)
    assert refusal(bytes(content)).startswith("is damaged: ")


# --- Pictures that are not fit to learn from --------------------------------------------------------------------------


@pytest.mark.parametrize("size", [(1, 1), (MIN_SIDE - 1, 400), (400, MIN_SIDE - 1)])
def test_tiny_pictures_are_refused(size):
    message = refusal(encode(PICTURE.resize(size)))
    assert message == f"has {size[0]} x {size[1]} pixels; expected at least 16 on each side. Replace or remove it."


def test_the_smallest_picture_passes():
    assert load_opaque(encode(PICTURE.resize((MIN_SIDE, MIN_SIDE))), "small.png").size == (MIN_SIDE, MIN_SIDE)


def promising(width, height):
    """A small PNG whose header promises many pixels."""
    content = bytearray(encode(PICTURE))
    content[16:24] = struct.pack(">II", width, height)
    content[29:33] = struct.pack(">I", zlib.crc32(content[12:29]))
    return bytes(content)


@pytest.mark.parametrize(("side", "pixels"), [(10_000, "100,000,000"), (30_000, "900000000")])
@pytest.mark.parametrize("filtered", ["ignore", "error"])
def test_a_decompression_bomb_is_refused_before_it_is_decoded(side, pixels, filtered):
    with warnings.catch_warnings():
        warnings.simplefilter(filtered)
        message = refusal(promising(side, side))
    assert message.startswith("has ")
    assert pixels.replace(",", "") in message.replace(",", "")
    assert "decompression bomb" in message


@pytest.mark.parametrize("kind", ["GIF", "WEBP", "PNG", "TIFF"])
def test_animations_and_several_pages_are_refused(kind):
    other = PICTURE.transpose(Image.Transpose.ROTATE_180)
    content = encode(PICTURE, format=kind, save_all=True, append_images=[other])
    assert refusal(content).startswith("is an animation or has several pages; expected one picture.")


def test_a_cameras_mpo_is_its_first_picture():
    other = PICTURE.transpose(Image.Transpose.ROTATE_180)
    content = encode(PICTURE, format="MPO", save_all=True, append_images=[other], quality=100, subsampling=0)
    assert Image.open(io.BytesIO(content)).n_frames == 2
    assert np.abs(decode_rgb(content, "camera.jpg").astype(int) - PIXELS).max() <= 3


@pytest.mark.parametrize("mode", ["I", "F"])
def test_grey_without_a_range_is_refused(mode):
    content = encode(PICTURE.convert(mode), format="TIFF")
    assert refusal(content).startswith("has grey values without a known range of black to white. Convert it to 8 bits")


def test_a_deep_tiff_whose_white_is_0_is_refused():
    content = encode(Image.fromarray(DEEP[..., 0]), format="TIFF", tiffinfo={262: 0})
    assert refusal(content).startswith("has grey values without a known range")


# --- Transparency -----------------------------------------------------------------------------------------------------


def palette(**options):
    indices = np.zeros((20, 30), np.uint8)
    indices[5:10] = 1
    picture = Image.fromarray(indices).convert("P")
    picture.putpalette([10, 20, 30, 200, 100, 50, 7, 7, 7])
    return encode(picture, **options)


def colour_key(key):
    """A picture, black above white, of which one colour counts as transparent."""
    pixels = np.zeros((20, 30, 3), np.uint8)
    pixels[10:] = 255
    return encode(Image.fromarray(pixels), transparency=key)


def grey_key(key):
    return encode(Image.fromarray(np.repeat(np.uint8([0, 255]), 300).reshape(20, 30)), transparency=key)


def deep_key(key):
    return encode(Image.fromarray(np.repeat(np.uint16([0, 65535]), 300).reshape(20, 30)), transparency=key)


def with_alpha(mode, alpha):
    picture = PICTURE.convert(mode)
    channel = np.full((20, 30), 255, np.uint8)
    channel[3, 4] = alpha
    picture.putalpha(Image.fromarray(channel))
    return encode(picture)


TRANSPARENT = {
    "alpha": with_alpha("RGBA", 254),
    "grey with alpha": with_alpha("LA", 0),
    "palette": palette(transparency=1),
    "half transparent palette": palette(transparency=bytes([255, 128])),
    "colour": colour_key((255, 255, 255)),
    "grey": grey_key(255),
    "deep grey": deep_key(65535),
}
OPAQUE = {
    "alpha": (with_alpha("RGBA", 255), PIXELS),
    "grey with alpha": (with_alpha("LA", 255), np.asarray(PICTURE.convert("L").convert("RGB"))),
    "palette": (palette(), None),
    "unused entry of a palette": (palette(transparency=2), None),
    "opaque entries": (palette(transparency=bytes([255, 255, 0])), None),
    "unused colour": (colour_key((1, 2, 3)), None),
    "unused grey": (grey_key(7), None),
    "unused deep grey": (deep_key(4660), None),
}


@pytest.mark.parametrize("kind", TRANSPARENT)
def test_transparent_pictures_are_refused(kind):
    assert refusal(TRANSPARENT[kind]).startswith("is partly transparent. Flatten it first")


@pytest.mark.parametrize("kind", OPAQUE)
def test_transparency_that_hides_nothing_is_dropped(kind):
    content, expected = OPAQUE[kind]
    pixels = decode_rgb(content, "x.png")
    assert load_opaque(content, "x.png").size == (30, 20)
    if expected is None:
        expected = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR)[..., ::-1]
    assert np.array_equal(pixels, expected)


# --- Every way to store colour ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [kind for kind in FORMATS if kind not in ("jpeg", "progressive", "gif")])
def test_lossless_formats_give_back_their_pixels(kind):
    assert np.array_equal(decode_rgb(encode(PICTURE, **FORMATS[kind]), "x"), PIXELS)


@pytest.mark.parametrize("ending", [".png", ".tiff"])
def test_16_bits_keep_their_high_byte(ending):
    assert np.array_equal(decode_rgb(encode_deep(DEEP, ending), "x"), DEEP >> 8)
    grey = decode_rgb(encode_deep(DEEP[..., 0], ending), "x")
    assert np.array_equal(grey, np.repeat(DEEP[..., :1] >> 8, 3, axis=2))


@pytest.mark.parametrize("format", ["JPEG", "TIFF"])
def test_cmyk_comes_out_right(format):
    content = encode(PICTURE.convert("CMYK"), format=format, **({"quality": 100} if format == "JPEG" else {}))
    assert np.abs(decode_rgb(content, "x").astype(int) - PIXELS).max() <= 3
    if format == "JPEG":  # by another decoder: Adobe stores the complement
        other = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR)[..., ::-1]
        assert np.abs(decode_rgb(content, "x").astype(int) - other).max() <= 2


@pytest.mark.parametrize("mode", ["YCbCr", "LAB"])
def test_other_colour_spaces_are_converted(mode):
    if mode == "LAB":
        lab = cv2.cvtColor(np.float32(PIXELS) / 255, cv2.COLOR_RGB2LAB)
        stored = (lab * [2.55, 1, 1]).round().astype(np.int16).astype(np.uint8)  # TIFF stores a and b with a sign
        content = encode(Image.frombytes("LAB", (30, 20), stored.tobytes()), format="TIFF")
    else:
        content = encode(PICTURE.convert(mode), format="TIFF")
    # Rounding to 8 bits in Lab costs more in dark blue than elsewhere.
    assert np.abs(decode_rgb(content, "x").astype(int) - PIXELS).mean() < 4


@pytest.mark.parametrize("mode", ["1", "L"])
def test_grey_becomes_three_equal_channels(mode):
    grey = PICTURE.convert(mode)
    assert np.array_equal(decode_rgb(encode(grey), "x"), np.asarray(grey.convert("RGB")))


# --- Upright ----------------------------------------------------------------------------------------------------------


def by_hand(orientation):
    """The pixels that a viewer shows, from the definition: which side of the scene are row 0 and column 0?"""
    flipped = PIXELS[:, ::-1] if orientation in (2, 3, 7, 8) else PIXELS
    flipped = flipped[::-1] if orientation in (3, 4, 6, 7) else flipped
    return flipped.transpose(1, 0, 2) if orientation >= 5 else flipped


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["png", "webp", "tiff", "lzw", "jpeg"])
def test_all_orientations_are_turned_upright(orientation, kind):
    exif = Image.Exif()
    exif[0x0112] = orientation
    content = encode(PICTURE, **FORMATS[kind], exif=exif)
    pixels, expected = decode_rgb(content, "x"), by_hand(orientation)
    assert pixels.shape == expected.shape
    assert load_opaque(content, "x").size == (expected.shape[1], expected.shape[0])
    assert np.abs(pixels.astype(int) - expected).max() <= (3 if kind == "jpeg" else 0)
    assert (orientation in TURNS) == (orientation != 1)


def test_deep_grey_is_turned_too():
    exif = Image.Exif()
    exif[0x0112] = 6
    content = encode(Image.fromarray(DEEP[..., 0]), exif=exif)
    assert np.array_equal(decode_rgb(content, "x")[..., 0], np.rot90(DEEP[..., 0] >> 8, -1))


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("exif", [b"Exif\0\0garbage", b"Exif\0\0MM\0*\0\0\0\x08\0\x09garbage"])
def test_damaged_exif_does_not_spoil_a_picture(exif):
    assert np.array_equal(decode_rgb(encode(PICTURE, exif=exif), "x"), PIXELS)


# --- Files that cannot be read ----------------------------------------------------------------------------------------


def test_a_readable_file_is_decoded(tmp_path):
    PICTURE.save(tmp_path / "fine.png")
    assert np.array_equal(read_rgb(tmp_path / "fine.png"), PIXELS)


def test_unreadable_paths_are_named_plainly(tmp_path):
    loop, link = tmp_path / "loop.png", tmp_path / "link.png"
    loop.symlink_to(loop)
    link.symlink_to(tmp_path / "nowhere.png")
    for path, message in {
        tmp_path / "missing.png": "does not exist",
        tmp_path: "is a folder; expected a file",
        loop: "is a symbolic link that leads back to itself. Replace or remove it.",
        link: "does not exist",
        tmp_path / ("long" * 100): "cannot be read: File name too long",
    }.items():
        with pytest.raises(DataError) as error:
            read_rgb(path)
        assert str(error.value) == f"{path} {message}"


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_forbidden_file_is_named(tmp_path):
    PICTURE.save(tmp_path / "secret.png")
    (tmp_path / "secret.png").chmod(0)
    with pytest.raises(DataError, match=r"secret\.png may not be read: permission denied"):
        read_rgb(tmp_path / "secret.png")


def test_a_refused_permission_is_named(monkeypatch):
    def refuse(path):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("pathlib.Path.read_bytes", refuse)
    with pytest.raises(DataError, match=r"secret\.png may not be read: permission denied. Allow it: chmod \+r"):
        read_rgb("secret.png")


# --- Any bytes --------------------------------------------------------------------------------------------------------


SEEDS = [
    *(encode(PICTURE, **options) for options in FORMATS.values()),
    *TRANSPARENT.values(),
    encode_deep(DEEP),
    encode_deep(DEEP[..., 0], ".tiff"),
    encode(PICTURE, format="JPEG", exif=b"Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0"),
    encode(PICTURE.convert("CMYK"), format="JPEG"),
    encode(PICTURE, format="WEBP", save_all=True, append_images=[PICTURE.convert("L")]),
    encode(PICTURE, format="GIF", save_all=True, append_images=[PICTURE.convert("L")]),
]


@st.composite
def mutated(draw):
    """A picture's bytes with some replaced, near the header as often as anywhere, and perhaps a piece cut out."""
    content = bytearray(draw(st.sampled_from(SEEDS)))
    place = st.one_of(st.integers(0, 80), st.integers(0, len(content) - 1))
    for _ in range(draw(st.integers(0, 6))):
        content[min(draw(place), len(content) - 1)] = draw(
            st.sampled_from([0, 1, 0x7F, 0x80, 0xFF]) | st.integers(0, 255)
        )
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
def test_any_bytes_are_a_picture_or_one_dataerror(filtered, content):
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
