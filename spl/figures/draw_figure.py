"""One of the paper's figures, with its record."""

from collections.abc import Callable
from pathlib import Path

from spl.common.errors import ParamsError
from spl.steps.records import Inputs, write_record
from spl.steps.settings import FigureSettings, drawn_figures


def draw_figure(settings: FigureSettings, *, results: Path, data: Path, out: Path) -> None:
    """Draw a figure to `out` (.pdf) and .png.

    Raises: ParamsError if the experiment does not have it.
    """
    if settings.figure not in drawn_figures(settings):
        raise ParamsError(f"params.yaml has no {settings.figure}: its section is null")
    inputs = _drawing(settings.figure)(settings, results=results, data=data, out=out)
    outputs = {"pdf": out, "png": out.with_suffix(".png")}
    write_record(out.with_suffix(".json"), settings, inputs, outputs)


def _drawing(figure: str) -> Callable[..., Inputs]:
    """Return the function that draws a figure and says what it read; torch is for figure 2 only."""
    match figure:
        case "fig1":
            from spl.figures.fig1 import draw_fig1 as draw
        case "fig2":
            from spl.figures.fig2 import draw_fig2 as draw
        case "fig3":
            from spl.figures.fig3 import draw_fig3 as draw
        case "fig4":
            from spl.figures.fig4 import draw_fig4 as draw
        case "fig5":
            from spl.figures.fig5 import draw_fig5 as draw
        case _:
            from spl.figures.grid import draw_grid as draw
    return draw
