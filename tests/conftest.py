"""What every test may use: the repository's presets, and small worlds drawn once per session."""

import json
import os
import signal
import sys
from functools import partial
from pathlib import Path
from typing import NamedTuple

import pytest
import yaml
from hypothesis import settings

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before torch is imported: small tensors lose by threads
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # or every process of a test compiles the package again

settings.register_profile("spl", deadline=None, max_examples=50)
settings.load_profile("spl")

REPOSITORY = Path(__file__).parent.parent


def pytest_collection_modifyitems(items):
    """Begin with the long tests of the workflow, so that the short ones fill the gaps of the other process."""
    items.sort(key=lambda item: "workflow" not in item.path.parts)


def read_raw(path: Path) -> dict:
    """A parameter file as a plain dict in which every entry stands for itself, whatever YAML's anchors share."""
    return json.loads(json.dumps(yaml.safe_load(path.read_text())))


def set_value(raw: dict, path: str, value) -> None:
    """Change the value at a dotted path."""
    *parents, last = path.split(".")
    for parent in parents:
        raw = raw[parent]
    raw[last] = value


def input_hashes(record: dict) -> dict[str, str]:
    """The hashes of a record's inputs by name."""
    return {name: file["sha256"] for name, file in record["inputs"].items()}


def bare(raw: dict) -> dict:
    """Leave out what names methods: ablations and figures, so that methods may come and go."""
    raw["ablations"] = None
    raw["figures"] |= dict.fromkeys(("fig1", "fig2", "fig3", "fig5"))
    return raw


class Ended(NamedTuple):
    """How a command ended: as a process would."""

    status: int
    out: str
    err: str


@pytest.fixture
def spl(monkeypatch, capsys):
    """A function that runs a command of `spl` in this process, which saves importing torch again."""

    def run(*arguments: object, cwd: Path | None = None) -> Ended:
        from spl.cli import main

        before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
        try:
            with monkeypatch.context() as patch, pytest.raises(SystemExit) as ended:
                patch.setattr(sys, "argv", ["spl", *map(str, arguments)])
                if cwd:
                    patch.chdir(cwd)
                main()
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)
        return Ended(ended.value.code or 0, *capsys.readouterr())

    return run


@pytest.fixture(scope="session")
def repository() -> Path:
    return REPOSITORY


@pytest.fixture
def raw_params() -> dict:
    """The demo's parameters as a plain dict, to change and write."""
    return read_raw(REPOSITORY / "presets/demo.yaml")


@pytest.fixture
def write_params(tmp_path):
    """A function that writes a dict as a parameter file and returns its path."""

    def write(raw: dict, name: str = "params.yaml") -> Path:
        path = tmp_path / name
        path.write_text(yaml.safe_dump(raw, sort_keys=False))
        return path

    return write


@pytest.fixture
def demo_params():
    from spl.config.load import load_params

    return load_params(REPOSITORY / "presets/demo.yaml")


@pytest.fixture
def bfloat16():
    """Autocast to 16 bits on the CPU, to be entered where it is wanted."""
    import torch

    return partial(torch.autocast, "cpu", dtype=torch.bfloat16)
