"""Training curves as small multiples on logarithmic axes."""

import math
from collections.abc import Iterable, Mapping

import numpy as np
import pandas as pd

from spl.common.labels import method_title
from spl.common.tables import as_numbers
from spl.figures.style import Figure as Canvas
from spl.figures.style import distinct_colours, to_svg
from spl.report.view import Figure, embed

COLUMNS = 4
"""Panels beside each other."""

MOST_POINTS = 200
"""Of a line; longer logs are averaged over stretches of equal length."""

NO_LOSS = ("step", "lr_factor")
"""The other columns of log.csv."""

CAPTION = (
    "Losses by optimiser step, logarithmic; one panel per method, all its seeds in the same colours. Methods weigh "
    "their losses differently, so lines cannot be compared between panels."
)


def loss_colours(logs: Iterable[pd.DataFrame]) -> dict[str, str]:
    """Give every loss its colour, the same in all drawings."""
    names = list(dict.fromkeys(str(name) for log in logs for name in log if name not in NO_LOSS))
    return dict(zip(names, distinct_colours(len(names)), strict=True))


def draw_curves(dataset: str, logs: Mapping[str, list[pd.DataFrame]], colours: Mapping[str, str]) -> Figure:
    """Draw log.csv of all seeds of some methods as SVG, a panel for each method; the same logs give the same bytes."""
    lines = math.ceil(len(logs) / COLUMNS)
    canvas = Canvas(figsize=(11, 0.5 + 2 * lines), layout="constrained")
    panels = canvas.subplots(lines, COLUMNS, squeeze=False).flat
    drawn = {}
    for (method, of_seeds), panel in zip(logs.items(), panels, strict=False):
        panel.set(title=method_title(method), yscale="log")
        panel.grid(color="#e4e4e4")
        panel.spines[["top", "right"]].set_visible(False)
        for log in of_seeds:
            for name in (name for name in colours if name in log):
                losses = thin(as_numbers(log[name]))
                shown = np.where(losses > 0, losses, np.nan)  # a stage that rests has zeros
                drawn[name] = panel.plot(thin(as_numbers(log["step"])), shown, color=colours[name], linewidth=1)[0]
    for panel in panels:  # those that are left
        panel.remove()
    canvas.legend(drawn.values(), drawn.keys(), loc="outside lower center", ncols=8, frameon=False)
    return Figure(f"Training curves, {dataset}", embed(to_svg(canvas), "svg+xml"), CAPTION)


def thin(values: np.ndarray) -> np.ndarray:
    """Average neighbours until at most `MOST_POINTS` are left. Shapes: values (n,)."""
    parts = np.array_split(values, min(len(values), MOST_POINTS)) if len(values) else []
    return np.array([part.mean() for part in parts])
