"""The door: reading a parameter file, and saying everything that is wrong with it at once."""

import json
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from spl.common.errors import ParamsError
from spl.config.base import UniqueKeyLoader
from spl.config.checks import contradictions
from spl.config.experiment import Params
from spl.config.grid import with_grid_points


def load_params(path: str | Path, *, shown: str | Path | None = None) -> Params:
    """Read and validate a parameter file, or a copy of the file that is `shown` in messages.

    Raises: ParamsError listing every fault with its dotted path.
    """
    try:
        text, path = Path(path).read_text(encoding="utf-8"), shown or path
        raw = yaml.load(text, UniqueKeyLoader)
    except FileNotFoundError:
        raise ParamsError(f"{path} does not exist. Copy a preset: cp presets/demo.yaml params.yaml") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ParamsError(f"{path} is not valid YAML: {error}") from None
    faults = _unknown_overrides(raw)
    params = None
    try:
        # JSON mode: lists may become tuples, but strings never become numbers.
        params = Params.model_validate_json(json.dumps(raw, default=str))
    except ValidationError as error:
        faults = [_describe(fault) for fault in _causes(error.errors())] + faults
    if params is not None:
        faults += contradictions(params)
    if params is None or faults:
        listed = "\n".join(f"  {fault}" for fault in faults)
        raise ParamsError(f"{path} has {len(faults)} fault(s):\n{listed}")
    return with_grid_points(params)


def _unknown_overrides(raw: Any) -> list[str]:
    """Find overrides and weights for datasets that do not exist, whatever else may be wrong with the file."""

    def entry(value: Any, key: str) -> dict[str, Any]:
        found = value.get(key) if isinstance(value, dict) else None
        return found if isinstance(found, dict) else {}

    datasets = entry(raw, "datasets")
    faults = []
    for method, recipe in entry(raw, "methods").items():
        overrides = {"training.per_dataset": entry(entry(recipe, "training"), "per_dataset")}
        for where, named in (overrides | {"weights": entry(recipe, "weights")}).items():
            faults += [
                f"methods.{method}.{where}.{dataset}: no such dataset; `datasets` has {', '.join(datasets)}"
                for dataset in named
                if dataset not in datasets
            ]
    return faults


def _causes(faults: list[Any]) -> list[Any]:
    """Leave out that a list is too short where a fault in one of its entries made it so."""
    places = [fault["loc"] for fault in faults]
    return [
        fault
        for fault in faults
        if fault["type"] != "too_short" or not any(fault["loc"] == place[:-1][: len(fault["loc"])] for place in places)
    ]


def _dotted(location: tuple[int | str, ...]) -> str:
    """Join a pydantic location, leaving out the tags of unions that the user never wrote."""
    parts = [str(part) for i, part in enumerate(location) if not _is_tag(location, i)]
    return ".".join(parts) or "(top level)"


UNIONS = {"methods": 2, "teachers": 2, "perception": 1}
"""Sections whose entries are unions, and at which place of a location their tags stand."""

TAGS = {
    "miniature",
    "registered",
    "supplied",
    "folder",
    "folders",
    "lists",
    "step",
    "linear",
    "exponential",
    "constant",
}


def _is_tag(location: tuple[int | str, ...], i: int) -> bool:
    """Tell whether part `i` is what pydantic inserts: the tag after a discriminated field, `[key]` after a key."""
    previous = location[i - 1] if i else None
    if location[i] == "[key]":
        return True
    if UNIONS.get(str(location[0])) == i or (location[0] == "detection" and previous == "detector"):
        return True
    if previous == "layout":
        return i + 1 < len(location) or location[i] in TAGS
    return previous in {"source", "decay"} and location[i] in TAGS


def _describe(fault: Any) -> str:
    """Say where the fault is, what was expected and what came."""
    path, kind = _dotted(fault["loc"]), fault["type"]
    if kind == "missing":
        return f"{path}: is missing"
    if kind == "extra_forbidden":
        return f"{path}: is not a known key"
    if kind == "value_error":
        return f"{path}: {fault['ctx']['error']}"
    if kind.startswith("union_tag"):
        key, context = fault["ctx"]["discriminator"].strip("'"), fault["ctx"]
        expected = (
            f"must be one of {context['expected_tags']}, got {context['tag']!r}" if "tag" in context else "is missing"
        )
        return f"{path}.{key}: {expected}"
    text = fault["msg"][0].lower() + fault["msg"][1:]
    hint = " (YAML reads 1e-4 as text: write 0.0001 or 1.0e-4)" if kind.startswith("float") else ""
    return f"{path}: {text}, got {fault['input']!r}{hint}"


def json_schema() -> str:
    """Return the JSON Schema of `params.yaml` that editors use."""
    schema = Params.model_json_schema()
    return json.dumps({"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}, indent=2) + "\n"
