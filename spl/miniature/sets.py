"""Whole sets on disk, in the layout of the archives that they stand for."""

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any, TypeVar

from tqdm import tqdm

from spl.common.errors import DataError
from spl.common.files import write_text
from spl.miniature.annotations import (
    BOX_COLUMNS,
    LABEL_COLUMNS,
    SPLIT_COLUMNS,
    BoxRow,
    box_rows,
    label_rows,
    write_table,
)
from spl.miniature.images import PRETEXT, SETS, draw_picture
from spl.miniature.masks import BIN_EDGES, draw_mask
from spl.miniature.scenes import scene_class

JPEG = {"train": 95, "val": 95, "test": 100}  # quality: what is tested must not carry the codec's artefacts
MASK_FOLDER = "testing_mask_dataset"
CHUNK = 16  # drawings handed to a worker at a time

Job = TypeVar("Job")
Result = TypeVar("Result")


@dataclass(frozen=True)
class Drawing:
    """One picture to draw and the path, relative to the set's folder, to keep it at."""

    split: str
    index: int
    path: str
    image_id: str


def draw_image_set(name: str, folder: Path, *, seed: int, train: int, test: int, workers: int = 1) -> None:
    """Draw one inpainting set in the layout of its archive, with the true boxes in `annotations.csv`.

    places2: `{train,val}/<scene>/*.jpg`, testing on val as Places365 is used; celeba: `img_align_celeba/*.jpg`
    and `list_eval_partition.txt`; paris: `paris_train_original/*.jpg` and `paris_eval_gt/*.png`. An `ImageID`
    is the path of the file in the folder.

    Raises: DataError if no set has this name.
    """
    if name not in LAYOUTS:
        raise DataError(f"No miniature image set is called {name!r}. Expected one of: {', '.join(SETS)}.")
    layout = LAYOUTS[name]
    paths = [("train", index, layout("train", index, train)) for index in range(train)]
    paths += [("test", index, layout("test", index, train)) for index in range(test)]
    drawings = [Drawing(split, index, path, path) for split, index, path in paths]
    boxes = _draw_all(name, folder, drawings, seed=seed, workers=workers)
    write_table(folder / "annotations.csv", BOX_COLUMNS, boxes)
    if name == "celeba":
        lines = (f"{Path(item.path).name} {0 if item.split == 'train' else 2}\n" for item in drawings)
        write_text(folder / "list_eval_partition.txt", "".join(lines))


def draw_pretext_set(folder: Path, *, seed: int, train: int, val: int, workers: int = 1) -> None:
    """Draw the set that plays Open Images: `images/*.jpg`, `labels.csv`, `boxes.csv`, `split.csv`.

    An `ImageID` is the file's name without its ending. `labels.csv` holds one row, of confidence 1, for every
    class that is present; `split.csv` says `train` or `val`.
    """
    numbered = [("train", index) for index in range(train)] + [("val", index) for index in range(val)]
    names = [f"{number:016x}" for number in range(1, len(numbered) + 1)]
    drawings = [
        Drawing(split, index, f"images/{name}.jpg", name) for (split, index), name in zip(numbered, names, strict=True)
    ]
    boxes = _draw_all(PRETEXT, folder, drawings, seed=seed, workers=workers)
    write_table(folder / "boxes.csv", BOX_COLUMNS, boxes)
    write_table(folder / "labels.csv", LABEL_COLUMNS, label_rows(boxes))
    write_table(folder / "split.csv", SPLIT_COLUMNS, ((item.image_id, item.split) for item in drawings))


def draw_mask_set(folder: Path, *, seed: int, per_bin: int, workers: int = 1) -> None:
    """Draw `6 * per_bin` irregular masks into `testing_mask_dataset/`, 512x512 PNG, 255 = hole.

    Every run of twelve masks holds each ratio bin twice, once with and once without border contact.
    """
    (folder / MASK_FOLDER).mkdir(parents=True, exist_ok=True)
    indices = range(len(BIN_EDGES) * per_bin)
    _map(partial(_save_mask, folder, seed), indices, workers=workers, title="masks")


def _places2_path(split: str, index: int, _train: int) -> str:
    scene = scene_class(index)
    if split == "train":
        return f"train/{scene}/{index + 1:08d}.jpg"
    return f"val/{scene}/Places365_val_{index + 1:08d}.jpg"


def _celeba_path(split: str, index: int, train: int) -> str:
    number = index + 1 if split == "train" else train + index + 1
    return f"img_align_celeba/{number:06d}.jpg"


def _paris_path(split: str, index: int, _train: int) -> str:
    if split == "train":
        return f"paris_train_original/{index + 1:05d}.jpg"
    return f"paris_eval_gt/{index + 1:03d}_im.png"


LAYOUTS: dict[str, Callable[[str, int, int], str]] = {
    "places2": _places2_path,
    "celeba": _celeba_path,
    "paris": _paris_path,
}


def _draw_all(name: str, folder: Path, drawings: Sequence[Drawing], *, seed: int, workers: int) -> list[BoxRow]:
    """Draw and save pictures; return the rows of their boxes in order."""
    for parent in sorted({(folder / drawing.path).parent for drawing in drawings}):
        parent.mkdir(parents=True, exist_ok=True)
    rows = _map(partial(_save_picture, name, folder, seed), drawings, workers=workers, title=name)
    return [row for picture_rows in rows for row in picture_rows]


def _save_picture(name: str, folder: Path, seed: int, drawing: Drawing) -> list[BoxRow]:
    picture = draw_picture(name, seed=seed, split=drawing.split, index=drawing.index)
    # Full chroma resolution: at 64x64 a colour edge is as sharp as an edge of brightness.
    jpeg: dict[str, Any] = {"quality": JPEG[drawing.split], "subsampling": 0}
    picture.image.save(folder / drawing.path, **(jpeg if drawing.path.endswith(".jpg") else {}))
    return box_rows(drawing.image_id, picture.objects, picture.image.size)


def _save_mask(folder: Path, seed: int, index: int) -> None:
    draw_mask(seed=seed, index=index).save(folder / MASK_FOLDER / f"{index:05d}.png")


def _map(function: Callable[[Job], Result], jobs: Sequence[Job], *, workers: int, title: str) -> list[Result]:
    """Apply a function to every job, in `workers` processes if more than one, with a progress bar."""
    progress = partial(tqdm, total=len(jobs), desc=f"draw {title}", unit="file", disable=not sys.stderr.isatty())
    if workers <= 1:
        return list(progress(map(function, jobs)))
    with get_context("spawn").Pool(workers) as pool:
        return list(progress(pool.imap(function, jobs, chunksize=CHUNK)))
