"""The main contrasts of the paper's claims as a forest plot, with their intervals by image and by training."""

from typing import Any

import pandas as pd
from matplotlib.axes import Axes

from spl.analysis.statistics import Kind
from spl.analysis.verdicts import LEAST_TRAININGS, Verdict
from spl.common.labels import method_title
from spl.common.printed import number
from spl.figures.style import INK, to_svg
from spl.figures.style import Figure as Canvas
from spl.report.view import Figure, embed

MARKS = {
    Kind.WEIGHTS: ("low", "high", {"marker": "o", "linewidth": 1}),
    Kind.METHOD: ("method_low", "method_high", {"marker": "D", "linewidth": 4, "markeredgecolor": "white"}),
}
"""Ends and look of the interval that a statement rests on."""

COLOURS = {Verdict.SUPPORTED: "#117733", Verdict.NOT_SUPPORTED: "#aa4499", Verdict.UNDECIDED: "#5c5c5c"}

CAPTION = (
    "Differences in PSNR over all hole ratios; right of 0 the first method is ahead. Circles on thin lines: interval "
    f"over images, about {Kind.WEIGHTS}. Diamonds on thick lines: over at least three trainings, about {Kind.METHOD}. "
    "The interval that the verdict is about has its colour. Verdicts are adjusted for the number of comparisons of a "
    "claim, intervals are not; “at least as good” allows for a margin."
)


def main_contrasts(claims: pd.DataFrame) -> pd.DataFrame:
    """Return the comparisons in PSNR over all hole ratios; there is no interval over fewer than three trainings."""
    rows = claims[(claims["metric"] == "psnr") & (claims["mask_ratio"] == "all")].copy()
    rows.loc[rows["n_seeds"] < LEAST_TRAININGS, ["method_low", "method_high"]] = float("nan")
    return rows


def draw_contrasts(rows: pd.DataFrame) -> Figure:
    """Draw contrasts as SVG, dataset by dataset; the same contrasts give the same bytes."""
    groups = rows.groupby("dataset", sort=False)
    lines = [line for dataset, block in groups for line in (str(dataset), *block.to_dict("records"))]
    canvas = Canvas(figsize=(8, 0.5 + 0.2 * len(lines)), layout="constrained")
    panel = canvas.subplots()
    panel.set(xlabel="difference in PSNR, dB", yticks=[], ylim=(len(lines) - 0.4, -0.6))
    panel.spines[["top", "right", "left"]].set_visible(False)
    panel.axvline(0, color=INK, linewidth=0.8)
    for at, line in enumerate(lines):
        if isinstance(line, str):
            _write(panel, at, line, side=-0.01, weight="bold")
        else:
            _draw_contrast(panel, at, line)
    return Figure("Main contrasts", embed(to_svg(canvas), "svg+xml"), CAPTION)


def _draw_contrast(panel: Axes, at: int, row: dict[Any, Any]) -> None:
    """Draw a mark for each interval that there is, these weights above the method, between methods and verdict."""
    colour, apart = COLOURS.get(row["verdict"], "#767676"), 0.16 * pd.notna(row["method_low"])
    for kind, (low, high, mark) in MARKS.items():
        if kind is Kind.WEIGHTS or apart:
            own, y = colour if kind == row["kind"] else INK, at + apart * (1 if kind is Kind.METHOD else -1)
            panel.plot(
                [row[low], row["difference"], row[high]], [y] * 3, color=own, markersize=5, markevery=[1], **mark
            )
    _write(panel, at, f"{method_title(row['subject'])} − {method_title(row['rival'])}", side=-0.01)
    words = f"{number(row['difference'], 2, signed=True)} dB, {row['verdict']} ({row['kind']})"
    _write(panel, at, words, side=1.01, colour=colour)


def _write(panel: Axes, at: int, text: str, *, side: float, colour: str = INK, weight: str = "normal") -> None:
    """Write left (-0.01) or right (1.01) of a panel."""
    look = {"ha": "right" if side < 0 else "left", "va": "center", "color": colour, "weight": weight}
    panel.text(side, at, text, look, transform=panel.get_yaxis_transform())
