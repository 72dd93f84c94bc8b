"""Training curves as small multiples."""

import base64
from io import BytesIO

import matplotlib
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogFormatter

from spl.evaluation.evidence import as_numbers
from spl.figures.style import RULE, SMALL, distinct_colours
from spl.labels import method_title

COLUMNS = 4

MOST_POINTS = 200
"""Of a line; longer logs are averaged over stretches of equal length."""


def draw_curves(logs: dict[tuple[str, int], pd.DataFrame], names: list[str]) -> str:
    """Draw log.csv by (method, seed), one panel per method, and return an SVG as a data URI.

    `names` are the losses of all figures, so that each has its colour everywhere.
    """
    methods = list(dict.fromkeys(method for method, _ in logs))
    rows = -(-len(methods) // COLUMNS)
    figure = Figure(figsize=(8.4, 1.65 * rows + 0.5), layout="constrained")
    panels = figure.subplots(rows, COLUMNS, squeeze=False).ravel()
    colours = dict(zip(names, distinct_colours(len(names)), strict=True))
    for axis, method in zip(panels, methods, strict=False):
        axis.set_title(method_title(method))
        for log in (log for (owner, _), log in logs.items() if owner == method):
            _draw(axis, log, colours)
    for axis in panels[len(methods) :]:
        axis.remove()
    shown = {line.get_label(): line for axis in panels[: len(methods)] for line in axis.lines}
    handles = [shown[name] for name in names if name in shown]
    figure.legend(handles=handles, loc="outside lower center", ncols=6, frameon=False, fontsize=SMALL)
    return _as_uri(figure)


def _draw(axis: Axes, log: pd.DataFrame, colours: dict[str, str]) -> None:
    steps = _thin(as_numbers(log["step"]))
    for name in (name for name in log.columns if name in colours):
        values = _thin(as_numbers(log[name]))
        if (values > 0).any():
            # A logarithmic axis has no place for the zeros of a stage that rests.
            positive = np.where(values > 0, values, np.nan)
            axis.plot(steps, positive, color=colours[name], label=name, linewidth=0.9, alpha=0.85)
    axis.set_yscale("log")
    axis.yaxis.set_major_formatter(LogFormatter())
    axis.yaxis.set_minor_formatter(LogFormatter(minor_thresholds=(1, 0.5)))
    axis.grid(linewidth=RULE / 2, alpha=0.4)
    axis.spines[["top", "right"]].set_visible(False)


def _thin(values: np.ndarray) -> np.ndarray:
    """Average neighbours until at most `MOST_POINTS` are left. Shapes: values (n,)."""
    parts = np.array_split(values, min(len(values), MOST_POINTS)) if len(values) else []
    return np.array([part.mean() for part in parts])


def _as_uri(figure: Figure) -> str:
    """Return the figure as an SVG; the same figure gives the same bytes."""
    buffer = BytesIO()
    with matplotlib.rc_context({"svg.hashsalt": "spl"}):
        figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None})
    return "data:image/svg+xml;base64," + base64.b64encode(buffer.getvalue()).decode()
