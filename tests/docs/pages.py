"""The Markdown pages of the repository, and the commands that they show."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

from tests.conftest import REPOSITORY

PAGES = sorted([*REPOSITORY.glob("*.md"), *(REPOSITORY / "docs").glob("*.md")])
HISTORY = REPOSITORY / "CHANGELOG.md"
"""Names what is no more."""

PROGRAMS = ("snakemake ", "spl ", "python ", "torchrun ", "make ", "dvc ")
"""What inline code begins with if it is a command of this repository."""

TARGETS = re.compile(r"^\|[^|]*\| command: `snakemake --cores all …` \|.*\n((?:\|.*\n)+)", re.MULTILINE)
CELL = re.compile(r"^\|[^|]*\| `([^`]+)` \|", re.MULTILINE)
"""The table of Snakemake targets, and the second cell of its rows."""


def shown_commands() -> dict[tuple[str, ...], str]:
    """Return the page of every command: of the lines of its blocks, and of inline code that begins with a program."""
    pages = [page for page in PAGES if page != HISTORY]
    return {tuple(shlex.split(command)): page.name for page in pages for command in _commands(page.read_text())}


def _commands(text: str) -> Iterator[str]:
    blocks = re.findall(r"^```bash\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    text = re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL)
    blocks += re.findall(r"(?<=\n\n)(?:    .+\n)+", text)
    lines = [line for block in blocks for line in block.replace("\\\n", " ").splitlines()]
    inline = [code for code in re.findall(r"`([^`\n]+)`", text) if code.startswith(PROGRAMS) and " " in code]
    inline += [f"snakemake --cores all {code}" for rows in TARGETS.findall(text) for code in CELL.findall(rows)]
    for line in [*lines, *inline]:
        line = re.sub(r"(^|\s)#.*", "", line).strip()
        yield from re.findall(r"\$\((.*?)\)", line)
        yield from filter(None, re.split(r"\s&&\s|\s\| xargs -r\s", re.sub(r"\$\(.*?\)", "all", line)))


def headings(page: Path) -> set[str]:
    """Return the anchors of a page's headings, as GitHub makes them."""
    text = re.sub(r"^```.*?^```", "", page.read_text(), flags=re.MULTILINE | re.DOTALL)
    titles = re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}
