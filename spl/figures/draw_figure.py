"""Draw one of the paper's figures, or the grid search, with its record."""

from collections.abc import Callable
from pathlib import Path

from spl.common.errors import ParamsError
from spl.figures.fig1 import draw_fig1
from spl.figures.fig2 import draw_fig2
from spl.figures.fig3 import draw_fig3
from spl.figures.fig4 import draw_fig4
from spl.figures.fig5 import draw_fig5
from spl.figures.grid import draw_grid
from spl.figures.style import Drawing, save_figure
from spl.steps.records import write_record
from spl.steps.settings import FigureSettings, drawn_figures

FIGURES: dict[str, Callable[..., Drawing]] = {
    "fig1": draw_fig1, "fig2": draw_fig2, "fig3": draw_fig3, "fig4": draw_fig4, "fig5": draw_fig5, "grid": draw_grid
}  # fmt: skip
"""settings, results, data -> a figure that is not saved yet."""


def draw_figure(settings: FigureSettings, *, results: Path, data: Path, out: Path) -> None:
    """Draw a figure to `out` (.pdf) and .png.

    Raises: ParamsError if the experiment does not have it.
    """
    if settings.figure not in (drawn := drawn_figures(settings)):
        raise ParamsError(f"params.yaml has no {settings.figure}, or its section is null; it has {', '.join(drawn)}")
    figure, caption, inputs = FIGURES[settings.figure](settings, results=results, data=data)
    save_figure(figure, out, caption)
    write_record(out.with_suffix(".json"), settings, inputs, {"pdf": out, "png": out.with_suffix(".png")})
