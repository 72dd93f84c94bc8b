"""Facts of one side of a comparison; `tools/compare.py` runs this with that side's code.

    python tools/probe.py settings presets/demo.yaml   step -> hash of what it depends on
    python tools/probe.py leaves presets/demo.yaml     leaf -> steps that change with it
    python tools/probe.py steps train --dataset …      what optimisers hold, before and after up to three steps

Prints JSON.
"""

import ast
import contextlib
import hashlib
import importlib
import inspect
import itertools
import json
import os
import re
import sys
import tempfile
from collections.abc import Collection, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import yaml

import spl

STEPS = 3


@cache
def the(name: str) -> Any:
    """Return the one top-level definition of this name in the package, wherever it lies."""
    places = []
    root = Path(spl.__file__).parent
    for path in root.rglob("*.py"):
        if any(getattr(node, "name", None) == name for node in ast.parse(path.read_text()).body):
            module = ".".join(["spl", *path.relative_to(root).with_suffix("").parts])
            places.append(module.removesuffix(".__init__"))
    assert len(places) == 1, f"{name} is defined in {places}"
    return getattr(importlib.import_module(places[0]), name)


# Settings ----------------------------------------------------------------------------------------


def read_preset(preset: Path) -> Any:
    """Return a preset as plain JSON, and let the side's door read it quickly."""
    raw = json.loads(json.dumps(yaml.safe_load(preset.read_text())))
    yaml.load, yaml.SafeLoader = lambda text, *_: json.loads(text), yaml.CSafeLoader  # one side calls this, one that
    return raw


def settings(raw: Any) -> dict[str, str]:
    """Hash what every step depends on."""
    steps = settings_of_steps(load(raw))
    return {step: hashlib.sha256(counted.encode()).hexdigest()[:16] for step, counted in steps.items()}


def changes(raw: Any) -> dict[str, list[str] | str]:
    """Change every leaf in turn and see whose settings change."""
    before = settings_of_steps(load(raw))
    found: dict[str, list[str] | str] = {}
    for path, value in leaves(raw):
        found[".".join(map(str, path))] = "every other value is refused"
        for other in other_values(path, value, raw):
            try:
                after = settings_of_steps(load(replaced(raw, path, other)))
            except the("ParamsError"):
                continue
            steps = before.keys() | after.keys()
            found[".".join(map(str, path))] = sorted(step for step in steps if before.get(step) != after.get(step))
            break
    return found


def load(raw: Any) -> Any:
    """Read parameters through the side's own door."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "params.yaml"
        path.write_text(re.sub(r"(\d)e-", r"\1.0e-", json.dumps(raw)))  # YAML reads 1e-05 as text
        return the("load_params")(path)


def settings_of_steps(params: Any, only: Collection[str] = ()) -> dict[str, str]:
    """Return what counts for every step, or for some, as canonical strings by rule and wildcards."""
    names = {
        "dataset": list(params.datasets),
        "method": [*params.methods, "ground_truth"],
        "teacher": list(params.teachers),
        "figure": the("drawn_figures")(params),
        "seed": [None],
        "source": [],  # the registry decides
    }
    found = {}
    for step, kind in inspect.getmodule(the("ReportSettings")).STEPS.items():
        if only and step not in only:
            continue
        for values in itertools.product(*(names[key] for key in kind.wildcards)):
            with contextlib.suppress(the("ParamsError")):
                settings = kind.of(params, **dict(zip(kind.wildcards, values, strict=True)))
                found[" ".join([step, *filter(None, values)])] = the("canonical")(settings)
    return found


def leaves(value: Any, path: tuple = ()) -> Iterator[tuple[tuple, Any]]:
    """Yield path and value of every leaf."""
    entries = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else None
    if entries is None:
        yield path, value
    for key, entry in entries or ():
        yield from leaves(entry, (*path, key))


def other_values(path: tuple, value: Any, raw: Any) -> list[Any]:
    """Return other values of the same kind to try in turn."""
    if isinstance(value, bool):
        candidates = [not value]
    elif isinstance(value, int):
        candidates = [value + 1, value * 2, value + 8, value // 2, 1]
    elif isinstance(value, float):
        candidates = [value * 1.5 + 0.001, value * 0.5]
    elif value is None:
        candidates = [8, 0.5, "other"]
    else:
        key = next(part for part in reversed(path) if isinstance(part, str))
        alike = [entry for where, entry in leaves(raw) if where[-1] == path[-1] and isinstance(entry, str)]
        candidates = list(dict.fromkeys([*alike, f"{value}x", *choices(key)]))
    return [candidate for candidate in candidates if candidate != value]


@cache
def choices(key: str) -> list[str]:
    """Return every value that the schema of the parameter file lets one choose from under a key."""
    schema = json.loads(Path("workflow/schemas/params.schema.json").read_text())
    named = ((path, value) for path, value in leaves(schema) if key in path)
    chosen = (value for path, value in named if path[-1] == "const" or path[-2:-1] == ("enum",))
    return sorted({value for value in chosen if isinstance(value, str)})


def replaced(raw: Any, path: tuple, value: Any) -> Any:
    """Return a copy with one leaf changed."""
    if not path:
        return value
    copy = raw.copy()
    copy[path[0]] = replaced(raw[path[0]], path[1:], value)
    return copy


# Steps -------------------------------------------------------------------------------------------


def steps(command: list[str]) -> dict[str, str]:
    """Run a training command and hash what its optimisers hold."""
    from torch.optim import optimizer

    numbers: dict[int, list[int]] = {}  # of an optimiser: which one it is, how many steps it has made
    found = {}

    def note(held: Any) -> None:
        number, count = numbers[id(held)]
        if count <= STEPS:
            digest = hashlib.sha256()
            for group in held.param_groups:
                for parameter in group["params"]:
                    digest.update(parameter.detach().cpu().numpy().tobytes())
            found[f"optimiser {number}, step {count}"] = digest.hexdigest()[:16]

    def before(held: Any, *_: Any) -> None:
        if id(held) not in numbers:
            numbers[id(held)] = [len(numbers), 0]
            note(held)

    def after(held: Any, *_: Any) -> None:
        numbers[id(held)][1] += 1
        note(held)

    optimizer.register_optimizer_step_pre_hook(before)
    optimizer.register_optimizer_step_post_hook(after)
    sys.argv = ["spl", *command]
    try:
        the("main")()
    except SystemExit as end:
        if end.code:
            raise
    assert found, f"no optimiser has made a step: {' '.join(command)}"
    return found


if __name__ == "__main__":
    assert Path(spl.__file__).is_relative_to(os.environ["PYTHONPATH"]), f"{spl.__file__} is not the side that is asked"
    question, *arguments = sys.argv[1:]
    if question == "steps":
        told = steps(arguments)
    else:
        raw = read_preset(Path(arguments[0]))
        told = settings(raw) if question == "settings" else changes(raw)
    print(json.dumps(told))
