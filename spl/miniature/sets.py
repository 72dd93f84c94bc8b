"""Whole sets on disk, in the layout of the archives that they stand for."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any, TypeVar

from spl.common.errors import DataError
from spl.common.files import write_rows, write_text
from spl.common.progress import progress
from spl.miniature.annotations import (
    BOX_COLUMNS,
    LABEL_COLUMNS,
    SPLIT_COLUMNS,
    BoxRow,
    box_rows,
    label_rows,
)
from spl.miniature.images import PRETEXT, SETS, draw_image
from spl.miniature.masks import BIN_EDGES, draw_mask
from spl.miniature.scenes import scene_class

JPEG = {"train": 95, "val": 95, "test": 100}  # quality: what is tested must not carry the codec's artefacts
MASK_FOLDER = "testing_mask_dataset"
PATHS = {
    "places2": {"train": "train/{scene}/{number:08d}.jpg", "test": "val/{scene}/Places365_val_{number:08d}.jpg"},
    "celeba": {"train": "img_align_celeba/{overall:06d}.jpg", "test": "img_align_celeba/{overall:06d}.jpg"},
    "paris": {"train": "paris_train_original/{number:05d}.jpg", "test": "paris_eval_gt/{number:03d}_im.png"},
}
"""Paths in the archive, by set and split; `overall` goes on counting from one split to the next."""

CHUNK = 16  # drawings handed to a worker at a time

Job = TypeVar("Job")
Result = TypeVar("Result")


@dataclass(frozen=True)
class Drawing:
    """One image to draw and the path, relative to the set's folder, to keep it at."""

    split: str
    number: int
    path: str
    image_id: str


def draw_image_set(
    name: str, folder: Path, *, seed: int, train: int, test: int, shadows: float = 0.0, workers: int = 1
) -> None:
    """Draw one inpainting set in the layout of its archive, with the true boxes in `annotations.csv`.

    places2: `{train,val}/<scene>/*.jpg`, testing on val as Places365 is used; celeba: `img_align_celeba/*.jpg`
    and `list_eval_partition.txt`; paris: `paris_train_original/*.jpg` and `paris_eval_gt/*.png`. An `ImageID`
    is the path of the file in the folder.

    Raises: DataError if no set has this name.
    """
    if name not in PATHS:
        raise DataError(f"No miniature image set is called {name!r}. Expected one of: {', '.join(SETS)}.")
    drawings = []
    for overall, (split, index) in enumerate(_numbered(train=train, test=test), 1):
        path = PATHS[name][split].format(scene=scene_class(index), number=index + 1, overall=overall)
        drawings.append(Drawing(split, index, path, path))
    boxes = _draw_all(name, folder, drawings, seed=seed, shadows=shadows, workers=workers)
    write_rows(folder / "annotations.csv", [BOX_COLUMNS, *boxes])
    if name == "celeba":
        lines = (f"{Path(item.path).name} {0 if item.split == 'train' else 2}\n" for item in drawings)
        write_text(folder / "list_eval_partition.txt", "".join(lines))


def draw_pretext_set(folder: Path, *, seed: int, train: int, val: int, shadows: float = 0.0, workers: int = 1) -> None:
    """Draw the set that plays Open Images: `images/*.jpg`, `labels.csv`, `boxes.csv`, `split.csv`.

    An `ImageID` is the file's name without its ending. `labels.csv` holds one row, of confidence 1, for every
    class that is present; `split.csv` says `train` or `val`.
    """
    drawings = [
        Drawing(split, index, f"images/{number:016x}.jpg", f"{number:016x}")
        for number, (split, index) in enumerate(_numbered(train=train, val=val), 1)
    ]
    boxes = _draw_all(PRETEXT, folder, drawings, seed=seed, shadows=shadows, workers=workers)
    write_rows(folder / "boxes.csv", [BOX_COLUMNS, *boxes])
    write_rows(folder / "labels.csv", [LABEL_COLUMNS, *label_rows(boxes)])
    write_rows(folder / "split.csv", [SPLIT_COLUMNS, *((item.image_id, item.split) for item in drawings)])


def draw_mask_set(folder: Path, *, seed: int, per_bin: int, workers: int = 1) -> None:
    """Draw `6 * per_bin` irregular masks into `testing_mask_dataset/`, 512x512 PNG, 255 = hole.

    Every run of twelve masks holds each ratio bin twice, once with and once without border contact.
    """
    (folder / MASK_FOLDER).mkdir(parents=True, exist_ok=True)
    indices = range(len(BIN_EDGES) * per_bin)
    map_jobs(partial(_save_mask, folder, seed), indices, workers=workers, title="masks")


def _numbered(**counts: int) -> list[tuple[str, int]]:
    """Return the split of every image and its index there, split by split."""
    return [(split, index) for split, count in counts.items() for index in range(count)]


def _draw_all(
    name: str, folder: Path, drawings: Sequence[Drawing], *, seed: int, shadows: float, workers: int
) -> list[BoxRow]:
    """Draw and save images; return the rows of their boxes in order."""
    for parent in sorted({(folder / drawing.path).parent for drawing in drawings}):
        parent.mkdir(parents=True, exist_ok=True)
    rows = map_jobs(partial(_save_image, name, folder, seed, shadows), drawings, workers=workers, title=name)
    return [row for image_rows in rows for row in image_rows]


def _save_image(name: str, folder: Path, seed: int, shadows: float, drawing: Drawing) -> list[BoxRow]:
    drawn = draw_image(name, seed=seed, split=drawing.split, index=drawing.number, shadows=shadows)
    # Full chroma resolution: at 64x64 a colour edge is as sharp as an edge of brightness.
    jpeg: dict[str, Any] = {"quality": JPEG[drawing.split], "subsampling": 0}
    drawn.image.save(folder / drawing.path, **(jpeg if drawing.path.endswith(".jpg") else {}))
    return box_rows(drawing.image_id, drawn.objects, drawn.image.size)


def _save_mask(folder: Path, seed: int, index: int) -> None:
    draw_mask(seed=seed, index=index).save(folder / MASK_FOLDER / f"{index:05d}.png")


def map_jobs(function: Callable[[Job], Result], jobs: Sequence[Job], *, workers: int, title: str) -> list[Result]:
    """Apply a function to every job, in `workers` processes if more than one, with a progress bar."""
    bar = partial(progress, total=len(jobs), what=f"draw {title}", unit="file")
    if workers <= 1:
        return list(bar(map(function, jobs)))
    with get_context("spawn").Pool(workers) as pool:
        return list(bar(pool.imap(function, jobs, chunksize=CHUNK)))
