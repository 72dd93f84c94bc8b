"""The list of a source's raw files, which fetching leaves and preparing works through."""

import csv
from collections.abc import Iterable, Iterator
from itertools import chain
from pathlib import Path
from typing import NamedTuple

from spl.common.errors import DataError, again
from spl.common.files import write_rows
from spl.sources.raw_files import Place, RawFiles
from spl.steps.records import read_record, take

COLUMNS = ("split", "path", *Place._fields)


class Listed(NamedTuple):
    """A raw file: its split (empty for masks), its path in the source, and where its bytes lie."""

    split: str
    path: str
    place: Place


def listing_of(record: Path) -> Path:
    """Return where the list beside a fetch's record is."""
    return record.with_suffix(".csv")


def write_listing(record: Path, files: RawFiles, paths: Iterable[tuple[str, str]]) -> Path:
    """Write the list of some files, given as (split, path), beside a record that is to come; return where.

    Later tables take the paths from here.
    Raises: DataError if a name cannot stand in a table.
    """
    placed = ((split, path, files[path]) for split, path in paths)
    rows = ((split, _no_formula(path), _no_formula(place.container), *place[1:]) for split, path, place in placed)
    write_rows(listing_of(record), chain([COLUMNS], rows))
    return listing_of(record)


def _no_formula(path: str) -> str:
    """Return a path that a spreadsheet does not take for a formula."""
    if "\r" in path:
        raise DataError(f"The file {path!r} has a carriage return in its name, which no table can hold. Rename it.")
    return f"./{path}" if path.startswith(("=", "+", "-", "@", "\t")) else path


def raw_folder(record: Path) -> Path:
    """Return the folder that a fetch recorded.

    Raises: DataError if the record or the folder is gone.
    """
    folder = Path(read_record(record)["folder"])
    if not folder.is_dir():
        raise DataError(f"{record} points to {folder}, which is gone. Run: {again(record)}")
    return folder


class Listing:
    """The files of a source, read from its list every time they are gone through: there may be millions.

    Raises: DataError if record, list or folder are gone; RecordError if they do not belong together.
    """

    def __init__(self, record: Path) -> None:
        self._path, self.folder = listing_of(record), raw_folder(record)
        take(listing=self._path)

    def __iter__(self) -> Iterator[Listed]:
        with self._path.open(newline="", encoding="utf-8") as file:
            rows = csv.reader(file)
            next(rows)
            for split, path, container, offset, size, packed in rows:
                yield Listed(split, path, Place(container, int(offset), int(size), int(packed)))
