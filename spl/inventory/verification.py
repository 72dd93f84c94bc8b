"""Hashing everything again: do raw files, prepared images, masks and pairs still hold what was recorded?"""

import csv
import hashlib
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from pathlib import Path
from typing import NamedTuple

from tqdm import tqdm

from spl.common.errors import DataError
from spl.common.files import sha256
from spl.config.experiment import Params, Registered
from spl.config.registry import Source, source_of
from spl.sources.download import verify
from spl.sources.raw_files import Place, read_place
from spl.steps.records import read_record, recorded_outputs
from spl.steps.settings import weight_files

BLOCK = 4096
"""Files that are hashed before the next are listed."""


class _Stored(NamedTuple):
    """A file that a table describes: a place in a folder, and its hash."""

    folder: Path
    place: Place
    name: str
    sha256: str


def verify_data(params: Params, registry: dict[str, Source], data: Path, *, workers: int) -> Iterator[str]:
    """Yield a line for everything that is not as it was recorded; what is not there yet is passed over."""
    for name in _registered(params, registry):
        yield from _verify_source(registry[name])
    for dataset in params.datasets:
        folder = data / "prepared" / dataset
        yield from _verify_table(folder / "manifest.csv", _images(folder), workers)
        pairs = data / f"pairs/{dataset}.csv"
        yield from _verify_table(pairs, (), workers, pairs.with_suffix(".json"))
    yield from _verify_table(data / "masks/masks.csv", _masks(data / "masks"), workers)


def _registered(params: Params, registry: dict[str, Source]) -> list[str]:
    sources = [*(dataset.source for dataset in params.datasets.values()), params.masks.source]
    names = {source.name for source in sources if isinstance(source, Registered)}
    return sorted(set(registry) & (names | {source_of(registry, file) for file in weight_files(params)}))


def _verify_source(source: Source) -> Iterator[str]:
    for file in source.files:
        path = Path(source.folder) / file.name
        if path.exists():
            try:
                verify(file, path)
            except DataError as error:
                yield str(error)


def _verify_table(table: Path, stored: Iterable[_Stored], workers: int, record: Path | None = None) -> Iterator[str]:
    """Compare a table with the hash in its record, and the files it describes with theirs."""
    record = record or table.with_name("record.json")
    if not (table.exists() and record.exists()):
        return
    if sha256(table) != recorded_outputs(record).get(table):
        yield f"{table} is not the table that {record} describes."
        return
    files = iter(stored)
    with (
        ThreadPoolExecutor(max(workers, 1)) as pool,
        tqdm(desc=f"verify {table.parent.name}", unit="file", disable=None) as bar,
    ):
        while block := list(islice(files, BLOCK)):
            yield from filter(None, pool.map(_fault, block))
            bar.update(len(block))


def _fault(stored: _Stored) -> str:
    """Say what is wrong with a file; empty if nothing is."""
    try:
        content = read_place(stored.folder, stored.place)
    except DataError as error:
        return str(error)
    found = hashlib.sha256(content).hexdigest()
    if found == stored.sha256:
        return ""
    return f"{stored.folder / stored.name}: expected sha256 {stored.sha256}, got {found}. Make it again, or restore it."


def _images(folder: Path) -> Iterator[_Stored]:
    raw = Path(read_record(folder / "record.json")["raw"])
    for row in _rows(folder / "manifest.csv"):
        place = _place(row)
        if place.container:
            yield _Stored(raw, place, row["source"], row["sha256"])
        else:
            yield _Stored(folder, place._replace(container=row["file"]), row["file"], row["sha256"])


def _masks(folder: Path) -> Iterator[_Stored]:
    for row in _rows(folder / "masks.csv"):
        if row["file"]:
            yield _Stored(folder, _place(row), row["file"], row["sha256"])


def _place(row: dict[str, str]) -> Place:
    return Place(row["container"], int(row["offset"]), int(row["size"]), int(row["packed"]))


def _rows(table: Path) -> Iterator[dict[str, str]]:
    with table.open(newline="", encoding="utf-8") as file:
        yield from csv.DictReader(file)
