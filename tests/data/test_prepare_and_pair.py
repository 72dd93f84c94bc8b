"""Raw files become prepared images and published pairs, the same on every machine."""

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from spl.config import Dataset, Masks
from spl.data.masks import group_masks
from spl.data.pairing import pair_masks
from spl.data.prepare import prepare_images
from spl.data.sources import fetch_images, fetch_masks
from spl.errors import DataError
from spl.files import read_json, sha256
from spl.settings import DataSettings, ImageSourceSettings, MaskSettings, PairSettings

TEST_IMAGES = 12


def source_settings(dataset):
    """The part of a dataset's settings that decides its raw files."""
    return ImageSourceSettings(
        seed=dataset.seed, name=dataset.name, source=dataset.dataset.source, layout=dataset.dataset.layout
    )


def paris_settings(seed=1):
    source = {"kind": "miniature", "scene": "paris", "train": 6, "test": TEST_IMAGES}
    return DataSettings(
        seed=seed,
        name="paris",
        dataset=Dataset(source=source, layout={"kind": "paris"}, crop=None, image_size=32),
    )


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """A prepared miniature set and grouped masks."""
    folder = tmp_path_factory.mktemp("world")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        fetch_images(source_settings(paris_settings()), folder / "paris.json", workers=1)
        prepare_images(paris_settings(), folder / "paris.json", folder / "prepared", workers=2)
        masks = MaskSettings(
            seed=1, masks=Masks(source={"kind": "miniature", "per_bin": 2}, glob="*/*.png", hole="white")
        )
        fetch_masks(masks, folder / "masks.json", workers=1)
        group_masks(masks, folder / "masks.json", folder / "masks", workers=2)
    return folder


def pair(world, out, *, seed=1, pairs="balanced"):
    settings = PairSettings(seed=seed, dataset="paris", image_size=32, pairs=pairs)
    pair_masks(settings, world / "prepared/manifest.csv", world / "masks/masks.csv", out / "p.csv", out / "p.json")
    return pd.read_csv(out / "p.csv", keep_default_na=False)


def test_manifest_lists_every_prepared_picture_with_its_hash(world):
    manifest = pd.read_csv(world / "prepared/manifest.csv")
    assert manifest["split"].value_counts().to_dict() == {"test": TEST_IMAGES, "train": 6}
    for row in manifest.itertuples():
        path = world / "prepared" / row.file
        assert sha256(path) == row.sha256
        assert Image.open(path).size == (32, 32)


def test_preparation_does_not_depend_on_the_number_of_workers(world, tmp_path, monkeypatch):
    monkeypatch.chdir(world)
    prepare_images(paris_settings(), world / "paris.json", tmp_path / "again", workers=1)
    assert (tmp_path / "again/manifest.csv").read_bytes() == (world / "prepared/manifest.csv").read_bytes()


def test_an_unreadable_picture_is_named_and_nothing_is_half_written(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    fetch_images(source_settings(paris_settings()), tmp_path / "paris.json", workers=1)
    victim = next((tmp_path / "data/raw/miniature/images/paris/paris_train_original").iterdir())
    victim.write_bytes(b"broken")
    with pytest.raises(DataError, match=victim.name):
        prepare_images(paris_settings(), tmp_path / "paris.json", tmp_path / "prepared", workers=2)
    assert not list(tmp_path.glob("*prepared*"))


def test_a_folder_that_is_missing_says_what_to_place_where(tmp_path):
    settings = DataSettings(
        seed=1,
        name="paris",
        dataset=Dataset(
            source={"kind": "supplied", "path": str(tmp_path / "none")},
            layout={"kind": "paris"},
            crop=None,
            image_size=32,
        ),
    )
    with pytest.raises(DataError, match="Place the pictures of the dataset 'paris' there"):
        fetch_images(source_settings(settings), tmp_path / "paris.json", workers=1)


def test_every_test_image_gets_one_mask_and_both_are_hashed(world, tmp_path):
    table = pair(world, tmp_path)
    manifest = pd.read_csv(world / "prepared/manifest.csv").set_index("file")
    assert table["image"].tolist() == [file for file in manifest.index if file.startswith("test/")]
    for row in table.itertuples():
        assert row.image_sha256 == manifest.loc[row.image, "sha256"]
        assert row.mask_sha256 == sha256(world / "masks" / row.mask)


def test_balanced_pairs_fill_every_bin_equally(world, tmp_path):
    assert set(pair(world, tmp_path)["ratio_bin"].value_counts()) == {TEST_IMAGES // 6}


@pytest.mark.parametrize("draw", ["balanced", "uniform"])
def test_masks_repeat_only_when_all_were_used(world, tmp_path, draw):
    assert pair(world, tmp_path, pairs=draw)["mask"].value_counts().max() == 1  # 12 masks, 12 images


def test_pairs_follow_from_the_seed(world, tmp_path):
    first = pair(world, tmp_path)
    assert first.equals(pair(world, tmp_path))
    assert not first.equals(pair(world, tmp_path, seed=2))


def test_the_record_counts_masks_that_change_their_bin_by_resizing(world, tmp_path):
    table = pair(world, tmp_path)
    record = read_json(tmp_path / "p.json")
    assert record["changed_bin_by_resizing"] == int((table["ratio_bin"] != table["network_ratio_bin"]).sum())
    assert sum(record["pairs_per_bin"].values()) == TEST_IMAGES
    assert np.abs(table["hole_ratio"] - table["network_hole_ratio"]).max() < 0.05


def test_drawing_never_touches_what_a_person_has_placed(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    placed = tmp_path / "data/raw/paris/paris_eval_gt/001_im.png"
    placed.parent.mkdir(parents=True)
    placed.write_text("precious")
    fetch_images(source_settings(paris_settings()), tmp_path / "paris.json", workers=1)
    assert placed.read_text() == "precious"


def test_fetching_again_notices_replaced_files(tmp_path):
    folder = tmp_path / "pictures"
    folder.mkdir()
    for name in "abc":
        Image.new("RGB", (40, 40)).save(folder / f"{name}.png")
    layout = {"kind": "folder", "glob": "*.png", "test_fraction": 0.3}
    source = {"kind": "supplied", "path": str(folder)}
    settings = ImageSourceSettings(seed=1, name="mine", source=source, layout=layout)

    def fingerprint():
        fetch_images(settings, tmp_path / "mine.json", workers=1)
        return read_json(tmp_path / "mine.json")["fingerprint"]

    first = fingerprint()
    assert fingerprint() == first
    Image.new("RGB", (41, 40), "red").save(folder / "b.png")
    assert fingerprint() != first
