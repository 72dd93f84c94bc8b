"""The layers that docs/architecture.md shows are the ones that are checked, and a planted fault is found."""

import ast
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml

from spl.config.experiment import Params
from spl.steps.settings import STEPS
from tests.conftest import REPOSITORY

ROOMS = {path.name for path in (REPOSITORY / "spl").iterdir() if (path / "__init__.py").is_file()}


@pytest.fixture
def lint(tmp_path):
    """A function that plants a line into a module of a copy and returns what the contracts then say."""
    shutil.copytree(REPOSITORY / "spl", tmp_path / "spl", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(REPOSITORY / "pyproject.toml", tmp_path)

    def plant(module: str, line: str) -> tuple[int, str]:
        with (tmp_path / "spl" / module).open("a") as file:
            file.write(f"\n{line}\n")
        done = subprocess.run(
            [Path(sys.executable).with_name("lint-imports"), "--no-cache"],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=120,
        )
        return done.returncode, re.sub(r"\s+", " ", done.stdout)

    return plant


def test_the_contracts_hold(lint):
    assert lint("common/files.py", "")[0] == 0


@pytest.mark.parametrize(
    ("module", "line", "told"),
    [
        ("common/files.py", "from spl.config import base", "spl.common is not allowed to import spl.config"),
        ("teachers/asl.py", "from spl.training import loop", "spl.teachers is not allowed to import spl.training"),
        ("data/masks.py", "import torch", "spl.data is not allowed to import torch"),
        ("steps/records.py", "def late():\n    import timm", "spl.steps is not allowed to import timm"),
    ],
)
def test_a_planted_import_breaks_them(lint, module, line, told):
    status, output = lint(module, line)
    assert status == 1
    assert told in output


def test_a_new_room_has_to_be_given_its_layer(lint, tmp_path):
    (tmp_path / "spl/attic").mkdir()
    (tmp_path / "spl/attic/__init__.py").touch()
    status, output = lint("attic/things.py", "")
    assert status == 1
    assert "attic" in output


def test_the_page_shows_every_room_in_the_order_of_the_layers():
    contracts = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    layers = [room.strip() for layer in contracts[0]["layers"] for room in layer.split("|")]
    page = (REPOSITORY / "docs/architecture.md").read_text()
    shown = re.findall(r"`(\w+)/`", "".join(re.findall(r"^\| (`.*?) \|", page, re.M)))
    assert ["__main__", *shown] == layers
    assert set(shown) == ROOMS


def test_every_room_has_its_folder_of_tests():
    assert {path.name for path in (REPOSITORY / "tests").iterdir() if (path / "__init__.py").is_file()} >= ROOMS


def test_every_gate_runs_the_same_two_commands():
    workflow = yaml.safe_load((REPOSITORY / ".github/workflows/ci.yml").read_text())
    steps = [step["run"] for step in workflow["jobs"]["check-and-test"]["steps"] if "run" in step]
    assert steps == ["make check", "make test"]
    hooks = yaml.safe_load((REPOSITORY / ".pre-commit-config.yaml").read_text())["repos"]
    assert [(repo["repo"], hook["entry"]) for repo in hooks for hook in repo["hooks"]] == [("local", "make check")]
    assert (REPOSITORY / ".ci/run").read_text().endswith("\nmake check\nmake test\n")


NAMED = r"(?<![\w./*])((?:spl|tests|workflow|tools|benchmarks)/[\w/]+\.\w+|spl(?:\.[a-z]\w*)+)"
"""A path in the repository, or a dotted module or definition."""


def test_what_documents_name_is_there():
    modules = {
        ".".join(path.relative_to(REPOSITORY).with_suffix("").parts) for path in (REPOSITORY / "spl").rglob("*.py")
    }
    places = modules | {module.removesuffix(".__init__") for module in modules}
    documents = [*REPOSITORY.glob("*.md"), *(REPOSITORY / "docs").glob("*.md"), *(REPOSITORY / "spl").rglob("*.py")]
    for document in documents:
        text = document.read_text().partition("## A worked example")[0]  # whose files are to be written
        if document.name == "CHANGELOG.md":
            continue
        if document.name == "architecture.md":  # names modules from spl/ on
            text = re.sub(r"`(\w+/\w+\.py)`", r"`spl/\1`", text)
        for name in re.findall(NAMED, text):
            there = (REPOSITORY / name).exists() or {name, name.rpartition(".")[0]} & places
            assert there, f"{document.name} names {name}"


def test_past_the_door_nobody_gets_the_whole_experiment():
    """A step gets its own settings, so it cannot read what it does not declare."""
    doors = ("config", "steps", "cli", "inventory", "planning")
    for path in (REPOSITORY / "spl").rglob("*.py"):
        if path.relative_to(REPOSITORY / "spl").parts[0] not in doors:
            names = {node.id for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Name)}
            assert "Params" not in names, path
    for step, kind in STEPS.items():
        assert step == "write_report" or not issubclass(kind, Params), step
