"""Which files of a source are its pictures, and which of them are for training or testing."""

import re
import zlib
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

import numpy as np

from spl.common.errors import DataError
from spl.config.experiment import FolderLayout, FoldersLayout, Layout, ListsLayout
from spl.sources.raw_files import RawFiles, is_picture

EXPECTED = {
    "places365": "train/<class>/*.jpg and val/<class>/*.jpg (Places365-Standard, easy layout)",
    "places365_flat": "places365_train_standard.txt, places365_val.txt and the pictures below data_*/ and val_*/",
    "celeba": "img_align_celeba/*.jpg and list_eval_partition.txt (CelebA, aligned and cropped)",
    "paris": "paris_train_original/* and paris_eval_gt/* (Paris StreetView, from its authors by e-mail)",
}


class RawImage(NamedTuple):
    """A picture of a source: its split, `train` or `test`, and its path there."""

    split: str
    path: str


def list_images(files: RawFiles, layout: Layout, *, seed: int, name: str) -> list[RawImage]:
    """List a source's pictures, training set first, each split in sorted order.

    Raises: DataError if a split is empty, a listed picture is missing or one is listed twice.
    """
    match layout:
        case FolderLayout():
            images = _folder(files, layout, seed, name)
            expected = f"at least two pictures matching {layout.glob}"
        case FoldersLayout():
            images = _folders(files, layout)
            expected = f"pictures matching {layout.train} and {layout.test}"
        case ListsLayout():
            images = _lists(files, layout)
            expected = f"{layout.train} and {layout.test}, text files with a path a line"
        case _:
            images, expected = LAYOUTS[layout.kind](files), EXPECTED[layout.kind]
    for split in ("train", "test"):
        if not any(image.split == split for image in images):
            raise DataError(
                f"{files.root} has no {split} pictures for the dataset {name!r}.\n"
                f"Expected there, or in archives there: {expected}.\n"
                f"Place the files or change datasets.{name}.source in params.yaml."
            )
    return sorted(images, key=lambda image: (image.split != "train", image.path))


def _places365(files: RawFiles) -> list[RawImage]:
    """Return the standard training set and, as the test set, the validation set (paper section 4.1)."""
    return _below(files, r"train/[^/]+", "train") + _below(files, r"val/[^/]+", "test")


def _places365_flat(files: RawFiles) -> list[RawImage]:
    """Return the same sets from the archives without classes: lists tell the training and the validation pictures."""
    return list(_flat(files, "places365_train_standard.txt", "data_", "train")) + list(
        _flat(files, "places365_val.txt", "val_", "test")
    )


def _flat(files: RawFiles, listing: str, folder: str, split: str) -> Iterator[RawImage]:
    """Yield the pictures of a list of lines `path class`, which lie below data_256/ or data_large/, say."""
    if (lines := _find(files, listing)) is None:
        return
    roots = {path.split("/")[0] for path in files if path.startswith(folder)}
    if len(roots) != 1:
        return
    root = roots.pop()
    listed = ((number, line.split()[0].lstrip("/")) for number, line in _lines(files, lines))
    yield from _listed(files, lines, ((number, f"{root}/{path}") for number, path in listed), split, set())


def _celeba(files: RawFiles) -> list[RawImage]:
    """Return CelebA's official partition; its validation part (1) is left out."""
    if (partition := _find(files, "list_eval_partition.txt")) is None:
        return []
    pictures = next((path for path in files if "img_align_celeba/" in path), "img_align_celeba/")
    folder = pictures[: pictures.index("img_align_celeba/") + len("img_align_celeba/")]
    parts: dict[str, list[tuple[int, str]]] = {"0": [], "1": [], "2": []}
    for number, line in _lines(files, partition):
        match line.split():
            case [file, "0" | "1" | "2" as part]:
                parts[part].append((number, folder + file))
            case _:
                raise DataError(f"{files.root}: {partition}, line {number}: expected '<file> 0|1|2', got {line!r}")
    seen: set[str] = set()
    return [
        *_listed(files, partition, parts["0"], "train", seen),
        *_listed(files, partition, parts["2"], "test", seen),
    ]


def _paris(files: RawFiles) -> list[RawImage]:
    return _below(files, "paris_train_original", "train") + _below(files, "paris_eval_gt", "test")


def _folder(files: RawFiles, layout: FolderLayout, seed: int, name: str) -> list[RawImage]:
    """Split the matching files by a permutation drawn from the seed and the dataset's name."""
    paths = sorted(_pictures(files, layout.glob))
    if len(paths) < 2:
        return []
    order = np.random.default_rng([seed, zlib.crc32(name.encode())]).permutation(len(paths))
    tests = set(order[: min(max(round(len(paths) * layout.test_fraction), 1), len(paths) - 1)].tolist())
    return [RawImage("test" if i in tests else "train", path) for i, path in enumerate(paths)]


def _folders(files: RawFiles, layout: FoldersLayout) -> list[RawImage]:
    train, test = _pictures(files, layout.train), _pictures(files, layout.test)
    if both := sorted(set(train) & set(test)):
        raise DataError(f"{files.root}: {both[0]} matches both {layout.train} and {layout.test}. Tell the two apart.")
    return [*(RawImage("train", path) for path in train), *(RawImage("test", path) for path in test)]


def _lists(files: RawFiles, layout: ListsLayout) -> list[RawImage]:
    for listing in (layout.train, layout.test):
        if listing not in files:
            raise DataError(f"{files.root / listing} does not exist. Place the list there: one path a line.")
    seen: set[str] = set()
    return [
        image
        for split, listing in (("train", layout.train), ("test", layout.test))
        for image in _listed(files, listing, _lines(files, listing), split, seen)
    ]


LAYOUTS: dict[str, Callable[[RawFiles], list[RawImage]]] = {
    "places365": _places365,
    "places365_flat": _places365_flat,
    "celeba": _celeba,
    "paris": _paris,
}


def _below(files: RawFiles, folder: str, split: str) -> list[RawImage]:
    """Return the pictures right in a folder, wherever that lies."""
    pattern = re.compile(rf"(?:.*/)?{folder}/[^/]+")
    return [RawImage(split, path) for path in files if is_picture(path) and pattern.fullmatch(path)]


def _pictures(files: RawFiles, glob: str) -> list[str]:
    return [path for path in files.matching(glob) if is_picture(path)]


def _find(files: RawFiles, name: str) -> str | None:
    """Return the path of the file with a name, wherever it lies."""
    return next((path for path in files if path == name or path.endswith(f"/{name}")), None)


def _lines(files: RawFiles, listing: str) -> Iterator[tuple[int, str]]:
    """Yield the numbered lines of a text file, without empty ones."""
    for number, line in enumerate(files.read_text(listing).splitlines(), 1):
        if line.strip():
            yield number, line.strip()


def _listed(
    files: RawFiles, listing: str, lines: Iterable[tuple[int, str]], split: str, seen: set[str]
) -> Iterator[RawImage]:
    """Yield the listed pictures, each of which must be there, once in all lists together.

    Raises: DataError counting what is missing, or naming the line that repeats a picture.
    """
    missing, count = [], 0
    for number, path in lines:
        count += 1
        if path in seen:
            raise DataError(f"{files.root / listing}, line {number}: {path} is listed twice. Remove one of the lines.")
        seen.add(path)
        if path not in files:
            missing.append(path)
        yield RawImage(split, path)
    if missing:
        raise DataError(
            f"{files.root / listing} lists {count:,} {split} pictures, of which {len(missing):,} are missing, "
            f"first {missing[0]}. Place them, or correct the list."
        )
