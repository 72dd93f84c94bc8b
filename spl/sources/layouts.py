"""Layouts of image sets: which files of a source are its images, and which are for training or testing."""

import re
import zlib
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import NamedTuple

import numpy as np

from spl.common.errors import DataError
from spl.common.names import is_image
from spl.config.experiment import FolderLayout, FoldersLayout, Layout, ListsLayout
from spl.sources.raw_files import RawFiles


class RawFile(NamedTuple):
    """A file of a source: its split, `train` or `test`, empty for masks, and its path there."""

    split: str
    path: str


def list_images(files: RawFiles, layout: Layout, *, seed: int, name: str) -> list[RawFile]:
    """List a source's images, training set first, each split in sorted order.

    Raises: DataError if a split is empty, a listed image is missing or one is listed twice.
    """
    match layout:
        case FolderLayout():
            found = _folder(files, layout, seed, name)
            expected = f"at least two images matching {layout.glob}"
        case FoldersLayout():
            found = _folders(files, train=layout.train, test=layout.test)
            expected = f"images matching {layout.train} and {layout.test}"
        case ListsLayout():
            found = _lists(files, layout)
            expected = f"{layout.train} and {layout.test}, text files with a path a line"
        case _:
            list_archive, expected = ARCHIVES[layout.kind]
            found = list_archive(files)
    images = sorted(found, key=lambda image: (image.split != "train", image.path))
    for split in ("train", "test"):
        if not any(image.split == split for image in images):
            raise DataError(
                f"{files.root} has no {split} images for the dataset {name!r}.\n"
                f"Expected there, or in archives there: {expected}.\n"
                f"Place the files or change datasets.{name}.source in params.yaml."
            )
    return images


def _folders(files: RawFiles, *, train: str, test: str) -> list[RawFile]:
    """List the images that two globs match."""
    paths = {"train": files.images(train), "test": files.images(test)}
    if both := sorted(set(paths["train"]) & set(paths["test"])):
        raise DataError(f"{files.root}: {both[0]} matches both {train} and {test}. Tell the two apart.")
    return [RawFile(split, path) for split in paths for path in paths[split]]


def _places365_flat(files: RawFiles) -> Iterator[RawFile]:
    """Yield Places365 from its archives without classes, by lists of lines `path class`."""
    names = ("train", "places365_train_standard.txt", "data_"), ("test", "places365_val.txt", "val_")
    for split, name, folder in names:
        listing = _find(files, name)
        roots = {path.split("/")[0] for path in files if path.startswith(folder)}  # data_256 or data_large, say
        if listing and len(roots) == 1:
            paths = [(i, split, f"{min(roots)}/{line.split()[0].lstrip('/')}") for i, line in _lines(files, listing)]
            yield from _listed(files, listing, paths, set())


def _celeba(files: RawFiles) -> Iterator[RawFile]:
    """Yield CelebA's official partition; its validation part (1) is left out."""
    partition = _find(files, "list_eval_partition.txt") or _find(files, "list_eval_partition.csv")
    if partition is None:
        return
    images = filter(is_image, files)
    folders = (match[0] for path in images if (match := re.match(r"(?:.*/)?img_align_celeba/", path)))
    folder = next(folders, "img_align_celeba/")
    paths = []
    for number, line in _lines(files, partition):
        match line.replace(",", " ").split():
            case [file, "0" | "2" as part]:
                paths.append((number, "train" if part == "0" else "test", folder + file))
            case [_, "1"] | ["image_id", "partition"]:
                pass
            case _:
                raise DataError(f"{files.root}: {partition}, line {number}: expected '<file> 0|1|2', got {line!r}")
    yield from _listed(files, partition, paths, set())


ARCHIVES: dict[str, tuple[Callable[[RawFiles], Iterable[RawFile]], str]] = {
    "places365": (
        partial(_folders, train="**/train/*/*", test="**/val/*/*"),  # tested on the validation set (paper section 4.1)
        "train/<class>/*.jpg and val/<class>/*.jpg (Places365-Standard, easy layout)",
    ),
    "places365_flat": (
        _places365_flat,
        "places365_train_standard.txt, places365_val.txt and the images below data_*/ and val_*/",
    ),
    "celeba": (_celeba, "img_align_celeba/*.jpg and list_eval_partition.txt, or .csv (CelebA, aligned and cropped)"),
    "paris": (
        partial(_folders, train="**/paris_train_original/*", test="**/paris_eval_gt/*"),
        "paris_train_original/* and paris_eval_gt/* (Paris StreetView, from its authors by e-mail)",
    ),
}
"""By kind: how an archive's images are found, and the files that are expected."""


def _folder(files: RawFiles, layout: FolderLayout, seed: int, name: str) -> list[RawFile]:
    """Split the matching files by a permutation drawn from the seed and the dataset's name."""
    paths = sorted(files.images(layout.glob))
    if len(paths) < 2:
        return []
    order = np.random.default_rng([seed, zlib.crc32(name.encode())]).permutation(len(paths))
    tests = set(order[: min(max(round(len(paths) * layout.test_fraction), 1), len(paths) - 1)].tolist())
    return [RawFile("test" if i in tests else "train", path) for i, path in enumerate(paths)]


def _lists(files: RawFiles, layout: ListsLayout) -> Iterator[RawFile]:
    seen: set[str] = set()
    for split, listing in (("train", files.path_of(layout.train)), ("test", files.path_of(layout.test))):
        if listing not in files:
            raise DataError(f"{files.root / listing} does not exist. Place the list there: one path a line.")
        paths = ((number, split, path) for number, path in _lines(files, listing))
        yield from _listed(files, listing, paths, seen)


def _find(files: RawFiles, name: str) -> str | None:
    """Return the path of the file with a name, wherever it lies."""
    return next((path for path in files if path == name or path.endswith(f"/{name}")), None)


def _lines(files: RawFiles, listing: str) -> Iterator[tuple[int, str]]:
    """Yield the numbered lines of a text file, without empty ones."""
    for number, line in enumerate(files.read_text(listing).splitlines(), 1):
        if line.strip():
            yield number, line.strip()


def _listed(files: RawFiles, listing: str, lines: Iterable[tuple[int, str, str]], seen: set[str]) -> Iterator[RawFile]:
    """Yield the images of a list, given as (line, split, path); each has to be there, and in one list only.

    Raises: DataError counting what is missing, or naming the line that repeats an image.
    """
    missing, count = [], 0
    for count, (number, split, line) in enumerate(lines, 1):  # noqa: B007 (it is used below)
        path = files.path_of(line)
        if path in seen:
            raise DataError(f"{files.root / listing}, line {number}: {path} is listed twice. Remove one of the lines.")
        seen.add(path)
        if path not in files:
            missing.append(path)
        yield RawFile(split, path)
    if missing:
        raise DataError(
            f"{files.root / listing} lists {count:,} images, of which {len(missing):,} are missing, "
            f"first {missing[0]}. Place them, or correct the list."
        )
