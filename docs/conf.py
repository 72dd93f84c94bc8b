"""Sphinx's settings: `make docs`. The pages are Markdown; the reference is read from docstrings, without an import."""

import re
from typing import Any

project = "SPL, reproduced"
html_title = project
html_theme = "furo"
html_show_copyright = False
exclude_patterns = ["conf.py"]

extensions = ["myst_parser", "autoapi.extension"]
myst_heading_anchors = 3  # a heading is the target of a link, as on GitHub

autoapi_dirs = ["../spl"]
autoapi_root = "api"
autoapi_options = ["members", "show-module-summary"]
autoapi_add_toctree_entry = False
autoapi_keep_files = False
suppress_warnings = ["autoapi.python_import_resolution"]  # of constants that are assigned several at a time


def write_rst(app: Any, kind: str, name: str, thing: Any, options: Any, lines: list[str]) -> None:
    """Turn a docstring, which is plain text with `names` in backticks, into reStructuredText, in place.

    An indented paragraph is a literal block; `Shapes:`, `Raises:` and the like begin a paragraph in bold. Examples that
    begin with `>>>` stay as they are.
    """
    paragraphs = re.split(r"\n\s*\n|\n(?=[A-Z][a-z]+: )", "\n".join(lines))
    lines[:] = "\n\n".join(map(_paragraph, paragraphs)).splitlines()


def _paragraph(text: str) -> str:
    """Escape what reStructuredText would read as markup, join the lines, and set names as code."""
    if text.startswith(">>>"):
        return text
    if text.startswith(" "):
        return f"::\n\n{text}"
    words = re.split(r"`([^`]+)`", " ".join(text.split()))
    words[::2] = [re.sub(r"([\\\\*|_])", r"\\\1", part) for part in words[::2]]
    words[1::2] = [f"``{part}``" for part in words[1::2]]
    return re.sub(r"^(Shapes|Raises|Returns|Paper|Example): ", r"**\1:** ", "".join(words))


def setup(app: Any) -> None:
    """Register what this file defines."""
    app.connect("autodoc-process-docstring", write_rst)
