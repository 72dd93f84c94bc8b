"""Every file that people have is received alike by data sets, by mask sources and by `spl inpaint`."""

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from spl.common.errors import DataError
from spl.data.group_masks import group_masks
from spl.data.images import decode_rgb, read_rgb
from spl.data.masks import read_mask
from spl.data.prepare_images import prepare_images
from spl.data.stored import GroupedMasks, PreparedImages
from spl.filling.files import fill_images, match_files
from spl.filling.inpainter import Inpainter
from spl.sources.fetch import fetch_raw
from spl.steps.settings import ImageSettings, ImageSourceSettings, MaskSettings, MaskSourceSettings
from tests.corpus import (
    BILEVEL,
    ERASED,
    HIDDEN,
    MASK,
    NO_MASKS,
    OTHER,
    PHOTOGRAPH,
    REFUSED,
    USED,
    File,
    encoded,
    write_file,
)

SIZE = 32
GOOD = File("good.png", encoded())


def is_like(pixels, image, size=None):
    """Whether pixels show the image, upright, but for compression and colours."""
    found, expected = (Image.fromarray(np.asarray(part)).convert("L") for part in (pixels, image))
    difference = np.asarray(found, int) - np.asarray(expected.resize(size or expected.size, Image.Resampling.BILINEAR))
    return found.size == (size or expected.size) and np.abs(difference).mean() < 12


# --- A data set -------------------------------------------------------------------------------------------------------


def test_a_data_set_uses_every_file_or_lists_why_not(tmp_path, capsys):
    for file in [*USED, *REFUSED, ERASED, HIDDEN, OTHER]:
        write_file(file, PHOTOGRAPH, tmp_path / "raw/train")
    write_file(GOOD, PHOTOGRAPH, tmp_path / "raw/test")
    source, layout = {"kind": "supplied", "path": str(tmp_path / "raw")}, {"kind": "folders"}
    layout |= {"train": "train/*", "test": "test/*"}
    fetch_raw(ImageSourceSettings(seed=1, dataset="mine", source=source, layout=layout), tmp_path / "mine.json")
    assert "1 of 31 files are left out" in capsys.readouterr().err
    settings = ImageSettings(seed=1, dataset="mine", crop=None, image_size=SIZE, validation=0, skip_unreadable=99)
    prepare_images(settings, tmp_path / "mine.json", tmp_path / "prepared", workers=1)

    manifest = pd.read_csv(tmp_path / "prepared/manifest.csv", keep_default_na=False)
    assert set(manifest["source"]) == {f"train/{file.name}" for file in USED} | {"test/good.png"}
    images = PreparedImages(tmp_path / "prepared/manifest.csv")
    for i, name in enumerate(manifest["source"]):
        assert is_like(images.pixels(i), PHOTOGRAPH, (SIZE, SIZE)), name
    skipped = pd.read_csv(tmp_path / "prepared/skipped.csv").set_index("source")["reason"]
    assert len(skipped) == len(REFUSED) + 1
    for file in [*REFUSED, ERASED]:
        assert skipped[f"train/{file.name}"].startswith(f"{tmp_path / 'raw/train' / file.name} {file.refusal}")


# --- A mask source ----------------------------------------------------------------------------------------------------


def group(folder):
    """Fetch and group the masks of a folder; return its table."""
    home, source = folder.parent, {"kind": "supplied", "path": str(folder)}
    fetch_raw(MaskSourceSettings(seed=1, source=source, glob="*"), home / "masks.json")
    group_masks(MaskSettings(hole="white"), home / "masks.json", home / "masks", workers=1)
    return pd.read_csv(home / "masks/masks.csv", keep_default_na=False).set_index("source")


def test_a_mask_source_uses_every_file_or_counts_and_lists_why_not(tmp_path, capsys):
    used = [*USED, BILEVEL]
    for file in [*used, *(file for file, _ in NO_MASKS), HIDDEN]:
        write_file(file, MASK, tmp_path / "raw")
    table = group(tmp_path / "raw")
    assert table["rejected"].to_dict() == {file.name: "" for file in used} | {f.name: why for f, why in NO_MASKS}
    masks = GroupedMasks(tmp_path / "masks/masks.csv")
    for i in range(len(masks)):
        assert is_like(masks.hole(i, 64)[: 3 * 16], MASK.resize((64, 64)).crop((0, 0, 64, 48))), masks.name(i)
    told = capsys.readouterr().err
    assert told.startswith(f"{len(NO_MASKS)} of {len(table)} masks of {tmp_path / 'raw'} are left out (1: ")
    assert all(f"1: {reason}" in told for _, reason in NO_MASKS)


@pytest.mark.parametrize("file", REFUSED, ids=lambda file: file.name)
def test_a_mask_source_refuses_what_is_no_image(tmp_path, file):
    write_file(GOOD, MASK, tmp_path / "raw")
    path = write_file(file, MASK, tmp_path / "raw")
    with pytest.raises(DataError) as error:
        group(tmp_path / "raw")
    assert str(error.value).startswith(f"{path} {file.refusal}")


# --- Filling one's own images -----------------------------------------------------------------------------------------


def fill(folder):
    """Fill the images of a folder with grey by `spl inpaint`'s functions."""
    jobs = match_files(folder / "images", folder / "masks", folder / "filled")
    fill_images(Inpainter(lambda image, _: np.full_like(image, 127)), jobs, hole="white")


@pytest.mark.parametrize("kind", ["images", "masks"])
def test_filling_uses_every_file_or_says_why_not(tmp_path, capsys, kind):
    other, content = ("masks", PHOTOGRAPH) if kind == "images" else ("images", MASK)
    left_out = {} if kind == "images" else {file: f"is no mask ({why})" for file, why in NO_MASKS}
    refused = {file: file.refusal for file in REFUSED} | left_out
    for file in [*USED, *refused]:
        path = write_file(file, content, tmp_path / kind)
        write_file(GOOD._replace(name=f"{path.stem}.png"), MASK if kind == "images" else PHOTOGRAPH, tmp_path / other)
    for file in (HIDDEN, OTHER):
        write_file(file, content, tmp_path / kind)
    with pytest.raises(DataError) as error:
        fill(tmp_path)
    summary, *faults = str(error.value).splitlines()
    assert summary == f"filled {len(USED)} of {len(USED) + len(refused)} images; not filled:"
    expected = {f"  {tmp_path / kind / file.name} {why}" for file, why in refused.items()}
    more = len(refused) - 10
    assert sum(any(fault.startswith(words) for words in expected) for fault in faults) == min(len(refused), 10)
    assert faults[10:] == ([f"  and {more} more"] if more > 0 else [])
    assert f"{tmp_path / kind}: 1 without an image's ending are left out, first photo.heic" in capsys.readouterr().err

    filled = {path.stem: path for path in (tmp_path / "filled").iterdir()}
    assert filled.keys() == {file.name.rpartition(".")[0] for file in USED}
    for file in USED:
        image = tmp_path / kind / file.name
        original = read_rgb(image if kind == "images" else tmp_path / "images" / f"{image.stem}.png")
        mask = read_mask(image if kind == "masks" else tmp_path / "masks" / f"{image.stem}.png", "white")
        assert is_like(mask, MASK)
        result = decode_rgb(filled[image.stem].read_bytes(), "x")
        assert np.array_equal(result[~mask], original[~mask]), file.name
        assert np.abs(result[12:20, 12:28].astype(int) - 127).max() <= 2
