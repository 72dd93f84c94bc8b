"""Every message of docs/errors.md is one that the package prints."""

import ast
import re

import pytest

from tests.conftest import REPOSITORY

ROWS = re.findall(r"^\| `(.+?)` \| .+ \| .+ \|$", (REPOSITORY / "docs/errors.md").read_text(encoding="utf-8"), re.M)


def texts(tree: ast.AST) -> list[str]:
    """The texts of a module, neighbours joined, with … for the values in them."""
    strings = (node for node in ast.walk(tree) if isinstance(node, ast.JoinedStr | ast.Constant))
    parts = (node.values if isinstance(node, ast.JoinedStr) else [node] for node in strings)
    return ["".join(str(p.value) if isinstance(p, ast.Constant) else "…" for p in values) for values in parts]


@pytest.fixture(scope="module")
def source() -> str:
    """All texts of the package, and the sources of the workflow."""
    found = [text for file in REPOSITORY.glob("spl/**/*.py") for text in texts(ast.parse(file.read_bytes()))]
    workflow = [*REPOSITORY.glob("workflow/rules/*.smk"), *REPOSITORY.glob("workflow/*.sh")]
    return "\n".join([*found, *(file.read_text(encoding="utf-8") for file in workflow)])


def test_there_is_a_row_for_what_users_meet():
    assert len(ROWS) > 60
    assert len(set(ROWS)) == len(ROWS)


@pytest.mark.parametrize("message", ROWS)
def test_the_longest_fixed_part_of_a_message_stands_in_the_source(source, message):
    """Sentences may come from several places, and what the system says is not in the source."""
    parts = [part.strip(" .:") for part in re.split(r"…|\. |Permission denied|No space left on device", message)]
    fixed = max(parts, key=len)
    assert len(fixed) >= 8
    assert fixed in source
