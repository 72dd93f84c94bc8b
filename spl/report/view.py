"""What the page is made of: sections of prose, tables, pictures and folded text, and how numbers are printed."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import pandas as pd
from markupsafe import Markup

from spl.report.curves import Curves

DASH = "–"


class Cell(NamedTuple):
    """A cell of a table; `notes` are small lines below the text, `mark` stands raised behind it."""

    text: str
    notes: tuple[str, ...] = ()
    mark: str = ""
    look: str = ""
    """CSS classes."""
    span: int = 1


class Row(NamedTuple):
    """A line of a table, its heads first."""

    heads: tuple[Cell, ...]
    cells: tuple[Cell, ...]
    look: str = ""


class Table(NamedTuple):
    """A table; every line of `head` spans all columns."""

    head: tuple[tuple[Cell, ...], ...]
    rows: tuple[Row, ...]
    caption: str = ""
    kind: str = "table"


class Picture(NamedTuple):
    """An embedded picture with what it shows and by which rule that was chosen."""

    title: str
    source: str
    """A data URI."""
    caption: str
    kind: str = "picture"


class Prose(NamedTuple):
    """A paragraph; `look` is a CSS class."""

    text: str
    look: str = ""
    kind: str = "prose"


class Heading(NamedTuple):
    """A heading within a section, of what follows."""

    text: str
    kind: str = "heading"


class Counts(NamedTuple):
    """How often each verdict was given, as coloured chips."""

    counts: dict[str, int]
    kind: str = "counts"


class Folded(NamedTuple):
    """Long text that opens on a click: as it is, or as HTML if it is Markup."""

    title: str
    text: str | Markup
    kind: str = "folded"


Part = Table | Picture | Curves | Prose | Heading | Counts | Folded


@dataclass(frozen=True)
class Section:
    """A part of the page with an entry in its table of contents."""

    anchor: str
    title: str
    parts: tuple[Part, ...]


def table(head: list[str], rows: Sequence[Sequence[str | Cell]], *, heads: int = 1, caption: str = "") -> Table:
    """Make a table of one line of titles; the first `heads` columns are the heads of their rows."""
    lines = [tuple(_cell(cell) for cell in row) for row in rows]
    return Table(
        head=(tuple(Cell(text, look="left" if i < heads else "") for i, text in enumerate(head)),),
        rows=tuple(Row(line[:heads], line[heads:]) for line in lines),
        caption=caption,
    )


def number(value: float, decimals: int, *, signed: bool = False) -> str:
    """Print a number with a true minus; a dash where there is none."""
    if pd.isna(value):
        return DASH
    if math.isinf(value):
        return "∞"
    return f"{value:{'+' if signed else ''},.{decimals}f}".replace("-", "−")


def interval(low: float, high: float, decimals: int, *, signed: bool = False) -> tuple[str, ...]:
    """Print an interval as the note of a cell; none where it is not known."""
    if pd.isna(low):
        return ()
    return (f"[{number(low, decimals, signed=signed)}, {number(high, decimals, signed=signed)}]",)


def duration(seconds: float) -> str:
    """Print seconds as a person says them."""
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"


def count(number_of: float, noun: str) -> str:
    """Print how many there are of something."""
    return f"{number_of:,.0f} {noun}" + ("" if number_of == 1 else "s")


def _cell(cell: str | Cell) -> Cell:
    return cell if isinstance(cell, Cell) else Cell(cell)
