"""What a command may import: heavy libraries take up to seconds, times a hundred jobs."""

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from tests.conftest import REPOSITORY

HEAVY = {"pandas", "scipy", "torch", "torchvision", "timm", "torch_fidelity", "matplotlib", "jinja2", "requests"}
NOT_IN_BASE = {
    *HEAVY - {"scipy"}, "safetensors", "snakemake", "dvc", "markdown_it", "urllib3", "patchmatch", "onnx",
    "onnxruntime", "onnxscript", "starlette", "uvicorn",
}  # fmt: skip
NOT_ON_WINDOWS = {"fcntl", "resource", "pwd", "grp", "termios"}
"""`from skimage import feature` imports next to nothing until it is used, `from skimage.feature import canny` does."""

TABLES, NETWORKS = {"pandas"}, {"pandas", "torch"}
ANALYSIS, DRAWING = {"pandas", "scipy"}, {"pandas", "scipy", "matplotlib"}
ALLOWED = {
    "status": set(), "verify": set(), "stale": set(), "why": set(), "schema": set(), "prepare_images": set(),
    "group_masks": set(), "generate": set(), "measure_perceptual": set(),
    "fetch_images": {"requests"}, "fetch_masks": {"requests"}, "fetch_pretext": {"requests"},
    "fetch_weights": {"requests"},
    "pair_masks": TABLES, "smooth_images": ANALYSIS,
    "table1": ANALYSIS, "further_metrics": ANALYSIS, "compare_ablations": ANALYSIS, "compare_grid": ANALYSIS,
    "check_claims": ANALYSIS, "study": DRAWING, "signature": TABLES, "compare_reference": TABLES, "plan": NETWORKS,
    "init_photos": set(), "export_onnx": {"torch"}, "export": NETWORKS, "score": {*ANALYSIS, "torch"},
    "draw_figure": DRAWING, "draw_examples": {"pandas", "matplotlib"}, "write_report": {*DRAWING, "jinja2"},
    "evaluate_method": NETWORKS, "export_priors": NETWORKS, "train_method": NETWORKS, "inpaint": set(), "web": set(),
    "measure_cost": NETWORKS, "inspect_weights": {"torch"}, "convert_weights": {"torch"},
    "detect_objects": NETWORKS, "train_teacher": NETWORKS,
}  # fmt: skip
"""By function of spl/cli. What a method, a teacher or a metric needs beyond that is imported where it is built."""


def imported(nodes: list[ast.stmt]) -> Iterator[str]:
    """Yield the modules that statements import when they are executed; names may turn out to be no modules."""
    for node in nodes:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield from (node.module, *(f"{node.module}.{alias.name}" for alias in node.names))
        elif isinstance(node, (ast.If, ast.Try, ast.With)) and not is_optional(node):
            yield from imported(node.body)


def is_optional(node: ast.stmt) -> bool:
    """Whether a block imports for type checkers only, or goes on without what it imports."""
    heads = [node.test] if isinstance(node, ast.If) else [handler.type for handler in getattr(node, "handlers", [])]
    return any(head and ast.unparse(head) in ("TYPE_CHECKING", "ImportError") for head in heads)


@cache
def file_of(module: str) -> Path | None:
    path = REPOSITORY / module.replace(".", "/")
    return next((file for file in (path.with_suffix(".py"), path / "__init__.py") if file.is_file()), None)


@cache
def imports_of(module: str) -> frozenset[str]:
    file = file_of(module)
    return frozenset(imported(ast.parse(file.read_text()).body)) if file else frozenset()


def reached(names: Iterator[str]) -> set[str]:
    """Return all modules that are imported with some, those of other packages by their names only."""
    waiting, found = list(names), set()
    while waiting:
        if (name := waiting.pop()) not in found:
            found.add(name)
            waiting += imports_of(name)
    return found


def commands() -> Iterator[tuple[str, ast.FunctionDef]]:
    for file in sorted((REPOSITORY / "spl/cli").glob("*.py")):
        for node in ast.parse(file.read_text()).body:
            if isinstance(node, ast.FunctionDef):
                yield node.name, node


@pytest.mark.parametrize("command", ALLOWED)
def test_a_command_imports_only_the_heavy_libraries_that_it_uses(command):
    functions = [node for name, node in commands() if name == command]
    assert len(functions) == 1
    within = [node for node in ast.walk(functions[0]) if isinstance(node, ast.stmt)]
    modules = reached(iter(["spl.cli", *imported(within)]))
    assert {module.partition(".")[0] for module in modules} & HEAVY == ALLOWED[command]
    assert not [module for module in modules if module.startswith("skimage.") and module.count(".") > 1]


def test_every_command_is_listed():
    assert {name for name, node in commands() if not name.startswith("_")} - {
        "about",
        "consent",
        "main",
        "stop_on_signal",
    } == set(ALLOWED)


@pytest.mark.parametrize(
    "start", [("spl.cli",), ("spl.filling.files", "spl.filling.inpainter", "spl.filling.onnx"), ("spl",)]
)
def test_the_small_installation_imports_nothing_that_it_lacks_nor_windows(start):
    modules = {module.partition(".")[0] for module in reached(iter(start))}
    assert not modules & (NOT_IN_BASE | NOT_ON_WINDOWS)


def test_what_fills_by_networks_needs_torch_and_safetensors_only():
    modules = {module.partition(".")[0] for module in reached(iter(["spl.filling.networks"]))}
    assert modules & NOT_IN_BASE == {"torch", "safetensors"}


def test_what_fetches_released_networks_needs_requests_besides():
    modules = {module.partition(".")[0] for module in reached(iter(["spl.released.convert", "spl.sources.fetch"]))}
    assert modules & NOT_IN_BASE == {"torch", "safetensors", "requests", "urllib3"}
