"""The drawing of the grid search (paper section 3.4), from `results/grid.csv` alone."""

from pathlib import Path

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from spl.analysis.compare_grid import WEIGHTS
from spl.common.errors import DataError
from spl.common.labels import method_title
from spl.common.tables import read_table
from spl.figures.style import GREY, INK, PAGE_WIDTH, RULE, SMALL, Drawing, method_colours
from spl.steps.records import take_all
from spl.steps.settings import FigureSettings

TITLES = {
    "lambda_img": r"$\lambda_1$ (image)",
    "lambda_adv": r"$\lambda_2$ (adversarial)",
    "lambda_prior": r"$\lambda_3$ (prior)",
    "alpha": r"$\alpha$ (hole, prior)",
    "delta": r"$\delta$ (hole, image)",
}


def draw_grid(settings: FigureSettings, *, results: Path, data: Path) -> Drawing:
    """Draw PSNR against every weight that varies, a row of panels for each dataset.

    Every point is in every panel of its dataset; the line joins the best of each value.
    Raises: DataError if the table has no rows.
    """
    csv = results / "grid.csv"
    inputs = take_all([csv])
    table = read_table(csv)
    if settings.grid is None or table.empty:
        raise DataError(f"{csv} has no rows: params.yaml has no grid, so there is nothing to draw")
    weights = [weight for weight in WEIGHTS if table[weight].nunique() > 1]
    datasets = list(dict.fromkeys(table["dataset"]))
    method = settings.grid.method
    figure = Figure(figsize=(PAGE_WIDTH, 0.35 + 1.7 * len(datasets)), layout="constrained")
    panels = figure.subplots(len(datasets), len(weights), sharey="row", squeeze=False)
    colour = method_colours([method])[method]
    for line, dataset in zip(panels, datasets, strict=True):
        rows = table[table["dataset"] == dataset]
        for axis, weight in zip(line, weights, strict=True):
            _draw_weight(axis, rows, weight, method, colour)
            axis.set_xlabel(TITLES[weight])
        line[0].set_ylabel(f"{settings.title_of(dataset)}\nPSNR (dB)")
    figure.supxlabel(
        f"{table['split'][0].capitalize()} images. Dots: all points; line: the best of each value; "
        f"star: {method_title(method)}'s own weights.",
        fontsize=SMALL,
    )
    return Drawing(figure, "The same numbers, drawn.", inputs)


def _draw_weight(axis: Axes, rows: pd.DataFrame, weight: str, method: str, colour: str) -> None:
    """Draw all points of one dataset against one weight, whose values stand at equal distances."""
    values = sorted(rows[weight].unique())
    places = rows[weight].map(values.index)
    own = rows["method"] == method
    axis.plot(places[~own], rows.loc[~own, "psnr"], "o", color=GREY, markersize=3, markeredgewidth=0, alpha=0.8)
    axis.plot(range(len(values)), rows.groupby(weight)["psnr"].max(), "-", color=INK, linewidth=0.8)
    axis.plot(places[own], rows.loc[own, "psnr"], "*", color=colour, markeredgecolor=INK, markeredgewidth=RULE,
              markersize=8, clip_on=False, zorder=4)  # fmt: skip
    axis.set_xticks(range(len(values)), [f"{value:g}" for value in values])
    axis.margins(x=0.15)
    axis.spines[["top", "right"]].set_visible(False)
