"""Bad raw images: one clear error, or a listed skip where the experiment allows it; nothing half-written."""

import errno
import os
import resource
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from spl.common.errors import DataError, ParamsError, advise
from spl.common.files import read_json
from spl.config.experiment import FolderLayout, FoldersLayout, Registered, Supplied
from spl.config.registry import Source, load_registry
from spl.data import prepare_images as preparation
from spl.data.prepare_images import prepare_images
from spl.data.stored import PreparedImages
from spl.sources.fetch import fetch_raw
from spl.steps.settings import ImageSettings, ImageSourceSettings

SIZE = 32
TRAIN = 6
LAYOUT = FoldersLayout(kind="folders", train="train/*", test="test/*")


def noise(seed, size=(40, 36)):
    pixels = np.random.default_rng(seed).integers(0, 256, (*reversed(size), 3), dtype=np.uint8)
    return Image.fromarray(pixels)


@pytest.fixture
def raw(tmp_path):
    """A folder of training and test images."""
    for split, count in (("train", TRAIN), ("test", 2)):
        (tmp_path / "raw" / split).mkdir(parents=True)
        for i in range(count):
            noise(10 * i + len(split)).save(tmp_path / f"raw/{split}/{i}.jpg")
    return tmp_path / "raw"


def fetch(raw, source=None, registry=None, layout=LAYOUT):
    source = source or Supplied(kind="supplied", path=str(raw))
    settings = ImageSourceSettings(seed=1, dataset="mine", source=source, layout=layout)
    fetch_raw(settings, raw.parent / "mine.json", registry=registry)


def prepare(raw, *, skip=0, crop=None, workers=1):
    """Fetch and prepare; return the manifest."""
    fetch(raw)
    settings = ImageSettings(seed=1, dataset="mine", crop=crop, image_size=SIZE, validation=0, skip_unreadable=skip)
    prepare_images(settings, raw.parent / "mine.json", raw.parent / "prepared", workers=workers)
    return pd.read_csv(raw.parent / "prepared/manifest.csv", keep_default_na=False)


def train_images(raw):
    return PreparedImages(raw.parent / "prepared/manifest.csv", split="train")


def cut(path):
    path.write_bytes(path.read_bytes()[:-300])


@pytest.mark.parametrize(
    ("file", "skip", "message"),
    [
        ("train/3.jpg", 0, r"(?s)1 training images cannot be used .*train/3\.jpg ends early.*Replace or remove them"),
        ("test/1.jpg", 100, r"test/1\.jpg ends early"),
    ],
)
def test_a_bad_image_stops_and_is_named_always_in_the_test_set(raw, file, skip, message):
    cut(raw / file)
    with pytest.raises(DataError, match=message):
        prepare(raw, skip=skip)
    assert not (raw.parent / "prepared").exists()


def test_as_many_as_allowed_are_left_out_and_listed(raw):
    cut(raw / "train/0.jpg")
    for i in (1, 2):
        (raw / f"train/{i}.jpg").write_bytes(b"")
    with pytest.raises(DataError, match=r"3 training images .* datasets\.mine\.skip_unreadable is 2") as caught:
        prepare(raw, skip=2)
    assert all(f"train/{i}.jpg" in str(caught.value) for i in range(3))
    manifest = prepare(raw, skip=3)
    assert manifest.loc[manifest["split"] == "train", "source"].tolist() == [f"train/{i}.jpg" for i in range(3, TRAIN)]
    skipped = pd.read_csv(raw.parent / "prepared/skipped.csv")
    assert skipped["source"].tolist() == [f"train/{i}.jpg" for i in range(3)]
    assert "ends early" in skipped["reason"][0]
    assert read_json(raw.parent / "prepared/record.json")["skipped"] == 3


def test_what_was_prepared_before_a_bad_image_is_kept(raw, monkeypatch):
    cut(raw / "train/3.jpg")
    with pytest.raises(DataError):
        prepare(raw)
    with monkeypatch.context() as patch:  # more may be left out now
        patch.setattr(preparation, "_prepare", lambda *_: pytest.fail("a finished image is prepared again"))
        assert len(prepare(raw, skip=1)) == TRAIN + 1
    noise(7).save(raw / "train/3.jpg")
    assert len(prepare(raw)) == TRAIN + 2
    assert not list(raw.parent.glob(".prepared.partial/*"))


def test_an_image_smaller_than_the_crop_is_named(raw):
    with pytest.raises(DataError, match=r"test/0\.jpg: expected at least 38 x 38 pixels .* got 40 x 36\. Replace"):
        prepare(raw, crop=38, skip=TRAIN)


def test_fetching_again_notices_replaced_files(raw):
    listings = set()
    for seed in (1, 1, 2):
        noise(seed).save(raw / "train/3.jpg")
        fetch(raw)
        listings.add(read_json(raw.parent / "mine.json")["outputs"]["listing"]["sha256"])
    assert len(listings) == 2


# --- Images of the network's size -------------------------------------------------------------------------------------


@pytest.mark.parametrize("workers", [1, 2])
def test_images_of_the_networks_size_stay_where_they_are(raw, workers, monkeypatch):
    monkeypatch.setattr("spl.common.shards.SHARD_ROWS", 2)
    noise(1, (SIZE, SIZE)).save(raw / "train/0.jpg", quality=95)
    noise(2, (SIZE, SIZE)).save(raw / "test/0.jpg", "PNG")
    manifest = prepare(raw, workers=workers)
    assert manifest.loc[manifest["container"] != "", "source"].tolist() == ["train/0.jpg", "test/0.jpg"]
    assert len(list((raw.parent / "prepared").rglob("*.png"))) == TRAIN
    assert train_images(raw).content(0) == (raw / "train/0.jpg").read_bytes()
    pixels = np.asarray(Image.open(raw / "train/0.jpg").convert("RGB"))
    assert np.array_equal(train_images(raw).pixels(0, size=SIZE), pixels)


def test_a_rotated_image_counts_by_what_is_seen(raw):
    exif = Image.Exif()
    exif[0x0112] = 6
    noise(1, (SIZE, SIZE)).save(raw / "train/0.jpg", exif=exif)
    assert prepare(raw)["container"][0]
    assert np.array_equal(train_images(raw).pixels(0), np.rot90(np.asarray(Image.open(raw / "train/0.jpg")), -1))


def test_a_referenced_image_that_was_replaced_is_noticed(raw):
    noise(1, (SIZE, SIZE)).save(raw / "train/0.jpg")
    prepare(raw)
    noise(2, (SIZE, SIZE)).save(raw / "train/0.jpg", quality=50)
    with pytest.raises(DataError, match=r"train/0\.jpg was replaced since it was listed"):
        train_images(raw).content(0)


def test_an_image_in_both_training_and_test_set_is_reported(raw, capsys):
    (raw / "test/1.jpg").write_bytes((raw / "train/0.jpg").read_bytes())
    prepare(raw)
    assert "1 test images of mine are also training images" in capsys.readouterr().err
    assert read_json(raw.parent / "prepared/record.json")["in_train_and_test"] == 1


def test_where_the_split_is_drawn_no_pixels_stand_in_both_sets(tmp_path, capsys):
    """Twelve images, each in two files of other bytes, of the network's size or larger."""
    (tmp_path / "raw").mkdir()
    for i in range(12):
        for level in (0, 9):
            image = noise(i, (SIZE, SIZE) if i % 2 else (SIZE + 8, SIZE))
            image.save(tmp_path / f"raw/{i}_{level}.png", compress_level=level)
    fetch(tmp_path / "raw", layout=FolderLayout(kind="folder", glob="*", test_fraction=0.5))
    settings = ImageSettings(seed=1, dataset="mine", crop=None, image_size=SIZE, validation=0, skip_unreadable=0)
    prepare_images(settings, tmp_path / "mine.json", tmp_path / "prepared", workers=1)
    manifest, record = tmp_path / "prepared/manifest.csv", read_json(tmp_path / "prepared/record.json")
    train, test = (PreparedImages(manifest, split=split) for split in ("train", "test"))
    seen = [{images.pixels(i).tobytes() for i in range(len(images))} for images in (train, test)]
    assert not seen[0] & seen[1]
    left_out = record["in_train_and_test"]
    assert record["images"] == {"train": len(train), "test": len(test)} == {"train": 12, "test": 12 - left_out}
    assert (
        f"warning: {left_out} test images of mine are also training images, and are left out\n"
        in capsys.readouterr().err
    )


# --- The disk ---------------------------------------------------------------------------------------------------------


def test_a_disk_that_is_full_says_so_and_the_same_command_goes_on(raw, raw_params, write_params, spl):
    fetch(raw)
    folder = write_params(raw_params).parent
    command = ("prepare-images", "--dataset", "paris", "--source", folder / "mine.json", "--out", folder / "out")
    full = subprocess.run(
        [sys.executable, "-m", "spl", *map(str, command)], cwd=folder, capture_output=True, text=True, timeout=120,
        # Without compiled files, which would be cut, too, and kept.
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path), "PYTHONDONTWRITEBYTECODE": "1"},
        # Bytes a file may have: the same fault, without filling a disk.
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (2_000, 2_000)),
    )  # fmt: skip
    assert full.returncode == 1
    assert "Make room, then run the same command" in full.stderr
    assert "out" in full.stderr
    assert "Traceback" not in full.stderr
    assert not (folder / "out").exists()
    assert spl(*command, cwd=folder).status == 0
    assert (folder / "out/manifest.csv").exists()


def test_a_target_that_may_not_be_written_says_so(raw, monkeypatch):
    def refuse(*_, **__):
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    monkeypatch.setattr(preparation, "write_record", refuse)
    with pytest.raises(OSError) as caught:
        prepare(raw)
    assert caught.value.filename == str(raw.parent / "prepared")
    assert "another folder" in advise(caught.value)
    assert not (raw.parent / "prepared").exists()


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES])
def test_faults_of_the_disk_have_an_advice_and_others_have_none(code):
    assert advise(OSError(code, "")).endswith(".")
    assert advise(OSError(errno.EIO, "")) == ""


# --- The registry -----------------------------------------------------------------------------------------------------


def test_another_number_of_images_than_published_is_an_error(raw, monkeypatch):
    monkeypatch.chdir(raw.parent)
    (raw.parent / "data").mkdir()
    (raw.parent / "data/raw").symlink_to(raw)
    source = Source(
        title="Mine", kind="images", folder="data/raw", files=(), images={"train": TRAIN, "test": 2},
        by_hand="Ask me.", licence="none", citation="none", checked="never",
    )  # fmt: skip
    registered = Registered(kind="registered", name="mine")
    fetch(raw, registered, {"mine": source})
    for published in (TRAIN + 1, TRAIN - 1):
        other = source.model_copy(update={"images": {"train": published, "test": 2}})
        with pytest.raises(DataError, match=f"expected {published} train images, as published, got {TRAIN}"):
            fetch(raw, registered, {"mine": other})


def test_a_source_that_is_not_registered_lists_those_that_are(raw):
    with pytest.raises(ParamsError, match=r"no images 'places366'; it has places365_easy, .*celeba"):
        fetch(raw, Registered(kind="registered", name="places366"), load_registry())
