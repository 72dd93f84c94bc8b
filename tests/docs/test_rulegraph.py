"""The committed graph of the rules, as text and as a drawing, is the workflow's.   After a change: make rulegraph"""

import html
import re

from tests.conftest import REPOSITORY
from tests.workflow.conftest import Clone, copy_repository

Edges = set[tuple[str, str]]


def edges(dot: str) -> Edges:
    """Return the pairs (rule, rule that uses its files) of Snakemake's text, in which rules have numbers."""
    names = dict(re.findall(r'^\s*(\d+)\[label = "(\w+)"', dot, re.MULTILINE))
    return {(names[start], names[end]) for start, end in re.findall(r"^\s*(\d+) -> (\d+)", dot, re.MULTILINE)}


def closure(pairs: Edges) -> Edges:
    """Return the pairs that are connected by any number of edges."""
    while more := {(a, d) for a, b in pairs for c, d in pairs if b == c} - pairs:
        pairs |= more
    return pairs


def test_the_text_is_what_snakemake_says_now(tmp_path):
    copy_repository(tmp_path)
    now = Clone(tmp_path, tmp_path / ".cache").run("snakemake", "--rulegraph", "dot", "--", "all")
    assert edges((REPOSITORY / "docs/rulegraph.dot").read_text()) == edges(now)


def test_the_drawing_shows_the_text_without_edges_that_follow_from_others():
    text, drawing = ((REPOSITORY / f"docs/rulegraph.{kind}").read_text() for kind in ("dot", "svg"))
    names = dict(re.findall(r"<title>(\d+)</title>.*?<text[^>]*>(\w+)</text>", drawing, re.DOTALL))
    arrows = re.findall(r"<title>(\d+)->(\d+)</title>", html.unescape(drawing))
    drawn = {(names[start], names[end]) for start, end in arrows}
    assert drawn < edges(text)
    assert closure(drawn) == closure(edges(text))
