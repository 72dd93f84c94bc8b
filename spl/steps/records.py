"""The record that every step leaves beside its files: which settings and which inputs made which outputs.

Snakemake trusts modification times and DVC trusts hashes; neither notices an old result restored under new settings,
nor an edited one. A record does: `spl stale` and `spl why` read nothing else, and a step refuses an input that is not
the file that its record describes.
"""

import hashlib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, TypeVar

from pydantic import ValidationError

from spl.common.errors import RecordError, SPLError, again
from spl.common.files import canonical_json, read_json, sha256, write_json
from spl.common.versions import cpu, versions
from spl.config.base import counted
from spl.steps.settings import Settings

FORMAT = 3
"""Of records. Results of an older format are made again."""

T = TypeVar("T", bound=Settings)

Inputs = dict[str, dict[str, str]]
"""By name: path and sha256."""


def take(**files: str | Path) -> Inputs:
    """Return path and hash of every input of a step by name, for its record.

    Raises: DataError if a file is missing; RecordError if it is not the one that the record of the step that made it
        describes.
    """
    return {name: {"path": str(path), "sha256": _sha256_as_recorded(Path(path))} for name, path in files.items()}


def take_all(files: Iterable[Path]) -> Inputs:
    """Return the same of files whose names are their paths."""
    return take(**{str(path): path for path in files})


def write_record(
    path: str | Path, settings: Settings, inputs: Inputs, outputs: Mapping[str, Path], **facts: Any
) -> None:
    """Write a record; outputs are named relative to it, since their folder may be moved, or not be in place yet."""
    folder = Path(path).parent
    record = {
        "format": FORMAT,
        "step": settings.step,
        "wildcards": settings.identity(),
        "settings": settings.model_dump(mode="json"),
        "inputs": inputs,
        "outputs": {
            name: {"path": str(file.relative_to(folder)), "sha256": sha256(file)} for name, file in outputs.items()
        },
        "versions": versions(),
        "cpu": cpu(),
    }
    write_json(path, sealed(record | facts))


def sealed(record: dict[str, Any]) -> dict[str, Any]:
    """Add the hash of a record's own content, by which an edit is noticed."""
    content = {key: value for key, value in record.items() if key != "sha256"}
    return content | {"sha256": hashlib.sha256(canonical_json(content).encode()).hexdigest()}


def read_record(path: str | Path) -> dict[str, Any]:
    """Read a record.

    Raises: RecordError if it is none of this format, or was edited.
    """
    record = read_json(path)
    if not isinstance(record, dict) or record.get("format") != FORMAT:
        raise RecordError(
            f"{path} is not a record of format {FORMAT}, so another version of spl has made it, or something else. "
            f"Make it again: {again(path)}"
        )
    if sealed(record) != record:
        raise RecordError(f"{path} was edited since it was written. Make it again: {again(path)}")
    return record


def read_settings(path: str | Path, kind: type[T]) -> T:
    """Return the settings that a record holds.

    Raises: RecordError if they are not of that kind, perhaps because another version wrote them.
    """
    try:
        return kind.model_validate(read_record(path)["settings"], strict=False)
    except (ValidationError, KeyError, TypeError):
        raise RecordError(
            f"{path} is not the record of a {kind.step} that this version can read. Make it again: {again(path)}"
        ) from None


def changed_settings(path: str | Path, settings: Settings) -> list[str]:
    """List how the settings of the record at `path` disagree with the current ones, one line each.

    Raises: RecordError if it is no record of such a step.
    """
    return _changed("", counted(read_settings(path, type(settings))), counted(settings))


def changed_inputs(path: str | Path, hashes: Mapping[str, str]) -> list[str]:
    """Name the inputs that are not those which the record at `path` was made from.

    Raises: RecordError if it is no record.
    """
    recorded = {name: known["sha256"] for name, known in read_record(path)["inputs"].items()}
    return [name for name, digest in hashes.items() if recorded.get(name) != digest]


def require_current(path: str | Path, settings: Settings, inputs: Inputs) -> None:
    """Refuse a result that was made with other settings or inputs.

    Raises: RecordError naming every difference and the command that rebuilds the result.
    """
    found = changed_settings(path, settings)
    for name in changed_inputs(path, {name: file["sha256"] for name, file in inputs.items()}):
        found.append(f"input {name} is not the one it was made from")
    if found:
        listed = "\n".join(f"  {line}" for line in found)
        raise RecordError(
            f"{path} was made differently from what params.yaml says now:\n{listed}\nRebuild it: {again(path)}"
        )


def record_of(path: Path) -> Path | None:
    """Return the record that lists a file among its outputs: it lies beside it, or in the folder above."""
    for folder in (path.parent, path.parent.parent):
        likely = (folder / f"{path.stem}.json", folder / "record.json", folder / "run.json")
        for record in dict.fromkeys([*likely, *sorted(folder.glob("*.json"))]):
            if path in recorded_outputs(record):
                return record
    return None


def recorded_outputs(record: Path) -> dict[Path, str]:
    """Return the hash of every file that a record lists; empty for what is no record."""
    try:
        content = read_record(record)
    except SPLError:
        return {}
    return {record.parent / file["path"]: file["sha256"] for file in content["outputs"].values()}


def _sha256_as_recorded(path: Path) -> str:
    digest, record = sha256(path), record_of(path)
    if record and (outputs := recorded_outputs(record))[path] != digest:
        raise RecordError(
            f"{path} is not the file that {record} describes: it was edited or replaced. Make it again: "
            f"{again(next(iter(outputs)))}"  # Snakemake may know no other, as with the tables of detections
        )
    return digest


def _changed(prefix: str, old: Any, new: Any) -> list[str]:
    """Compare two JSON values and name each differing leaf by its dotted path."""
    if isinstance(old, dict) and isinstance(new, dict):
        keys = [*new, *(key for key in old if key not in new)]
        return [line for key in keys for line in _changed(f"{prefix}.{key}".lstrip("."), old.get(key), new.get(key))]
    return [] if old == new else [f"{prefix}: was {old!r}, is {new!r}"]
