"""Figure 4: the ablations of the semantic supervision and of its fusion, from `results/ablations.csv` alone."""

from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from spl.analysis.statistics import Kind
from spl.analysis.verdicts import LEAST_TRAININGS
from spl.common.errors import DataError
from spl.common.labels import method_title
from spl.common.metrics import METRICS
from spl.common.tables import as_numbers, read_table
from spl.figures.style import INK, PAGE_WIDTH, RULE, SMALL, Drawing, method_colours
from spl.steps.records import take_all
from spl.steps.settings import FigureSettings

ORDER = ("psnr", "ssim", "mae")

MASK_RATIO = "all"
"""Hole ratios of the bars; the table has the others too."""


def draw_fig4(settings: FigureSettings, *, results: Path, data: Path) -> Drawing:
    """Draw a panel of bars for every metric.

    A bar's whiskers are the interval of its paired difference to the reference, over trainings if there are three, else
    over images; those that do not reach the reference's line mark a difference. Dots are single runs.
    Raises: DataError if the table has no rows.
    """
    csv = results / "ablations.csv"
    inputs = take_all([csv])
    table = read_table(csv)
    if settings.ablations is None or table.empty:
        raise DataError(f"{csv} has no rows: params.yaml has no ablations, so there is no figure 4 to draw")
    rows = table[table["mask_ratio"] == MASK_RATIO]
    kind = Kind.METHOD if rows["n_seeds"].min() >= LEAST_TRAININGS else Kind.WEIGHTS
    figure = Figure(figsize=(PAGE_WIDTH, 2.4), layout="constrained")
    panels = figure.subplots(1, len(ORDER))
    for axis, metric in zip(panels, ORDER, strict=True):
        _draw_bars(axis, rows[rows["metric"] == metric].reset_index(drop=True), kind)
        axis.set_title(METRICS[metric].title)
    confidence, reference = settings.evaluation.bootstrap.confidence, method_title(settings.ablations.reference)
    dots = "; dots: single runs" if rows["n_seeds"].max() > 1 else ""
    figure.supxlabel(
        f"{settings.title_of(table['dataset'][0])}. Axes are cut and do not start at 0. "
        f"Whiskers, about {kind}: {confidence:.0%} interval of the paired difference to {reference} (dashed){dots}.",
        fontsize=SMALL,
    )
    caption = (
        f"{', '.join(map(method_title, rows['method'].unique()))} on "
        f"{settings.title_of(settings.ablations.dataset)}, all hole ratios. "
        f"Whiskers are the {confidence:.0%} intervals of the paired differences to {reference}, not adjusted for their "
        f"number; they are about {kind}{'' if kind is Kind.METHOD else ': another training may order them otherwise'}."
    )
    return Drawing(figure, caption, inputs)


def _draw_bars(axis: Axes, rows: pd.DataFrame, kind: Kind) -> None:
    """Draw one metric: the reference first, each ablation beside it."""
    values, places = as_numbers(rows["value"]), np.arange(len(rows))
    difference = as_numbers(rows["difference"])
    # The interval of the difference, drawn where the method's bar ends.
    interval = "method" if kind is Kind.METHOD else "difference"
    low, high = (values - difference + as_numbers(rows[f"{interval}_{end}"]) for end in ("low", "high"))
    colours = list(method_colours(rows["method"]).values())
    axis.bar(places, values, width=0.62, color=colours, linewidth=0)
    axis.axhline(values[0], color=INK, linewidth=RULE, linestyle=(0, (4, 3)))
    axis.errorbar(
        places, values, yerr=np.abs([values - low, high - values]), fmt="none", ecolor=INK, elinewidth=0.8, capsize=2
    )
    seeds = [np.array(str(text).split(), float) for text in rows["seed_values"]]
    for place, own in zip(places, seeds, strict=True):
        if len(own) > 1:
            shift = np.linspace(-0.15, 0.15, len(own))
            axis.plot(place + shift, own, "o", color="white", markeredgecolor=INK, markersize=2.5, markeredgewidth=RULE)
    reference = method_title(rows["method"][0])
    titles = [method_title(method).removeprefix(f"{reference} ") for method in rows["method"]]
    axis.set_xticks(places, titles, rotation=35, ha="right", rotation_mode="anchor")
    shown = np.concatenate([values, low, high, *seeds])
    bottom, top = np.nanmin(shown), np.nanmax(shown)
    margin = (top - bottom) or abs(top) or 1.0
    axis.set_ylim(bottom - 0.5 * margin, top + 0.15 * margin)
    axis.spines[["top", "right"]].set_visible(False)
    _mark_cut(axis)


def _mark_cut(axis: Axes) -> None:
    """Break the value axis and the feet of the bars by a white band: they do not start at 0."""
    low, high = 0.05, 0.08
    sides = axis.get_xlim()
    axis.axhspan(*axis.transLimits.inverted().transform([(0, low), (0, high)])[:, 1], color="white", linewidth=0)
    axis.set_xlim(sides)
    first = axis.transLimits.inverted().transform((0, high))[1]
    axis.set_yticks([tick for tick in axis.get_yticks() if first < tick < axis.get_ylim()[1]])
    axis.plot([0, 0], [low, high], transform=axis.transAxes, clip_on=False, linestyle="none", color=INK,
              marker=[(-1, -0.5), (1, 0.5)], markersize=6)  # fmt: skip
