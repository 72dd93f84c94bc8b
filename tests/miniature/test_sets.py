"""The miniature world on disk: the layout of the archives that it stands for."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from spl.common.errors import DataError
from spl.miniature import draw_image_set, draw_mask_set, draw_pretext_set
from spl.miniature.images import OBJECT_CLASSES, SETS, draw_image

TRAIN, TEST = 9, 6
SPLIT_FOLDERS = {
    "places2": ("train/*/*.jpg", "val/*/*.jpg"),
    "celeba": ("img_align_celeba/*.jpg", None),
    "paris": ("paris_train_original/*.jpg", "paris_eval_gt/*.png"),
}


@pytest.fixture(scope="module")
def archives(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("world")
    for name in SETS:
        draw_image_set(name, folder / name, seed=1, train=TRAIN, test=TEST)
    draw_pretext_set(folder / "pretext", seed=1, train=TRAIN, val=TEST)
    return folder


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("name", ["places2", "paris"])
def test_splits_are_folders(archives: Path, name: str) -> None:
    train, test = SPLIT_FOLDERS[name]
    assert len(list((archives / name).glob(train))) == TRAIN
    assert len(list((archives / name).glob(test))) == TEST


def test_places2_has_the_same_scene_classes_in_both_splits(archives: Path) -> None:
    train, val = ({path.name for path in (archives / "places2" / split).iterdir()} for split in ("train", "val"))
    assert train == val
    assert len(train) >= 3


def test_celeba_lists_its_partition_for_every_file(archives: Path) -> None:
    lines = (archives / "celeba/list_eval_partition.txt").read_text().splitlines()
    files, parts = zip(*(line.split() for line in lines), strict=True)
    assert list(files) == sorted(path.name for path in (archives / "celeba/img_align_celeba").iterdir())
    assert files[0] == "000001.jpg"
    assert parts == ("0",) * TRAIN + ("2",) * TEST


@pytest.mark.parametrize("name", SETS)
def test_annotations_belong_to_files_and_are_normalised(archives: Path, name: str) -> None:
    boxes = pd.read_csv(archives / name / "annotations.csv")
    assert list(boxes) == ["ImageID", "LabelName", "XMin", "XMax", "YMin", "YMax"]
    assert all((archives / name / image).is_file() for image in boxes["ImageID"].unique())
    assert boxes["ImageID"].nunique() == TRAIN + TEST
    check_boxes(boxes)


@pytest.mark.parametrize("name", SETS)
def test_stored_test_pictures_are_the_drawn_ones(archives: Path, name: str) -> None:
    """What is tested carries (almost) no trace of a codec; what is learnt from, little."""
    for split, tolerance in (("test", 0.6), ("train", 2.5)):
        for index in range(3):
            drawn = np.asarray(draw_image(name, seed=1, split=split, index=index).image, dtype=float)
            stored = np.asarray(Image.open(stored_path(archives, name, split, index)), dtype=float)
            assert np.abs(drawn - stored).mean() < tolerance


def test_pretext_tables_agree(archives: Path) -> None:
    folder = archives / "pretext"
    labels, boxes, split = (pd.read_csv(folder / f"{table}.csv", dtype={"ImageID": str})
                            for table in ("labels", "boxes", "split"))  # fmt: skip
    assert list(labels) == ["ImageID", "LabelName", "Confidence"]
    assert list(split) == ["ImageID", "Subset"]
    assert split["Subset"].value_counts().to_dict() == {"train": TRAIN, "val": TEST}
    assert set(split["ImageID"]) == {path.stem for path in (folder / "images").glob("*.jpg")}
    assert set(zip(labels["ImageID"], labels["LabelName"], strict=True)) == set(
        zip(boxes["ImageID"], boxes["LabelName"], strict=True)
    )
    assert not labels.duplicated().any()
    assert (labels["Confidence"] == 1).all()
    check_boxes(boxes)


@pytest.mark.parametrize(
    "draw",
    [
        lambda folder, workers: draw_image_set("celeba", folder, seed=2, train=5, test=3, workers=workers),
        lambda folder, workers: draw_pretext_set(folder, seed=2, train=5, val=3, workers=workers),
        lambda folder, workers: draw_mask_set(folder, seed=2, per_bin=2, workers=workers),
    ],
    ids=["images", "pretext", "masks"],
)
def test_the_number_of_workers_changes_no_byte(draw: Callable[[Path, int], None], tmp_path: Path) -> None:
    draw(tmp_path / "one", 1)
    draw(tmp_path / "two", 2)
    assert contents(tmp_path / "one") == contents(tmp_path / "two")


def test_a_larger_set_begins_with_the_smaller_one(archives: Path, tmp_path: Path) -> None:
    draw_image_set("paris", tmp_path, seed=1, train=2, test=1)
    smaller, larger = contents(tmp_path), contents(archives / "paris")
    assert all(larger[path] == data for path, data in smaller.items() if path != "annotations.csv")


def test_an_unknown_set_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"'pretext'.*places2, celeba, paris"):
        draw_image_set("pretext", tmp_path / "set", seed=0, train=1, test=1)
    assert not (tmp_path / "set").exists()


def check_boxes(boxes: pd.DataFrame) -> None:
    assert set(boxes["LabelName"]) <= set(OBJECT_CLASSES)
    for low, high in (("XMin", "XMax"), ("YMin", "YMax")):
        assert ((boxes[low] >= 0) & (boxes[low] < boxes[high]) & (boxes[high] <= 1)).all()


def stored_path(archives: Path, name: str, split: str, index: int) -> Path:
    train, test = SPLIT_FOLDERS[name]
    if name == "celeba":
        return archives / name / f"img_align_celeba/{index + 1 + (TRAIN if split == 'test' else 0):06d}.jpg"
    files = (archives / name).glob(train if split == "train" else test)
    return sorted(files, key=lambda path: path.name)[index]
