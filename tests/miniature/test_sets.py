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
SCENES = ["village", "street", "harbor", "orchard"]


@pytest.fixture(scope="module")
def archives(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("world")
    for name in SETS:
        draw_image_set(name, folder / name, seed=1, train=TRAIN, test=TEST)
    draw_pretext_set(folder / "pretext", seed=1, train=TRAIN, val=TEST)
    return folder


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


FILES = {
    "places2": (
        [f"train/{SCENES[i % 4]}/{i + 1:08d}.jpg" for i in range(TRAIN)],
        [f"val/{SCENES[i % 4]}/Places365_val_{i + 1:08d}.jpg" for i in range(TEST)],
    ),
    "celeba": (
        [f"img_align_celeba/{i + 1:06d}.jpg" for i in range(TRAIN)],
        [f"img_align_celeba/{i + TRAIN + 1:06d}.jpg" for i in range(TEST)],
    ),
    "paris": (
        [f"paris_train_original/{i + 1:05d}.jpg" for i in range(TRAIN)],
        [f"paris_eval_gt/{i + 1:03d}_im.png" for i in range(TEST)],
    ),
}
"""Training and test images as they lie in the archives."""


@pytest.mark.parametrize("name", SETS)
def test_files_lie_as_in_the_archive_and_hold_the_drawn_images(archives: Path, name: str) -> None:
    """What is tested carries (almost) no trace of a codec; what is learnt from, little."""
    train, test = FILES[name]
    assert contents(archives / name).keys() - {"annotations.csv", "list_eval_partition.txt"} == {*train, *test}
    for split, files, tolerance in (("test", test, 0.6), ("train", train, 2.5)):
        for index, file in enumerate(files[:3]):
            drawn = np.asarray(draw_image(name, seed=1, split=split, index=index).image, dtype=float)
            assert np.abs(drawn - np.asarray(Image.open(archives / name / file), dtype=float)).mean() < tolerance


def test_celeba_lists_its_partition_for_every_file(archives: Path) -> None:
    lines = (archives / "celeba/list_eval_partition.txt").read_text().splitlines()
    parts = ["0"] * TRAIN + ["2"] * TEST
    assert lines == [f"{i:06d}.jpg {part}" for i, part in enumerate(parts, 1)]


@pytest.mark.parametrize("name", SETS)
def test_annotations_belong_to_files_and_are_normalised(archives: Path, name: str) -> None:
    boxes = pd.read_csv(archives / name / "annotations.csv")
    assert set(boxes["ImageID"]) == {file for files in FILES[name] for file in files}
    check_boxes(boxes)


def test_pretext_tables_agree(archives: Path) -> None:
    tables = (f"pretext/{table}.csv" for table in ("labels", "boxes", "split"))
    labels, boxes, split = (pd.read_csv(archives / table, dtype={"ImageID": str}) for table in tables)
    assert list(split) == ["ImageID", "Subset"]
    assert split["Subset"].value_counts().to_dict() == {"train": TRAIN, "val": TEST}
    assert set(split["ImageID"]) == {path.stem for path in (archives / "pretext/images").glob("*.jpg")}
    present = boxes[["ImageID", "LabelName"]].drop_duplicates().assign(Confidence=1)
    assert labels.equals(present.reset_index(drop=True))
    check_boxes(boxes)


def check_boxes(boxes: pd.DataFrame) -> None:
    assert list(boxes) == ["ImageID", "LabelName", "XMin", "XMax", "YMin", "YMax"]
    assert set(boxes["LabelName"]) <= set(OBJECT_CLASSES)
    for low, high in (("XMin", "XMax"), ("YMin", "YMax")):
        assert ((boxes[low] >= 0) & (boxes[low] < boxes[high]) & (boxes[high] <= 1)).all()


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


def test_an_unknown_set_is_rejected_before_anything_is_written(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"'pretext'.*places2, celeba, paris"):
        draw_image_set("pretext", tmp_path / "set", seed=0, train=1, test=1)
    assert not (tmp_path / "set").exists()
