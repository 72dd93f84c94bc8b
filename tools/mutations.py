"""Would a forgotten input be noticed? Delete one after the other: the tests of graph, settings and records must fail.

    python tools/mutations.py fields     every field of every step's settings                             ten minutes
    python tools/mutations.py rules      every named input of every rule                                  five minutes
    python tools/mutations.py records    every input that a command takes for its record, step run again  ten minutes

Prints a line for each, and ends with 1 if a deletion passed the tests. Works in a copy of the working tree in which the
tiny experiment of the tests is built.
"""

import ast
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(REPOSITORY))

from tests.workflow.conftest import Clone, gather, make_clone  # noqa: E402

DECLARED = ("tests/workflow/test_end_to_end.py", "-k", "declare")
SETTINGS = ("tests/steps",)
BUILT = ("data", "results")

Mutation = tuple[Path, str, str, str]
"""File, what is deleted, the text without it, and the step that runs again, if one has to."""


def main() -> None:
    """Try all mutations of a kind."""
    kind = sys.argv[1]
    with tempfile.TemporaryDirectory() as folder:
        clone = make_clone(Path(folder), gather)
        clone.env |= {"SPL_BUILT": str(clone.folder), "PYTHONPATH": str(clone.folder)}
        if kind != "fields":
            clone.run("snakemake", "--cores", "2", "all")
            for name in BUILT:
                shutil.copytree(clone.folder / name, clone.folder / ".kept" / name)
        tests = SETTINGS if kind == "fields" else DECLARED
        assert passes(clone, tests), "the tests have to pass before anything is deleted"
        survivors, tried = 0, set[str]()
        for path, name, text, step in KINDS[kind](clone.folder):
            if step not in tried and not (run_again(clone, step) and passes(clone, tests)):
                raise SystemExit(f"{step} has to pass the tests as it is")
            tried.add(step)
            before = path.read_text()
            path.write_text(text)
            noticed = not (run_again(clone, step) and passes(clone, tests))
            path.write_text(before)
            restore(clone.folder)
            survivors += not noticed
            print(f"{'noticed ' if noticed else 'SURVIVED'}  {path.relative_to(clone.folder)}: {name}", flush=True)
    sys.exit(bool(survivors))


def passes(clone: Clone, tests: tuple[str, ...]) -> bool:
    """Run some tests of the clone."""
    command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", *tests]
    return subprocess.run(command, cwd=clone.folder, env=clone.env, capture_output=True, check=False).returncode == 0


def restore(folder: Path) -> None:
    """Put back what a step has overwritten."""
    for name in BUILT:
        if (kept := folder / ".kept" / name).is_dir():
            shutil.rmtree(folder / name)
            shutil.copytree(kept, folder / name)


def run_again(clone: Clone, step: str) -> bool:
    """Run the first command of a step as Snakemake would; say if it went well."""
    if not step:
        return True
    printed = clone.run("snakemake", "-n", "--forceall", "--", "all")
    for rule, command in re.findall(r"^(?:local)?rule (\w+):.*?^Shell command: (.*?) 2> ", printed, re.M | re.S):
        if rule == step and "--method telea" not in command:
            words = [sys.executable, *shlex.split(command)[1:]]
            return (
                subprocess.run(words, cwd=clone.folder, env=clone.env, capture_output=True, check=False).returncode == 0
            )
    raise SystemExit(f"no job of {step}")


def fields(root: Path) -> Iterator[Mutation]:
    """Delete every field of the settings of a step."""
    path = root / "spl/steps/settings.py"
    lines = path.read_text().splitlines(keepends=True)
    for kind in ast.parse("".join(lines)).body:
        if isinstance(kind, ast.ClassDef) and kind.name.endswith("Settings") and kind.name != "Settings":
            for field in kind.body:
                if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name):
                    rest = [*lines[: field.lineno - 1], *lines[field.end_lineno :]]
                    yield path, f"{kind.name}.{field.target.id}", "".join(rest), ""


def rules(root: Path) -> Iterator[Mutation]:
    """Delete every named input of the rules that the tiny experiment runs."""
    for path in sorted((root / "workflow/rules").glob("*.smk")):
        text = path.read_text()
        for rule in re.finditer(r"^rule (\w+):\n.*?(?=^rule |\Z)", text, re.M | re.S):
            if rule[1] in ("fetch_weights", "compare_grid"):  # not part of it
                continue
            if block := re.search(r"^    input:\n(.*?)(?=^    \w)", rule[0], re.M | re.S):
                for named in re.finditer(r"^        (\w+)=.*?,\n(?=        \w+=|\Z)", block[1], re.M | re.S):
                    if named[1] != "fetched":  # nothing of the tiny experiment is
                        start = rule.start() + block.start(1)
                        rest = text[: start + named.start()] + text[start + named.end() :]
                        yield path, f"{rule[1]}, {named[1]}", rest, ""


def records(root: Path) -> Iterator[Mutation]:
    """Delete every input that a command takes by name; its module has the name of its rule."""
    rules_with_inputs = "".join(path.read_text() for path in (root / "workflow/rules").glob("*.smk"))
    for path in sorted((root / "spl").rglob("*.py")):
        text, step = path.read_text(), path.stem
        if f"rule {step}:" not in rules_with_inputs:
            continue
        for call in ast.walk(ast.parse(text)):
            if isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.func.id == "take":
                for named in (keyword for keyword in call.keywords if keyword.arg):
                    lines = text.splitlines(keepends=True)
                    line = lines[named.lineno - 1]
                    rest = line[: named.col_offset] + line[named.end_col_offset :].removeprefix(", ")
                    lines[named.lineno - 1] = rest.replace("(, ", "(").replace(", )", ")")
                    yield path, f"{step}, {named.arg}", "".join(lines), step


KINDS = {"fields": fields, "rules": rules, "records": records}

if __name__ == "__main__":
    main()
