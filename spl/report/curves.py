"""Training curves as small multiples: what the template draws as lines on logarithmic axes."""

import math
from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
import pandas as pd

from spl.analysis.evidence import as_numbers
from spl.common.labels import method_title

WIDTH, HEIGHT = 230.0, 120.0
"""Of the area that the lines fill, in the units of the drawing."""

MOST_POINTS = 200
"""Of a line; longer logs are averaged over stretches of equal length."""

MOST_TICKS = 6


class Line(NamedTuple):
    """A loss of one training."""

    colour: str
    points: str
    """As SVG writes them."""


class Tick(NamedTuple):
    """A mark on an axis."""

    place: float
    text: str


class Panel(NamedTuple):
    """The trainings of one method."""

    title: str
    lines: tuple[Line, ...]
    steps: tuple[Tick, ...]
    losses: tuple[Tick, ...]


class Curves(NamedTuple):
    """The panels of one dataset and the colour of every loss in them."""

    title: str
    panels: tuple[Panel, ...]
    colours: dict[str, str]
    caption: str
    kind: str = "curves"


def lay_out(method: str, logs: Iterable[pd.DataFrame], colours: dict[str, str]) -> Panel:
    """Bring the logs of a method's trainings into one panel. `colours` names the columns to draw."""
    series = [
        (colours[name], _thin(as_numbers(log["step"])), _thin(as_numbers(log[name])))
        for log in logs
        for name in log.columns
        if name in colours
    ]
    last = max((steps[-1] for _, steps, _ in series if len(steps)), default=1.0)
    values = np.concatenate([values for *_, values in series] or [np.empty(0)])
    # A logarithmic axis has no place for the zeros of a stage that rests.
    shown = values[np.isfinite(values) & (values > 0)]
    low, high = (math.log10(shown.min()), math.log10(shown.max())) if shown.size else (0.0, 1.0)
    high = max(high, low + 0.1)
    lines = [
        Line(colour, points)
        for colour, steps, values in series
        if (points := _points(WIDTH * steps / last, values, low, high))
    ]
    steps = tuple(Tick(WIDTH * part, f"{last * part:,.0f}") for part in (0, 0.5, 1))
    losses = tuple(Tick(_height(math.log10(value), low, high), f"{value:g}") for value in _round_values(low, high))
    return Panel(method_title(method), tuple(lines), steps, losses)


def _points(places: np.ndarray, values: np.ndarray, low: float, high: float) -> str:
    drawn = [(x, _height(math.log10(value), low, high)) for x, value in zip(places, values, strict=True) if value > 0]
    return " ".join(f"{x:.1f},{y:.1f}" for x, y in drawn)


def _height(exponent: float, low: float, high: float) -> float:
    """Place a power of ten in the panel, whose top is 0."""
    return round(HEIGHT * (high - exponent) / (high - low), 1)


def _round_values(low: float, high: float) -> list[float]:
    """Return the round numbers between two powers of ten, the fewer the wider the stretch."""
    for leads in ((1, 2, 3, 5, 7), (1, 2, 5), (1, 3), (1,)):
        found = [lead * 10.0**power for power in range(math.floor(low), math.ceil(high) + 1) for lead in leads]
        inside = [value for value in found if low <= math.log10(value) <= high]
        if len(inside) <= MOST_TICKS:
            return inside
    return inside[:: -(-len(inside) // MOST_TICKS)]


def _thin(values: np.ndarray) -> np.ndarray:
    """Average neighbours until at most `MOST_POINTS` are left. Shapes: values (n,)."""
    parts = np.array_split(values, min(len(values), MOST_POINTS)) if len(values) else []
    return np.array([part.mean() for part in parts])
