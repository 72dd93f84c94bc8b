"""A table as readers see it: one small object that prints as Markdown and LaTeX, and as HTML in the report."""

import math
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    import pandas as pd

DASH = "–"

LATEX = str.maketrans({
    "_": r"\_", "%": r"\%", "±": r"$\pm$", "↑": r"$\uparrow$", "↓": r"$\downarrow$", "∞": r"$\infty$", "–": "--",
    "†": r"$^\dagger$", "−": "$-$", "δ": r"$\delta$",
})  # fmt: skip


class Cell(NamedTuple):
    """A cell of a table; `notes` are small lines below the text, `mark` stands raised behind it."""

    text: str
    notes: tuple[str, ...] = ()
    mark: str = ""
    look: str = ""
    """CSS classes."""
    span: int = 1


class Row(NamedTuple):
    """A line of a table, its heads first; one of the look `paper` is in italics."""

    heads: tuple[Cell, ...]
    cells: tuple[Cell, ...]
    look: str = ""
    """CSS classes."""
    group: str = ""
    """Title of the neighbouring lines that belong together."""


class Table(NamedTuple):
    """A table; every line of `head` spans all columns. The report's template prints it as HTML."""

    head: tuple[tuple[Cell, ...], ...]
    rows: tuple[Row, ...]
    caption: str = ""
    kind: str = "table"

    def to_markdown(self, *, between: str = " ") -> str:
        """Print as Markdown: the head on one line, `between` a text and its notes, groups in a column of their own."""
        groups = any(row.group for row in self.rows)
        title = [" ".join(filter(None, texts)) for texts in zip(*map(_repeated, self.head), strict=True)]
        rule = ["---" if cell.look == "left" else "--:" for cell in self.head[-1] for _ in range(cell.span)]
        lines = [["", *title], ["---", *rule]] if groups else [title, rule]
        for row in self.rows:
            style = "*{}*" if row.look == "paper" else "{}"
            texts = [style.format(text) if text else "" for text in _texts(row, between)]
            lines.append([row.group, *texts] if groups else texts)
        return "".join(f"| {' | '.join(line)} |\n" for line in lines)

    def to_latex(self) -> str:
        """Print for booktabs; groups have a rule above them and their titles in the first column."""
        lines = [r"\begin{tabular}{ll" + "c" * (len(_repeated(self.head[0])) - 1) + "}", r"\toprule"]
        for head in self.head:
            cells = (
                rf"\multicolumn{{{c.span}}}{{c}}{{{_escape(c.text)}}}" if c.span > 1 else _escape(c.text) for c in head
            )
            lines.append(" & ".join(["", *cells]) + r" \\")
        for group, rows in groupby(self.rows, key=lambda row: row.group):
            lines.append(r"\midrule")
            for i, row in enumerate(rows):
                label, *cells = map(_escape, _texts(row, " "))
                label = rf"\textit{{{label}}}" if row.look == "paper" else label
                lines.append(" & ".join(["" if i else _escape(group), label, *cells]) + r" \\")
        return "\n".join([*lines, r"\bottomrule", r"\end{tabular}"]) + "\n"


def simple_table(
    head: Sequence[str | Cell], rows: Sequence[Sequence[str | Cell]], *, heads: int = 1, caption: str = ""
) -> Table:
    """Make a table of one line of titles; the first `heads` columns are the heads of their rows."""
    titles, *lines = ([cell if isinstance(cell, Cell) else Cell(cell) for cell in row] for row in (head, *rows))
    left = [cell._replace(look="left") for cell in titles[:heads]]
    body = tuple(Row(tuple(line[:heads]), tuple(line[heads:])) for line in lines)
    return Table(((*left, *titles[heads:]),), body, caption)


def lines_of(table: "pd.DataFrame", line: str, across: "pd.DataFrame") -> Iterator[tuple[str, list[dict[Any, Any]]]]:
    """Yield every value of the column `line` with its records, one for each row of `across`; NaN where absent."""
    for name, rows in table.groupby(line, sort=False):
        yield str(name), across.merge(rows, how="left").to_dict("records")


def number(value: float, decimals: int, *, signed: bool = False) -> str:
    """Print a number with a true minus; a dash where there is none."""
    if _absent(value):
        return DASH
    if math.isinf(value):
        return "∞"
    return f"{value:{'+' if signed else ''},.{decimals}f}".replace("-", "−")


def interval(low: float, high: float, decimals: int, *, signed: bool = False) -> tuple[str, ...]:
    """Print an interval as the note of a cell; none where it is not known."""
    if _absent(low):
        return ()
    return (f"[{number(low, decimals, signed=signed)}, {number(high, decimals, signed=signed)}]",)


def _absent(value: float | None) -> bool:
    return value is None or math.isnan(value)


def duration(seconds: float) -> str:
    """Print seconds as a person says them."""
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"


def count(number_of: float, noun: str) -> str:
    """Print how many there are of something."""
    return f"{number_of:,.0f} {noun}" + ("" if number_of == 1 else "s")


def _repeated(cells: Iterable[Cell]) -> list[str]:
    """Return the texts of a head, one for every column."""
    return [cell.text for cell in cells for _ in range(cell.span)]


def _texts(row: Row, between: str) -> list[str]:
    """Return the texts of a line with their notes, one for every column."""
    found = []
    for cell in (*row.heads, *row.cells):
        found += [between.join([cell.text, *cell.notes]) + cell.mark, *[""] * (cell.span - 1)]
    return found


def _escape(text: str) -> str:
    return text.translate(LATEX)
