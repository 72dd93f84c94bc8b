"""Raw files become prepared images and published pairs, the same on every machine."""

import hashlib

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from spl.common.errors import DataError
from spl.common.files import read_json, sha256
from spl.data.group_masks import group_masks
from spl.data.pair_masks import limit_pairs, pair_masks, spread_over_hole_ratios
from spl.data.prepare_images import prepare_images
from spl.data.stored import GroupedMasks
from spl.sources.fetch import fetch_raw
from spl.steps.settings import ImageSettings, ImageSourceSettings, MaskSettings, MaskSourceSettings, PairSettings
from spl.tensors import loaders

TRAIN_IMAGES, TEST_IMAGES = 6, 12


SOURCE = ImageSourceSettings(
    seed=1,
    dataset="paris",
    source={"kind": "miniature", "scene": "paris", "train": TRAIN_IMAGES, "test": TEST_IMAGES},
    layout={"kind": "paris"},
)


def paris_settings(seed=1, validation=0):
    return ImageSettings(seed=seed, dataset="paris", crop=None, image_size=32, validation=validation, skip_unreadable=0)


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """A prepared miniature set and grouped masks."""
    folder = tmp_path_factory.mktemp("world")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        fetch_raw(SOURCE, folder / "paris.json")
        prepare_images(paris_settings(), folder / "paris.json", folder / "prepared", workers=2)
        masks = MaskSourceSettings(seed=1, source={"kind": "miniature", "per_bin": 2}, glob="*/*.png")
        fetch_raw(masks, folder / "masks.json", workers=1)
        group_masks(MaskSettings(hole="white"), folder / "masks.json", folder / "masks", workers=2)
    return folder


def pair(world, out, *, seed=1, pairs="balanced", per_image=1, split="test", images="prepared", masks=None):
    settings = PairSettings(
        seed=seed, dataset="paris", image_size=32, split=split, pairs=pairs, masks_per_image=per_image
    )
    pair_masks(settings, world / images / "manifest.csv", masks or world / "masks/masks.csv", out / "p.csv")
    return pd.read_csv(out / "p.csv", keep_default_na=False)


def test_manifest_lists_every_prepared_image_with_its_hash(world, tmp_path, monkeypatch):
    manifest = pd.read_csv(world / "prepared/manifest.csv")
    assert manifest["split"].value_counts().to_dict() == {"test": TEST_IMAGES, "train": TRAIN_IMAGES}
    for row in manifest.itertuples():
        path = world / "prepared" / row.file
        assert sha256(path) == row.sha256
        assert Image.open(path).size == (32, 32)
    monkeypatch.chdir(world)
    prepare_images(paris_settings(), world / "paris.json", tmp_path / "one", workers=1)  # and not 2
    assert (tmp_path / "one/manifest.csv").read_bytes() == (world / "prepared/manifest.csv").read_bytes()


# --- Validation images ------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def held_out(world):
    """The same set with two training images held out, and with two others, by another seed."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(world)
        for seed, folder in ((1, "held_out"), (2, "otherwise")):
            prepare_images(paris_settings(seed, validation=2), world / "paris.json", world / folder, workers=1)
    return world


def sources_of(world, folder, split):
    manifest = pd.read_csv(world / folder / "manifest.csv")
    return set(manifest.loc[manifest["split"] == split, "source"])


def test_validation_images_are_taken_from_training_and_never_from_the_test_images(held_out):
    train, validation, test = (sources_of(held_out, "held_out", split) for split in ("train", "validation", "test"))
    assert (len(train), len(validation)) == (TRAIN_IMAGES - 2, 2)
    assert train | validation == sources_of(held_out, "prepared", "train")
    assert not train & validation
    assert test == sources_of(held_out, "prepared", "test")
    assert validation != sources_of(held_out, "otherwise", "validation")  # they follow from the seed
    manifest = pd.read_csv(held_out / "held_out/manifest.csv")
    assert (manifest["file"].str.split("/").str[0] == manifest["split"]).all()
    assert read_json(held_out / "held_out/record.json")["images"]["validation"] == 2


def test_pairs_are_drawn_for_the_evaluated_split(held_out, tmp_path):
    table = pair(held_out, tmp_path, split="validation", images="held_out")
    assert len(table) == 2
    assert table["image"].str.startswith("validation/").all()
    with pytest.raises(DataError, match="cannot pair 0 validation images"):
        pair(held_out, tmp_path, split="validation")


def test_holding_out_everything_is_rejected(world, tmp_path, monkeypatch):
    monkeypatch.chdir(world)
    with pytest.raises(DataError, match=r"datasets\.paris\.validation holds out 6 of 6 training images, which leaves"):
        prepare_images(paris_settings(validation=TRAIN_IMAGES), world / "paris.json", tmp_path / "none", workers=1)
    assert list(tmp_path.iterdir()) == []


# --- Faults -----------------------------------------------------------------------------------------------------------


def test_a_folder_that_is_missing_says_what_to_place_where(tmp_path):
    source = {"kind": "supplied", "path": str(tmp_path / "none")}
    with pytest.raises(DataError, match="Place the images of the dataset 'paris' there"):
        fetch_raw(SOURCE.model_validate(SOURCE.model_dump() | {"source": source}), tmp_path / "paris.json")


# --- Pairs ------------------------------------------------------------------------------------------------------------


def test_every_test_image_gets_one_mask_and_both_are_hashed(world, tmp_path):
    table = pair(world, tmp_path)
    manifest = pd.read_csv(world / "prepared/manifest.csv").set_index("file")
    assert table["image"].tolist() == [file for file in manifest.index if file.startswith("test/")]
    masks = GroupedMasks(world / "masks/masks.csv", names=table["mask"])
    for i, row in enumerate(table.itertuples()):
        assert row.image_sha256 == manifest.loc[row.image, "sha256"]
        assert row.mask_sha256 == hashlib.sha256(masks.content(i)).hexdigest()
    record = read_json(tmp_path / "p.json")
    assert record["changed_bin_by_resizing"] == int((table["ratio_bin"] != table["network_ratio_bin"]).sum())
    assert sum(record["pairs_per_bin"].values()) == TEST_IMAGES
    assert np.abs(table["hole_ratio"] - table["network_hole_ratio"]).max() < 0.05


def test_balanced_pairs_fill_every_bin_equally(world, tmp_path):
    assert set(pair(world, tmp_path)["ratio_bin"].value_counts()) == {TEST_IMAGES // 6}


@pytest.mark.parametrize("draw", ["balanced", "uniform"])
def test_masks_repeat_only_when_all_were_used_and_follow_from_the_seed(world, tmp_path, draw):
    first, again, other = (pair(world, tmp_path, pairs=draw, seed=seed) for seed in (1, 1, 2))
    assert first["mask"].value_counts().max() == 1  # 12 masks, 12 images
    assert first.equals(again)
    assert not first.equals(other)


@pytest.mark.parametrize("draw", ["balanced", "uniform"])
def test_further_masks_of_an_image_follow_the_first_which_stay_as_they_are(world, tmp_path, draw):
    for per_image in (1, 3):
        (tmp_path / str(per_image)).mkdir()
        table = pair(world, tmp_path / str(per_image), pairs=draw, per_image=per_image)
    one, three = ((tmp_path / name / "p.csv").read_text() for name in "13")
    assert three.startswith(one)
    rounds = [table.iloc[first : first + TEST_IMAGES].reset_index(drop=True) for first in range(0, 36, TEST_IMAGES)]
    for round_ in rounds:
        assert round_["image"].equals(rounds[0]["image"])
        assert round_["mask"].value_counts().max() == 1
    assert not rounds[1]["mask"].equals(rounds[2]["mask"])
    assert sum(read_json(tmp_path / "3/p.json")["pairs_per_bin"].values()) == 3 * TEST_IMAGES


THIN = np.pad(np.ones((256, 1), bool), ((0, 0), (5, 250)))
"""A scratch between the pixels that 32 x 32 pixels are picked from."""


@pytest.fixture
def with_thin(world, tmp_path, monkeypatch):
    """A function that groups the world's masks beside `count` scratches; it returns the folder."""
    monkeypatch.chdir(tmp_path)

    def make(count, *, others=True):
        raw = tmp_path / "raw"
        raw.mkdir()
        table = pd.read_csv(world / "masks/masks.csv", keep_default_na=False)
        for source in table["source"] if others else ():
            (raw / source).parent.mkdir(exist_ok=True)
            (raw / source).write_bytes((world / "data/raw/miniature/masks" / source).read_bytes())
        (raw / "00-10").mkdir(exist_ok=True)
        for i in range(count):
            Image.fromarray(THIN).save(raw / f"00-10/scratch{i}.png")
        fetch_raw(MaskSourceSettings(seed=1, source={"kind": "supplied", "path": str(raw)}, glob="*/*.png"),
                  tmp_path / "masks.json", workers=1)  # fmt: skip
        group_masks(MaskSettings(hole="white"), tmp_path / "masks.json", tmp_path / "masks", workers=1)
        return tmp_path / "masks/masks.csv"

    return make


def test_masks_whose_hole_vanishes_are_left_out_and_the_others_drawn_as_if_there_were_no_such(
    world, tmp_path, with_thin, capsys
):
    masks = with_thin(3)
    capsys.readouterr()
    for draw in ("balanced", "uniform"):
        found, expected = pair(world, tmp_path, pairs=draw, masks=masks), pair(world, tmp_path, pairs=draw)
        same = ["image", "mask_source", "mask_sha256", "hole_ratio", "network_hole_ratio"]
        assert found[same].equals(expected[same])
        assert (found["network_hole_ratio"] > 0).all()
        said = f"3 of 15 masks of {masks} have no hole at 32 x 32 pixels and are left out\n"
        assert capsys.readouterr().err == said
        assert read_json(tmp_path / "p.json")["without_hole_at_network_size"] == 0  # the world's own
    pair(world, tmp_path, masks=masks)
    assert read_json(tmp_path / "p.json")["without_hole_at_network_size"] == 3


def test_training_draws_again_where_a_hole_vanishes_and_else_as_ever(world, with_thin):
    world_masks, mixed = GroupedMasks(world / "masks/masks.csv"), GroupedMasks(with_thin(40))
    rng, same = np.random.default_rng(1), np.random.default_rng(1)
    for _ in range(20):
        assert np.array_equal(world_masks.draw(rng, 32), world_masks.hole(int(same.integers(12)), 32))
    assert rng.random() == same.random()
    assert sum(not mixed.hole(int(same.integers(52)), 32).any() for _ in range(20)) > 5
    assert all(mixed.draw(rng, 32).any() for _ in range(20))


def test_a_set_of_scratches_is_refused_by_pairing_and_by_training(world, tmp_path, with_thin):
    masks = with_thin(3, others=False)
    with pytest.raises(DataError, match=r"0 usable masks of .*masks\.csv that have a hole at 32 x 32 pixels"):
        pair(world, tmp_path, masks=masks)
    with pytest.raises(DataError, match=r"masks\.csv: 1,000 masks in a row have no hole at 32 x 32 pixels"):
        GroupedMasks(masks).draw(np.random.default_rng(0), 32)


def test_a_pair_without_a_hole_is_never_measured(world, tmp_path, with_thin, monkeypatch):
    """Such pairs may come from earlier versions."""
    masks = with_thin(3)
    monkeypatch.setattr("spl.data.stored.resize_mask", lambda mask, size: np.ones((size, size), bool))
    table = pair(world, tmp_path, masks=masks)
    monkeypatch.undo()
    pairs = loaders.TestPairs(tmp_path / "p.csv", world / "prepared/manifest.csv", masks, image_size=32)
    thin = int(np.flatnonzero(table["mask_source"].str.contains("scratch"))[0])
    with pytest.raises(DataError, match=r"p\.csv: \d+\.png has no hole at this size\. Run: snakemake"):
        pairs[thin]


def test_drawing_never_touches_what_a_person_has_placed(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    placed = tmp_path / "data/raw/paris/paris_eval_gt/001_im.png"
    placed.parent.mkdir(parents=True)
    placed.write_text("precious")
    fetch_raw(SOURCE, tmp_path / "paris.json")
    assert placed.read_text() == "precious"


@given(hole_ratios=st.lists(st.floats(0.01, 0.6), min_size=1, max_size=40), count=st.integers(1, 50))
def test_every_equal_part_of_the_ranks_gives_one_row(hole_ratios, count):
    rows = spread_over_hole_ratios(np.array(hole_ratios), count)
    by_ratio = sorted(range(len(hole_ratios)), key=lambda row: (hole_ratios[row], row))
    if count >= len(hole_ratios):
        assert rows == by_ratio
        return
    assert len(set(rows)) == len(rows) == count
    part = len(hole_ratios) / count
    for i, rank in enumerate(map(by_ratio.index, rows)):
        assert i * part - 1 < rank < (i + 1) * part


@pytest.mark.parametrize("draw", ["balanced", "uniform"])
@pytest.mark.parametrize("per_image", [1, 2])
def test_a_limit_keeps_images_of_every_bin_with_all_their_masks_in_their_order(world, tmp_path, draw, per_image):
    pairs = pair(
        world, tmp_path, pairs=draw, per_image=per_image
    )  # 12 images; all 12 masks, 2 of every bin, come first
    kept = limit_pairs(pairs, 6)
    images = pairs["image"][:TEST_IMAGES]
    assert kept["image"].tolist() == [name for name in images if name in set(kept["image"])] * per_image
    assert kept["ratio_bin"][:6].is_unique
    assert kept.equals(pairs[pairs["image"].isin(kept["image"])].reset_index(drop=True))
    for no_limit in (None, TEST_IMAGES, 500):
        assert limit_pairs(pairs, no_limit).equals(pairs)
