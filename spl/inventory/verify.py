"""Verification of files against their records and of records against params.yaml; the origin of a file.

After `dvc checkout` or `dvc exp run`, files of other settings may lie where Snakemake, which goes by times, believes
them up to date, and an edited file keeps its time if somebody wants it to. Only records tell.
"""

import csv
import hashlib
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from enum import StrEnum
from functools import cache
from itertools import islice, tee
from pathlib import Path
from typing import Any, NamedTuple

from spl.common.errors import DataError, ParamsError, SPLError
from spl.common.files import read_json, sha256
from spl.config.experiment import Params
from spl.sources.raw_files import Place, read_place
from spl.steps.paths import composited_files
from spl.steps.records import FORMAT, changed_inputs, changed_settings, record_of, recorded_outputs
from spl.steps.settings import STEPS

FOLDERS = (Path("data"), Path("results"))
BLOCK = 4096
"""Number of files that are hashed before the next are listed."""


class FileState(StrEnum):
    """The state of a file: right, or the reason why it is not."""

    RIGHT = "right"
    EDITED = "edited"
    MISSING = "missing"
    OTHER_SETTINGS = "of other settings"
    OTHER_INPUTS = "of other inputs"
    OLDER = "of an older format"
    FOREIGN = "foreign"
    """No step of this experiment makes it."""


FAULTLESS = (FileState.RIGHT, FileState.FOREIGN)


class Finding(NamedTuple):
    """A file that was looked at."""

    path: Path
    state: FileState
    detail: str = ""


def verify(params: Params, places: Sequence[Path] = FOLDERS, *, workers: int = 1) -> Iterator[Finding]:
    """Hash again all that the records in some folders list, and compare their settings with the current ones.

    `places` may be records, too.
    """
    for record in records(places):
        yield from _verify_record(record, params, workers)


def stale_results(params: Params, places: Sequence[Path] = FOLDERS) -> list[Path]:
    """Return a file of every step of the experiment that has to run again, for `snakemake --forcerun`.

    Missing outputs are not returned: Snakemake makes them anyway where they are needed.
    """
    found = []
    for record in records(places):
        outputs = recorded_outputs(record)
        wrong = [finding for finding in _verify_record(record, params, 1) if finding.state not in FAULTLESS]
        if any(finding.state is not FileState.MISSING or finding.path not in outputs for finding in wrong):
            found.append(next(iter(outputs), record))
    return found


def records(places: Sequence[Path] = FOLDERS) -> Iterator[Path]:
    """Yield all records in folders, or those that are named."""
    for path in sorted(path for place in places for path in ([place] if place.is_file() else place.glob("**/*.json"))):
        content = _read(path)
        if content is None or "settings" in content:
            yield path


def _read(path: Path) -> dict[str, Any] | None:
    """Read a JSON object; None if it is none, such as a record that was cut off."""
    try:
        content = read_json(path)
    except DataError:
        return None
    return content if isinstance(content, dict) else {}


def _verify_record(record: Path, params: Params, workers: int) -> Iterator[Finding]:
    """Yield the state of a record and of everything that it lists."""
    content = _read(record)
    if content is None:
        yield Finding(record, FileState.EDITED, "no JSON any more")
        return
    if content.get("format") != FORMAT:
        yield Finding(record, FileState.OLDER)
        return
    try:
        wanted = STEPS[content["step"]].of(params, **content["wildcards"])
        there = {name: path for name, file in content["inputs"].items() if (path := Path(file["path"])).exists()}
        changed = changed_settings(record, wanted)
        replaced = changed_inputs(record, {name: _digest(path) for name, path in there.items()})
    except (ParamsError, KeyError, TypeError):
        yield Finding(record, FileState.FOREIGN)
        return
    except SPLError as error:
        yield Finding(record, FileState.EDITED, str(error))
        return
    for line in changed:
        yield Finding(record, FileState.OTHER_SETTINGS, line)
    for name in replaced:
        if record_of(there[name]) is None:  # an archive or a weight file: no step has made it
            yield Finding(there[name], FileState.EDITED, f"since {record} was written")
        else:
            yield Finding(record, FileState.OTHER_INPUTS, str(there[name]))
    if "folder" in content and not Path(content["folder"]).exists():
        yield Finding(Path(content["folder"]), FileState.EDITED, "raw files are gone")
    elif not changed and not replaced:
        yield Finding(record, FileState.RIGHT)
    for path, digest in recorded_outputs(record).items():
        state = _state(_digest(path) == digest) if path.exists() else FileState.MISSING
        yield Finding(path, state)
        if state is FileState.RIGHT and path.suffix == ".csv":
            yield from _verify_listed(path, content, workers)


def _verify_listed(table: Path, record: dict[str, Any], workers: int) -> Iterator[Finding]:
    """Hash the files that a table lists with their hashes: prepared and smoothed images, masks, filled images."""
    with table.open(newline="", encoding="utf-8") as file, ThreadPoolExecutor(max(workers, 1)) as pool:
        rows = csv.DictReader(file)
        if {"file", "sha256"} <= {*(rows.fieldnames or ())}:
            listed = (found for row in rows if (found := _find_stored(table.parent, record, row)))
        elif "composited_sha256" in (rows.fieldnames or ()):
            listed = _find_filled(table.parent, rows)
        else:
            return
        while block := list(islice(listed, BLOCK)):
            yield from pool.map(_verify_file, block)


class _Listed(NamedTuple):
    """A file that a table describes: the place of its bytes, and their hash."""

    root: Path
    name: str
    """Below `root`, or in an archive there."""
    place: Place | None
    """In the archive; None for a plain file."""
    sha256: str


def _find_stored(folder: Path, record: dict[str, Any], row: dict[str, str]) -> _Listed | None:
    """Find a file beside its table, in an archive there, or among raw files; None for a mask that was rejected."""
    if not row["file"]:
        return None
    if container := row.get("container"):
        root, name = (Path(record["raw"]), row["source"]) if "raw" in record else (folder, row["file"])
        place = Place(container, *(int(row[column]) for column in ("offset", "size", "packed")))
        return _Listed(root, name, place, row["sha256"])
    return _Listed(Path(record.get("folder", folder)), row["file"], None, row["sha256"])


def _find_filled(folder: Path, rows: Iterable[dict[str, str]]) -> Iterator[_Listed]:
    rows, named = tee(rows)
    for row, name in zip(rows, composited_files(row["image"] for row in named), strict=True):
        yield _Listed(folder, name, None, row["composited_sha256"])


def _verify_file(listed: _Listed) -> Finding:
    root, name, place, digest = listed
    path = root / (place.container if place else name)
    try:
        content = read_place(root, place) if place else path.read_bytes()
    except (DataError, OSError) as error:
        return Finding(path, FileState.EDITED if path.exists() else FileState.MISSING, str(error))
    return Finding(path, _state(hashlib.sha256(content).hexdigest() == digest), name if place else "")


def _state(is_right: bool) -> FileState:
    return FileState.RIGHT if is_right else FileState.EDITED


def why(file: Path, params: Params) -> Iterator[str]:
    """Yield the chain from a file to raw data: under every file the step that made it, and what that read.

    Anything wrong is printed beside it. A step that was shown before is not expanded again.
    """
    yield from _why(file, params, 0, set())


def _why(file: Path, params: Params, depth: int, shown: set[Path]) -> Iterator[str]:
    record, indent = record_of(file) or _own_record(file), "  " * depth
    if record is None:
        yield f"{indent}{file}  {'no step has made it' if file.exists() else 'is missing'}"
        return
    content, seen = read_json(record), record in shown
    shown.add(record)
    made = " ".join([content["step"], *(f"{name}={value}" for name, value in content["wildcards"].items())])
    yield f"{indent}{file}  {made}{' (above)' if seen else ''}"
    if seen:
        return
    for finding in _verify_record(record, params, 1):
        if finding.state is not FileState.RIGHT:
            yield f"{indent}  ! {finding.path}: {finding.state} {finding.detail}".rstrip()
    if "folder" in content:
        yield f"{indent}  {content['folder']}  raw files"
    for known in content["inputs"].values():
        yield from _why(Path(known["path"]), params, depth + 1, shown)


def _own_record(file: Path) -> Path | None:
    """Return a file that is itself a record, such as that of a fetch."""
    content = (_read(file) if file.suffix == ".json" and file.exists() else None) or {}
    return file if content.get("format") == FORMAT and "step" in content else None


def _digest(path: Path) -> str:
    """Hash a file, once for as long as nobody touches it: many records name the same inputs."""
    facts = path.stat()
    return _digest_of(path, facts.st_size, facts.st_mtime_ns, facts.st_ctime_ns, facts.st_ino)


@cache
def _digest_of(path: Path, *facts: int) -> str:
    return sha256(path)
