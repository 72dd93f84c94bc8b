"""Was code only moved? Compare all definitions of two commits, wherever they lie.

    python tools/moved.py OLD NEW

Prints every function, class and other statement at the top of a module that is not in both; ends with 1 if one is.
Imports, docstrings of modules and rooms in the paths of modules are left aside; rules are not compared.
"""

import ast
import re
import subprocess
import sys
from collections import Counter

TREES = ("spl", "tests", "benchmarks", "tools")


def main() -> None:
    """Compare the definitions of two commits."""
    old, new = (definitions(commit) for commit in sys.argv[1:3])
    for title, extra in (("gone", old - new), ("new", new - old)):
        for name, _ in sorted(extra.elements()):
            print(f"{title}: {name}")
    print(f"{sum((old & new).values())} of {sum(old.values())} definitions are the same")
    sys.exit(old != new)


def definitions(commit: str) -> Counter[tuple[str, str]]:
    """Return name, or beginning, and content of every top-level statement of a commit."""
    found: Counter[tuple[str, str]] = Counter()
    for path in _git("ls-tree", "-r", "--name-only", commit, "--", *TREES).splitlines():
        if path.endswith(".py"):
            for node in ast.parse(_git("show", f"{commit}:{path}")).body:
                if isinstance(node, ast.Import | ast.ImportFrom) or _is_text(node):
                    continue
                content = re.sub(r"\bspl(?:[./]\w+)*[./](\w+)", r"spl.\1", ast.dump(_WithoutImports().visit(node)))
                name = getattr(node, "name", None) or ast.unparse(node).splitlines()[0][:60]
                found[name, content] += 1
    return found


def _is_text(node: ast.stmt) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)


class _WithoutImports(ast.NodeTransformer):
    def visit_Import(self, node: ast.Import) -> None:
        """Drop it."""

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None:
        """Drop it."""


def _git(*command: str) -> str:
    return subprocess.run(["git", *command], capture_output=True, text=True, check=True).stdout


if __name__ == "__main__":
    main()
