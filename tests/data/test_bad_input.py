"""Bad raw pictures: one clear error, or a listed skip where the experiment allows it; nothing half-written."""

import csv
import errno
import os
import resource
import subprocess
import sys
from contextlib import nullcontext
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from spl.common.errors import DataError, ParamsError, advise
from spl.common.files import read_json
from spl.config.experiment import FoldersLayout, Registered, Supplied
from spl.config.registry import Source, load_registry
from spl.data import prepare_images as preparation
from spl.data.prepare_images import prepare_images
from spl.data.stored import PreparedImages
from spl.sources.fetch import fetch_raw
from spl.steps.settings import ImageSettings, ImageSourceSettings

SIZE = 32
TRAIN = 6


def picture(seed, size=(40, 36)):
    pixels = np.random.default_rng(seed).integers(0, 256, (*reversed(size), 3), dtype=np.uint8)
    return Image.fromarray(pixels)


@pytest.fixture
def pictures(tmp_path):
    """A folder of training and test pictures."""
    for split, count in (("train", TRAIN), ("test", 2)):
        (tmp_path / "raw" / split).mkdir(parents=True)
        for i in range(count):
            picture(10 * i + len(split)).save(tmp_path / f"raw/{split}/{i}.jpg")
    return tmp_path / "raw"


def fetch(folder):
    layout = FoldersLayout(kind="folders", train="train/*", test="test/*")
    source = Supplied(kind="supplied", path=str(folder))
    fetch_raw(ImageSourceSettings(seed=1, dataset="mine", source=source, layout=layout), folder.parent / "mine.json")


def prepare(folder, *, skip=0, size=SIZE, crop=None, workers=1):
    """Fetch and prepare; return the manifest's rows."""
    fetch(folder)
    settings = ImageSettings(seed=1, dataset="mine", crop=crop, image_size=size, validation=0, skip_unreadable=skip)
    prepare_images(settings, folder.parent / "mine.json", folder.parent / "prepared", workers=workers)
    with (folder.parent / "prepared/manifest.csv").open() as file:
        return list(csv.DictReader(file))


BAD = {
    "truncated": (lambda path: path.write_bytes(path.read_bytes()[:-300]), "ends early"),
    "empty": (lambda path: path.write_bytes(b""), r"is empty \(0 bytes\)"),
    "text": (lambda path: path.write_text("see my homepage"), "is text, not a picture"),
    "page": (lambda path: path.write_text("<html>not found</html>"), "is a web page, not a picture"),
    "tiny": (lambda path: picture(0, (1, 1)).save(path), "has 1 x 1 pixels; expected at least"),
    "transparent": (lambda path: picture(0).convert("RGBA").resize((40, 36)).save(path, "PNG"), None),
    "animated": (
        lambda path: picture(0).save(path, "GIF", save_all=True, append_images=[picture(1)]),
        "is an animation",
    ),
    "bomb": (lambda path: Image.new("1", (20_000, 20_000)).save(path, "PNG"), "decompression bomb"),
}


@pytest.mark.parametrize("kind", [kind for kind, (_, message) in BAD.items() if message])
def test_a_bad_training_picture_stops_and_is_named(pictures, kind):
    spoil, message = BAD[kind]
    spoil(pictures / "train/3.jpg")
    with pytest.raises(DataError, match=rf"(?s)1 training pictures cannot be used .*train/3\.jpg.*{message}"):
        prepare(pictures)
    assert not (pictures.parent / "prepared").exists()


@pytest.mark.parametrize("kind", [kind for kind, (_, message) in BAD.items() if message])
def test_a_bad_test_picture_always_stops(pictures, kind):
    spoil, message = BAD[kind]
    spoil(pictures / "test/1.jpg")
    with pytest.raises(DataError, match=rf"test/1\.jpg.*{message}"):
        prepare(pictures, skip=100)
    assert not (pictures.parent / "prepared").exists()


def test_as_many_as_allowed_are_left_out_and_listed(pictures):
    for i, kind in enumerate(("truncated", "empty", "text")):
        BAD[kind][0](pictures / f"train/{i}.jpg")
    with pytest.raises(DataError, match=r"3 training pictures .* datasets\.mine\.skip_unreadable is 2"):
        prepare(pictures, skip=2)
    rows = prepare(pictures, skip=3)
    assert [row["source"] for row in rows if row["split"] == "train"] == [f"train/{i}.jpg" for i in range(3, TRAIN)]
    with (pictures.parent / "prepared/skipped.csv").open() as file:
        skipped = list(csv.DictReader(file))
    assert [row["source"] for row in skipped] == ["train/0.jpg", "train/1.jpg", "train/2.jpg"]
    assert "ends early" in skipped[0]["reason"]
    assert read_json(pictures.parent / "prepared/record.json")["skipped"] == 3


def test_allowing_more_bad_pictures_does_nothing_again(pictures, monkeypatch):
    BAD["truncated"][0](pictures / "train/3.jpg")
    with pytest.raises(DataError):
        prepare(pictures)
    monkeypatch.setattr(preparation, "_prepare", lambda *_: pytest.fail("a finished picture is prepared again"))
    assert len(prepare(pictures, skip=1)) == TRAIN + 1


def test_all_bad_pictures_are_named_at_once(pictures):
    for i in range(TRAIN):
        (pictures / f"train/{i}.jpg").write_bytes(b"")
    with pytest.raises(DataError) as caught:
        prepare(pictures)
    assert all(f"train/{i}.jpg" in str(caught.value) for i in range(TRAIN))


def test_after_a_bad_picture_is_replaced_the_same_command_goes_on(pictures):
    BAD["truncated"][0](pictures / "train/3.jpg")
    with pytest.raises(DataError):
        prepare(pictures)
    picture(7).save(pictures / "train/3.jpg")
    assert len(prepare(pictures)) == TRAIN + 2
    assert not list(pictures.parent.glob(".prepared.partial/*"))


def test_odd_but_sound_pictures_are_taken(pictures):
    picture(0).convert("L").save(pictures / "train/0.jpg")
    picture(0).convert("CMYK").save(pictures / "train/1.jpg")
    picture(0).quantize(16).save(pictures / "train/2.jpg", "PNG")
    BAD["transparent"][0](pictures / "train/3.jpg")  # with an alpha channel that is opaque everywhere
    Image.fromarray(np.full((40, 40), 40_000, np.uint16)).save(pictures / "train/4.jpg", "PNG")
    rows = prepare(pictures)
    assert len(rows) == TRAIN + 2
    images = PreparedImages(pictures.parent / "prepared/manifest.csv", split="train")
    assert images.pixels(4).max() == 40_000 >> 8  # not clipped to white


def test_a_picture_smaller_than_the_crop_is_named(pictures):
    with pytest.raises(DataError, match=r"test/0\.jpg: expected at least 38 x 38 pixels .* got 40 x 36"):
        prepare(pictures, crop=38, skip=TRAIN)


# --- Pictures of the network's size -----------------------------------------------------------------------------------


@pytest.mark.parametrize("workers", [1, 2])
def test_pictures_of_the_networks_size_stay_where_they_are(pictures, workers, monkeypatch):
    monkeypatch.setattr("spl.common.shards.SHARD_ROWS", 2)
    picture(1, (SIZE, SIZE)).save(pictures / "train/0.jpg", quality=95)
    picture(2, (SIZE, SIZE)).save(pictures / "test/0.jpg", "PNG")
    rows = {row["source"]: row for row in prepare(pictures, workers=workers)}
    referenced = [source for source, row in rows.items() if row["container"]]
    assert referenced == ["train/0.jpg", "test/0.jpg"]
    assert len(list((pictures.parent / "prepared").rglob("*.png"))) == TRAIN
    images = PreparedImages(pictures.parent / "prepared/manifest.csv", split="train")
    assert images.content(0) == (pictures / "train/0.jpg").read_bytes()
    assert np.array_equal(images.pixels(0, size=SIZE), np.asarray(Image.open(pictures / "train/0.jpg").convert("RGB")))


def test_a_rotated_picture_counts_by_what_is_seen(pictures):
    exif = Image.Exif()
    exif[0x0112] = 6
    picture(1, (SIZE, SIZE)).save(pictures / "train/0.jpg", exif=exif)
    assert prepare(pictures)[0]["container"]
    images = PreparedImages(pictures.parent / "prepared/manifest.csv", split="train")
    upright = np.rot90(np.asarray(Image.open(pictures / "train/0.jpg")), -1)
    assert np.array_equal(images.pixels(0), upright)


def test_a_referenced_picture_that_was_replaced_is_noticed(pictures):
    picture(1, (SIZE, SIZE)).save(pictures / "train/0.jpg")
    prepare(pictures)
    picture(2, (SIZE, SIZE)).save(pictures / "train/0.jpg", quality=50)
    images = PreparedImages(pictures.parent / "prepared/manifest.csv", split="train")
    with pytest.raises(DataError, match=r"train/0\.jpg was replaced since it was listed"):
        images.content(0)


def test_a_picture_in_both_training_and_test_set_is_reported(pictures, capsys):
    (pictures / "test/1.jpg").write_bytes((pictures / "train/0.jpg").read_bytes())
    prepare(pictures)
    assert "1 test pictures of mine are also training pictures" in capsys.readouterr().err
    assert read_json(pictures.parent / "prepared/record.json")["in_train_and_test"] == 1


# --- The disk ---------------------------------------------------------------------------------------------------------


def spl(folder, *arguments, limit=None):
    def restrict():
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))

    command = [sys.executable, "-m", "spl", *map(str, arguments)]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    return subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, timeout=120,
        preexec_fn=restrict if limit else None,
    )  # fmt: skip


def test_a_disk_that_is_full_says_so_and_the_same_command_goes_on(pictures, raw_params, write_params):
    fetch(pictures)
    folder = write_params(raw_params).parent
    command = ("prepare-images", "--dataset", "paris", "--source", folder / "mine.json", "--out", folder / "out")
    full = spl(folder, *command, limit=2_000)  # bytes a file may have: the same fault, without filling a disk
    assert full.returncode == 1
    assert "Make room, then run the same command" in full.stderr
    assert "out" in full.stderr
    assert "Traceback" not in full.stderr
    assert not (folder / "out").exists()
    assert spl(folder, *command).returncode == 0
    assert (folder / "out/manifest.csv").exists()


def test_a_target_that_may_not_be_written_says_so(pictures, monkeypatch):
    fetch(pictures)

    def refuse(*_, **__):
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    monkeypatch.setattr(preparation, "write_record", refuse)
    with pytest.raises(OSError) as caught:
        prepare(pictures)
    assert caught.value.filename == str(pictures.parent / "prepared")
    assert "another folder" in advise(caught.value)
    assert not (pictures.parent / "prepared").exists()


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES])
def test_faults_of_the_disk_have_an_advice_and_others_have_none(code):
    assert advise(OSError(code, "")).endswith(".")
    assert advise(OSError(errno.EIO, "")) is None


# --- The registry -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("published", "faulty"), [(TRAIN, False), (TRAIN + 1, True), (TRAIN - 1, True)])
def test_another_number_of_pictures_than_published_is_an_error(pictures, monkeypatch, published, faulty):
    monkeypatch.chdir(pictures.parent)
    source = Source(
        title="My pictures", kind="images", folder="raw", files=(), pictures={"train": published, "test": 2},
        by_hand="Ask me.", licence="none", citation="none", checked="never",
    )  # fmt: skip
    layout = FoldersLayout(kind="folders", train="train/*", test="test/*")
    settings = ImageSourceSettings(
        seed=1, dataset="mine", source=Registered(kind="registered", name="mine"), layout=layout
    )
    expected = (
        pytest.raises(DataError, match=f"expected {published} train images, as published, got {TRAIN}")
        if faulty
        else nullcontext()
    )
    with expected:
        fetch_raw(settings, Path("mine.json"), registry={"mine": source})
    assert Path("mine.json").exists() != faulty


def test_a_source_that_is_not_registered_lists_those_that_are(tmp_path):
    settings = ImageSourceSettings(
        seed=1, dataset="mine", source=Registered(kind="registered", name="places366"),
        layout=FoldersLayout(kind="folders", train="*", test="*"),
    )  # fmt: skip
    known = load_registry()
    with pytest.raises(ParamsError, match=r"no images 'places366'; it has places365_easy, .*celeba"):
        fetch_raw(settings, tmp_path / "mine.json", registry=known)
