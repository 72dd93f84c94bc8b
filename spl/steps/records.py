"""The record that every step leaves beside its files: which settings and which inputs made them.

Snakemake trusts modification times and DVC trusts hashes; neither notices an old result restored under new
settings. A record does: `spl stale` lists results whose record disagrees, and later steps refuse them.
"""

from pathlib import Path
from typing import Any, TypeVar

from pydantic import ValidationError

import spl
from spl.common.errors import RecordError
from spl.common.files import read_json, write_json
from spl.config.base import Strict
from spl.steps.slices import essential

T = TypeVar("T", bound=Strict)


def write_record(path: str | Path, settings: Strict, inputs: dict[str, str], **results: Any) -> None:
    """Write a record: resolved settings, hashes of the inputs by name, results worth keeping."""
    record = {"settings": settings.model_dump(mode="json"), "inputs": inputs, "spl_version": spl.__version__}
    write_json(path, record | results)


def read_settings(path: str | Path, kind: type[T]) -> T:
    """Return the settings that a record holds.

    Raises: RecordError if they are not of that kind, perhaps because another version wrote them.
    """
    try:
        return kind.model_validate(read_json(path)["settings"], strict=False)
    except (ValidationError, KeyError, TypeError):
        raise RecordError(
            f"{path} is not a record that this version (spl {spl.__version__}) can read. "
            f"Make it again: snakemake --cores all --forcerun {path} -- {path}"
        ) from None


def differences(path: str | Path, settings: Strict, inputs: dict[str, str]) -> list[str]:
    """List how the record at `path` disagrees with the current settings and inputs, one line each."""
    record = read_json(path)
    changed = _changed("", _essential(record.get("settings")), essential(settings.model_dump(mode="json")))
    recorded = record.get("inputs", {})
    return changed + [
        f"input {name} is not the one it was made from" for name, value in inputs.items() if recorded.get(name) != value
    ]


def require_current(path: str | Path, settings: Strict, inputs: dict[str, str]) -> None:
    """Refuse a result that was made with other settings or inputs.

    Raises: RecordError naming every difference and the command that rebuilds the result.
    """
    if found := differences(path, settings, inputs):
        listed = "\n".join(f"  {line}" for line in found)
        raise RecordError(
            f"{path} was made differently from what params.yaml says now:\n{listed}\n"
            f"Rebuild it: snakemake --cores all --forcerun {path} -- {path}"
        )


def _essential(recorded: Any) -> Any:
    """Reduce recorded settings as current ones are; those of another version may have another shape."""
    try:
        return essential(recorded)
    except (KeyError, TypeError, AttributeError):
        return recorded


def _changed(prefix: str, old: Any, new: Any) -> list[str]:
    """Compare two JSON values and name each differing leaf by its dotted path."""
    if isinstance(old, dict) and isinstance(new, dict):
        keys = [*new, *(key for key in old if key not in new)]
        return [line for key in keys for line in _changed(f"{prefix}.{key}".lstrip("."), old.get(key), new.get(key))]
    return [] if old == new else [f"{prefix}: was {old!r}, is {new!r}"]
