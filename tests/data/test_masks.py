"""Masks are binarised once, their polarity is checked, and they fall into six bins by measured ratio."""

import io
import zlib
from itertools import product

import cv2
import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from spl.common.errors import DataError
from spl.common.files import read_json
from spl.data.group_masks import group_masks
from spl.data.masks import (
    MIN_MASK_SIDE,
    RATIO_BINS,
    decode_mask,
    encode_mask,
    measure_mask,
    ratio_bin,
    read_mask,
)
from spl.miniature.masks import draw_mask
from spl.sources.fetch import fetch_raw
from spl.sources.raw_files import Place, read_place
from spl.steps.settings import MaskSettings, MaskSourceSettings

MASK = draw_mask(seed=1, index=20, size=64)
HOLE = np.asarray(MASK) > 0
PHOTOGRAPH = Image.fromarray(
    cv2.resize(
        np.random.default_rng(0).integers(0, 256, (9, 9, 3), dtype=np.uint8), (64, 64), interpolation=cv2.INTER_CUBIC
    )
)


def encode(image, format="PNG", **options):
    content = io.BytesIO()
    image.save(content, format, **options)
    return content.getvalue()


@given(holes=st.integers(0, 1000))
def test_bins_partition_the_usable_ratios(holes):
    name = ratio_bin(np.mean(np.arange(1000) < holes))
    assert (name is None) == (holes == 0 or holes > 600)
    if name:
        low, high = map(int, name.split("-"))
        assert 10 * low < holes <= 10 * high


def disc_masks(folder, ratios, *, hole="white", size=64):
    """Write masks whose hole is a block of rows with the given ratios."""
    folder.mkdir()
    for i, ratio in enumerate(ratios):
        mask = np.zeros((size, size), bool)
        mask.reshape(-1)[: round(ratio * size * size)] = True
        Image.fromarray(mask if hole == "white" else ~mask).convert("L").save(folder / f"{i:03d}.png")


@pytest.fixture
def group(tmp_path, monkeypatch):
    """A function that groups the masks of a folder and returns (table, record)."""
    monkeypatch.chdir(tmp_path)

    def run(folder, hole="white"):
        source = {"kind": "supplied", "path": str(folder)}
        fetch_raw(MaskSourceSettings(seed=1, source=source, glob="*.png"), tmp_path / "masks.json", workers=1)
        group_masks(MaskSettings(hole=hole), tmp_path / "masks.json", tmp_path / "masks", workers=2)
        table = pd.read_csv(tmp_path / "masks/masks.csv", keep_default_na=False)
        return table, read_json(tmp_path / "masks/record.json")

    return run


@pytest.mark.parametrize("hole", ["white", "black"])
def test_stored_masks_are_white_in_the_hole_whatever_the_source(tmp_path, group, hole):
    disc_masks(tmp_path / "raw", [0.05, 0.25, 0.55], hole=hole)
    table, _ = group(tmp_path / "raw", hole)
    assert table["ratio_bin"].tolist() == ["00-10", "20-30", "50-60"]
    for row in table.itertuples():
        content = read_place(tmp_path / "masks", Place(row.container, row.offset, row.size, row.packed))
        assert decode_mask(content, row.file, "white").mean() == pytest.approx(row.hole_ratio, abs=1e-6)


def test_counts_per_bin_and_rejected_masks_are_recorded(tmp_path, group):
    disc_masks(tmp_path / "raw", [0.0, 0.05, 0.15, 0.15, 0.7])
    PHOTOGRAPH.save(tmp_path / "raw/photo.png")
    PHOTOGRAPH.convert("L").save(tmp_path / "raw/grey.png")
    table, record = group(tmp_path / "raw")
    assert record["masks_per_bin"] == dict.fromkeys(RATIO_BINS, 0) | {"00-10": 1, "10-20": 2}
    assert record["rejected"] == {"no hole": 1, "hole ratio over 0.6": 1, "not black and white": 1, "coloured": 1}
    usable = table["rejected"] == ""
    assert table.loc[usable, "source"].tolist() == ["001.png", "002.png", "003.png"]
    assert (table.loc[~usable, ["file", "sha256", "ratio_bin"]] == "").all(axis=None)


def test_what_is_left_out_is_said_in_one_line_and_nothing_if_there_is_none(tmp_path, group, capsys):
    disc_masks(tmp_path / "raw", [0.05, 0.15, 0.3, 0.7, 0.8, 0.0])
    group(tmp_path / "raw")
    reasons = "2: hole ratio over 0.6; 1: no hole"
    said = f"3 of 6 masks of {tmp_path / 'raw'} are left out ({reasons}); see {tmp_path / 'masks/masks.csv'}\n"
    assert capsys.readouterr().err == said
    for name in ("003", "004", "005"):
        (tmp_path / f"raw/{name}.png").unlink()
    group(tmp_path / "raw")
    assert capsys.readouterr().err == ""


def test_a_folder_without_usable_or_without_any_masks_says_so(tmp_path, group):
    disc_masks(tmp_path / "raw", [0.0])
    with pytest.raises(DataError, match=r"none of 1 masks can be used \(1: no hole\)"):
        group(tmp_path / "raw")
    (tmp_path / "raw/000.png").unlink()
    with pytest.raises(DataError, match=r"no file matching \*\.png"):
        group(tmp_path / "raw")


@pytest.mark.parametrize(("declared", "real"), [("white", "black"), ("black", "white")])
def test_inverted_polarity_is_an_error_with_a_hint(tmp_path, group, declared, real):
    disc_masks(tmp_path / "raw", [0.05, 0.15, 0.3, 0.45], hole=real)
    with pytest.raises(DataError, match=f"set masks.hole: {real}"):
        group(tmp_path / "raw", declared)


def test_greys_of_an_antialiased_mask_are_cut_at_half(tmp_path):
    edge = np.repeat([0, 0, 0, 0, 0, 0, 127, 128, 255, 255, 255, 255, 255, 255], 4).astype(np.uint8)
    Image.fromarray(np.tile(edge, (40, 1))).save(tmp_path / "grey.png")
    white = read_mask(tmp_path / "grey.png", "white")
    assert white.shape == (40, 56)
    assert (white == (edge >= 128)).all()
    assert (read_mask(tmp_path / "grey.png", "black") == ~white).all()


# --- Whatever people bring as masks -----------------------------------------------------------------------------------


def with_alpha(alpha):
    image = MASK.convert("RGBA")
    image.putalpha(alpha)
    return image


KINDS = [("1", "PNG"), ("L", "PNG"), ("P", "PNG"), ("RGB", "PNG"), ("RGBA", "PNG"), ("LA", "PNG"), ("1", "TIFF"),
         ("CMYK", "TIFF"), ("L", "BMP"), ("L", "GIF")]  # fmt: skip
CONTENTS = [encode(MASK.convert(mode), form) for mode, form in KINDS]
CONTENTS += [encode(MASK, "WEBP", lossless=True), encode(MASK, "JPEG", quality=95)]
CONTENTS += [encode(Image.fromarray(HOLE.astype(np.uint16) * 65535))]


@pytest.mark.parametrize("hole", ["white", "black"])
@pytest.mark.parametrize("content", CONTENTS)
def test_masks_of_every_kind_are_read_alike(content, hole):
    assert np.array_equal(decode_mask(content, "m", hole), HOLE if hole == "white" else ~HOLE)


@pytest.mark.parametrize(
    ("image", "reason"),
    [
        (Image.merge("RGB", (MASK, Image.new("L", (64, 64)), Image.new("L", (64, 64)))), "coloured"),
        (PHOTOGRAPH, "coloured"),
        (PHOTOGRAPH.convert("L"), "not black and white"),
        (PHOTOGRAPH.convert("L").convert("RGB"), "not black and white"),
        (Image.new("L", (64, 64), 100), "not black and white"),
        (with_alpha(MASK), "transparent"),
        (with_alpha(Image.new("L", (64, 64), 254)), "transparent"),
        (MASK.resize((64, MIN_MASK_SIDE - 1)), "smaller than 32 pixels"),
        (Image.fromarray(HOLE.astype(np.uint8)), "without a grey above 1: values 0 and 1?"),
        (Image.fromarray(HOLE.astype(np.uint8) * 20).convert("RGB"), "without a grey above 20: values 0 and 20?"),
        (Image.fromarray(HOLE * np.uint16(255)), "without a grey above 255 of 65535: values 0 and 255?"),
    ],
)
def test_what_is_no_mask_has_a_reason_and_no_hole(tmp_path, image, reason):
    mask, given = measure_mask(encode(image), "m", "black")
    assert given == reason
    assert mask.shape == image.size[::-1]
    assert not mask.any()
    image.save(tmp_path / "m.png")
    with pytest.raises(DataError) as error:
        read_mask(tmp_path / "m.png", "black")
    assert f"m.png is no mask ({reason}); expected black and white, without colours." in str(error.value)
    assert ("Flatten it" in str(error.value)) == (reason == "transparent")


def marked(colours, rows):
    """The mask with four coloured pixels, and some rows of grey."""
    pixels = np.array(MASK.convert("RGB"))
    pixels[0, :4], pixels[8 : 8 + rows] = colours, 128
    return pixels


@pytest.mark.parametrize(
    "pixels",
    [marked((255, 0, 0), 8), np.where(HOLE[..., None], (255, 250, 228), (0, 5, 25)).astype(np.uint8)],
    ids=["few coloured or grey pixels", "slight tint"],
)
def test_small_faults_do_no_harm(pixels):
    found, reason = measure_mask(encode(Image.fromarray(pixels)), "m", "white")
    assert reason == ""
    assert (found != HOLE)[16:].sum() == 0


@pytest.mark.parametrize("size", [64, 128, 256])
@pytest.mark.parametrize("options", [{"quality": quality} for quality in (50, 75, 95)])
def test_antialiased_and_jpeg_compressed_masks_pass(size, options):
    for index, mode in product(range(12), ("L", "RGB")):
        mask = draw_mask(seed=2, index=index).resize((size, size), Image.Resampling.BILINEAR)
        found, reason = measure_mask(encode(mask.convert(mode), "JPEG", **options), "m", "white")
        assert reason == ""
        assert (found != (np.asarray(mask) > 127)).mean() < 0.01


@given(height=st.integers(1, 40), width=st.integers(1, 70), seed=st.integers(0, 9))
def test_stored_masks_are_valid_pngs_of_one_bit(height, width, seed):
    mask = np.random.default_rng(seed).random((height, width)) < 0.5
    content = encode_mask(mask)
    with Image.open(io.BytesIO(content)) as image:
        image.verify()  # every chunk's checksum
    with Image.open(io.BytesIO(content)) as image:
        assert image.mode == "1"
        assert np.array_equal(np.asarray(image), mask)
    assert np.array_equal(cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_UNCHANGED) > 0, mask)
    start = content.index(b"IDAT") + 4
    assert len(zlib.decompress(content[start:-16])) == height * (1 + (width + 7) // 8)
