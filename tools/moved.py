"""Was code only moved? Compare all definitions of two commits, wherever they lie.

    python tools/moved.py OLD NEW

Prints every function and class that is not in both, imports and module paths inside strings aside; ends with 1 if there
is one.
"""

import ast
import re
import subprocess
import sys
from collections import Counter

TREES = ("spl", "tests", "benchmarks")


def main() -> None:
    """Compare the definitions of two commits."""
    old, new = (definitions(commit) for commit in sys.argv[1:3])
    for title, extra in (("gone", old - new), ("new", new - old)):
        for name, _ in sorted(extra.elements()):
            print(f"{title}: {name}")
    print(f"{sum((old & new).values())} of {sum(old.values())} definitions are the same")
    sys.exit(old != new)


def definitions(commit: str) -> Counter[tuple[str, str]]:
    """Return name and content of every top-level definition of a commit; constants count as definitions."""
    found: Counter[tuple[str, str]] = Counter()
    for path in _git("ls-tree", "-r", "--name-only", commit, "--", *TREES).splitlines():
        if path.endswith(".py"):
            for node in ast.parse(_git("show", f"{commit}:{path}")).body:
                if isinstance(node, ast.FunctionDef | ast.ClassDef | ast.Assign | ast.AnnAssign):
                    content = ast.dump(_WithoutImports().visit(node))
                    name = getattr(node, "name", None) or ast.unparse(node).split("=")[0].split(":")[0].strip()
                    found[name, re.sub(r"\bspl(\.\w+)+|\bspl(/\w+)+\.py", "<module>", content)] += 1
    return found


class _WithoutImports(ast.NodeTransformer):
    def visit_Import(self, node: ast.Import) -> None:
        """Drop it."""

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None:
        """Drop it."""


def _git(*command: str) -> str:
    return subprocess.run(["git", *command], capture_output=True, text=True, check=True).stdout


if __name__ == "__main__":
    main()
