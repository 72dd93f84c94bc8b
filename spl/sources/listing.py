"""The list of a source's raw files, which fetching leaves and preparing works through."""

import csv
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from spl.common.errors import DataError, again
from spl.common.files import atomic
from spl.sources.raw_files import Place, RawFiles
from spl.steps.records import read_record, take

COLUMNS = ("split", "path", "container", "offset", "size", "packed")


class Listed(NamedTuple):
    """A raw file: its split (empty for masks), its path in the source, and where its bytes lie."""

    split: str
    path: str
    container: str
    offset: int
    size: int
    packed: int

    @property
    def place(self) -> Place:
        """Where the bytes lie."""
        return Place(*self[2:])


def listing_of(record: Path) -> Path:
    """Return where the list beside a fetch's record is."""
    return record.with_suffix(".csv")


def write_listing(record: Path, files: RawFiles, paths: Iterable[tuple[str, str]]) -> Path:
    """Write the list of some files, given as (split, path), beside a record that is to come; return where."""
    with atomic(listing_of(record)) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(COLUMNS)
        writer.writerows((split, path, *files[path]) for split, path in paths)
    return listing_of(record)


class Listing:
    """The files of a source, read from its list every time they are gone through: there may be millions.

    Raises: DataError if record, list or folder are gone; RecordError if they do not belong together.
    """

    def __init__(self, record: Path) -> None:
        content = read_record(record)
        self._path, self.folder = listing_of(record), Path(content["folder"])
        take(listing=self._path)
        if not self.folder.is_dir():
            raise DataError(f"{record} points to {self.folder}, which is gone. Run: {again(record)}")

    def __iter__(self) -> Iterator[Listed]:
        with self._path.open(newline="", encoding="utf-8") as file:
            rows = csv.reader(file)
            next(rows)
            for split, path, container, offset, size, packed in rows:
                yield Listed(split, path, container, int(offset), int(size), int(packed))
