"""Where the pictures of each archive lie, and which of them are for training or testing."""

import zlib
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np

from spl.config import ArchiveLayout, FolderLayout
from spl.errors import DataError

SUFFIXES = {".jpg", ".jpeg", ".png", ".webp", ".bmp"}

EXPECTED = {
    "places365": "train/<class>/*.jpg and val/<class>/*.jpg (Places365-Standard, places365standard_easyformat.tar)",
    "celeba": "img_align_celeba/*.jpg and list_eval_partition.txt (CelebA, aligned and cropped)",
    "paris": "paris_train_original/* and paris_eval_gt/* (Paris StreetView, from its authors by e-mail)",
}


class RawImage(NamedTuple):
    """A picture of an archive: its split, `train` or `test`, and its path inside the archive."""

    split: str
    path: str


def list_images(folder: Path, layout: ArchiveLayout | FolderLayout, *, seed: int, name: str) -> list[RawImage]:
    """List an archive's pictures, training set first, each split in sorted order.

    Raises: DataError if a split is empty, saying what was expected where.
    """
    if isinstance(layout, FolderLayout):
        images, expected = _folder(folder, layout, seed, name), f"at least two pictures matching {layout.glob}"
    else:
        images, expected = LAYOUTS[layout.kind](folder), EXPECTED[layout.kind]
    for split in ("train", "test"):
        if not any(image.split == split for image in images):
            raise DataError(
                f"{folder} has no {split} pictures for the dataset {name!r}.\n"
                f"Expected there: {expected}.\nPlace the files or change datasets.{name}.source.path in params.yaml."
            )
    return sorted(images, key=lambda image: (image.split != "train", image.path))


def _pictures(folder: Path, pattern: str, split: str) -> list[RawImage]:
    files = (file for file in folder.glob(pattern) if file.suffix.lower() in SUFFIXES)
    return [RawImage(split, file.relative_to(folder).as_posix()) for file in files]


def _places365(folder: Path) -> list[RawImage]:
    """Return the standard training set and, as the test set, the validation set (paper section 4.1)."""
    return _pictures(folder, "train/*/*", "train") + _pictures(folder, "val/*/*", "test")


def _celeba(folder: Path) -> list[RawImage]:
    """Return CelebA's official partition; its validation part (1) is left out."""
    partition = folder / "list_eval_partition.txt"
    if not partition.exists():
        return []
    images = []
    for number, line in enumerate(partition.read_text().splitlines(), 1):
        match line.split():
            case [file, "0" | "1" | "2" as part]:
                if part != "1":
                    images.append(RawImage("train" if part == "0" else "test", f"img_align_celeba/{file}"))
            case []:
                pass
            case _:
                raise DataError(f"{partition}, line {number}: expected '<file> 0|1|2', got {line!r}")
    return images


def _paris(folder: Path) -> list[RawImage]:
    return _pictures(folder, "paris_train_original/*", "train") + _pictures(folder, "paris_eval_gt/*", "test")


def _folder(folder: Path, layout: FolderLayout, seed: int, name: str) -> list[RawImage]:
    """Split the matching files by a permutation drawn from the seed and the dataset's name."""
    paths = sorted(image.path for image in _pictures(folder, layout.glob, ""))
    if len(paths) < 2:
        return []
    order = np.random.default_rng([seed, zlib.crc32(name.encode())]).permutation(len(paths))
    tests = set(order[: min(max(round(len(paths) * layout.test_fraction), 1), len(paths) - 1)].tolist())
    return [RawImage("test" if i in tests else "train", path) for i, path in enumerate(paths)]


LAYOUTS: dict[str, Callable[[Path], list[RawImage]]] = {"places365": _places365, "celeba": _celeba, "paris": _paris}
