"""The main contrasts of the paper's claims as a forest plot, with their intervals by image and by training."""

from functools import partial

import pandas as pd

from spl.analysis.statistics import Kind
from spl.analysis.verdicts import LEAST_TRAININGS, Verdict
from spl.common.labels import method_title
from spl.common.printed import number
from spl.figures.style import INK, to_svg
from spl.figures.style import Figure as Canvas
from spl.report.view import Figure, embed

MARKS = {
    Kind.WEIGHTS: ("low", "high", 0, {"marker": "o"}),
    Kind.METHOD: ("method_low", "method_high", 0.4, {"marker": "D", "linestyle": "--", "markerfacecolor": "white"}),
}
"""Ends of the interval that a statement rests on, by how much of a line it is drawn lower, and its look."""

COLOURS = {Verdict.SUPPORTED: "#117733", Verdict.NOT_SUPPORTED: "#aa4499", Verdict.UNDECIDED: "#5c5c5c"}

CAPTION = (
    "Differences in PSNR over all hole ratios; right of 0 the first method is ahead. Circles on solid lines: interval "
    f"over images, about {Kind.WEIGHTS}. Diamonds on dashed lines: over three or more trainings, about {Kind.METHOD}. "
    "The interval that a verdict is about has its colour; verdicts are adjusted for the number of comparisons of a "
    "claim, intervals are not."
)


def main_contrasts(claims: pd.DataFrame) -> pd.DataFrame:
    """Return the comparisons in PSNR over all hole ratios; there is no interval over fewer than three trainings."""
    rows = claims[(claims["metric"] == "psnr") & (claims["mask_ratio"] == "all")].copy()
    rows.loc[rows["n_seeds"] < LEAST_TRAININGS, ["method_low", "method_high"]] = float("nan")
    return rows


def draw_contrasts(rows: pd.DataFrame) -> Figure:
    """Draw contrasts as SVG, dataset by dataset, with the verdicts beside; the same contrasts give the same bytes."""
    groups = rows.groupby("dataset", sort=False)
    lines = [line for dataset, block in groups for line in (str(dataset), *block.to_dict("records"))]
    canvas = Canvas(figsize=(8, 0.5 + 0.22 * len(lines)), layout="constrained")
    panel = canvas.subplots()
    panel.set(xlabel="difference in PSNR, dB", yticks=[], ylim=(len(lines) - 0.2, -0.6))
    panel.spines[["top", "right", "left"]].set_visible(False)
    panel.axvline(0, color=INK, linewidth=0.8)
    write = partial(panel.text, transform=panel.get_yaxis_transform(), va="center")
    for at, line in enumerate(lines):
        if isinstance(line, str):
            write(-0.01, at, line, ha="right", weight="bold")
            continue
        colour = COLOURS.get(line["verdict"], "#767676")
        for kind, (low, high, lower, look) in MARKS.items():
            if pd.notna(line[low]):
                across, own = [line[low], line["difference"], line[high]], colour if kind == line["kind"] else INK
                panel.plot(across, [at + lower] * 3, color=own, linewidth=1, markersize=4, markevery=[1], **look)
        write(-0.01, at, f"{method_title(line['subject'])} − {method_title(line['rival'])}", ha="right")
        words = f"{number(line['difference'], 2, signed=True)} dB, {line['verdict']} ({line['kind']})"
        write(1.01, at, words, color=colour)
    return Figure("Main contrasts", embed(to_svg(canvas), "svg+xml"), CAPTION)
