"""The contrasts of a study as a forest plot, each after every measured epoch."""

from pathlib import Path

import pandas as pd

from spl.common.errors import DataError
from spl.common.files import atomic
from spl.common.metrics import metric_of
from spl.figures.style import INK, NORMAL, PAGE_WIDTH, Figure, to_svg

LIGHT, DARK = 0.72, 0.0
"""Grey of the first measured epoch and of the last."""


def draw_study(contrasts: pd.DataFrame, *, metric: str, confidence: float, out: Path) -> None:
    """Draw the contrasts in one metric as SVG, a panel for each dataset; equal contrasts give equal bytes.

    Raises: DataError without a contrast.
    """
    if contrasts.empty:
        raise DataError("no contrast can be drawn yet: no two arms of the study have runs of the same seed")
    panels = [(str(name), rows) for name, rows in contrasts[contrasts["metric"] == metric].groupby("dataset")]
    heights = [rows["contrast"].nunique() for _, rows in panels]
    figure = Figure(figsize=(PAGE_WIDTH, 0.6 + 0.3 * sum(heights)), layout="constrained")
    axes = figure.subplots(len(panels), sharex=True, squeeze=False, gridspec_kw={"height_ratios": heights}).flat
    for panel, (dataset, rows) in zip(axes, panels, strict=True):
        names, epochs = list(dict.fromkeys(rows["contrast"])), sorted(rows["epoch"].unique())
        panel.axvline(0, color=INK, linewidth=0.6)
        for row in rows.itertuples():
            order = epochs.index(row.epoch)
            share = order / max(1, len(epochs) - 1)
            at = names.index(str(row.contrast)) + 0.5 * (order + 0.5) / len(epochs) - 0.25
            grey, width = str(LIGHT + share * (DARK - LIGHT)), 0.8 + 0.6 * share
            label = f"after epoch {row.epoch}" if row.contrast == names[0] else None
            panel.plot([row.low, row.high], [at, at], color=grey, linewidth=width)
            panel.plot(row.difference, at, "o", color=grey, markersize=3.5, label=label)
        panel.set(title=dataset, yticks=range(len(names)), yticklabels=names)
        panel.set_ylim(len(names) - 0.5, -0.5)
        panel.grid(axis="x", color="#e4e4e4")
        panel.legend(loc="upper left", bbox_to_anchor=(1, 1), frameon=False)
    figure.supxlabel(
        f"difference in {metric_of(metric).label}, with its {confidence:.0%} interval over trainings", fontsize=NORMAL
    )
    with atomic(out) as temporary:
        temporary.write_bytes(to_svg(figure))
