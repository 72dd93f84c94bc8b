"""Common look of all figures: fonts, sizes, colours, and the form in which they are saved."""

import io
from collections.abc import Iterable
from itertools import cycle, islice
from pathlib import Path
from typing import NamedTuple

import matplotlib
from matplotlib.colors import to_hex, to_rgb
from matplotlib.figure import Figure

from spl.common.files import atomic
from spl.steps.records import Inputs

PAGE_WIDTH = 7.0
"""Width of a figure across both columns, in inches."""

SMALL, NORMAL = 6.5, 8.0
"""Font sizes of marks inside a figure and of everything else, in points."""

RULE = 0.5
"""Width of frames and axes, in points."""

INK, GREY = "#1a1a1a", "#8a8a8a"

PALETTE = ("#332288", "#88ccee", "#117733", "#ddcc77", "#cc6677", "#aa4499", "#44aa99", "#882255", "#999933")
"""Paul Tol's muted scheme: nine colours that stay distinct for colour-blind eyes."""

_METHODS = {
    "spl": "#cc6677",
    "spl_released": "#882255",
    "rn": "#332288",
    "rfr": "#117733",
    "mfe": "#ddcc77",
    "ec": "#88ccee",
    "spl_no_prior": "#999933",
    "spl_detector": "#44aa99",
    "spl_concat": "#aa4499",
}

matplotlib.rcdefaults()  # whatever a matplotlibrc of the user says
# Fonts that come with matplotlib, so that a figure looks the same everywhere.
matplotlib.rcParams.update({
    "font.family": "STIXGeneral",
    "mathtext.fontset": "stix",
    "font.size": NORMAL,
    "axes.titlesize": NORMAL,
    "axes.labelsize": NORMAL,
    "xtick.labelsize": SMALL,
    "ytick.labelsize": SMALL,
    "legend.fontsize": SMALL,
    "axes.linewidth": RULE,
    "xtick.major.width": RULE,
    "ytick.major.width": RULE,
    "text.color": INK,
    "axes.labelcolor": INK,
    "pdf.fonttype": 42,  # letters stay letters, as publishers ask
    "savefig.dpi": 300,
    "svg.hashsalt": "spl",  # equal names of parts in every SVG
})  # fmt: skip


def method_colours(methods: Iterable[str]) -> dict[str, str]:
    """Give every method its colour, the same in all figures; methods without one take turns in grey tones."""
    greys = cycle(("#555555", "#aaaaaa", "#777777", "#cccccc"))
    return {method: _METHODS.get(method) or next(greys) for method in methods}


def distinct_colours(count: int) -> list[str]:
    """Return `count` colours; past nine, lighter and then darker tones of the nine follow, past 27 they start over."""
    tones = [*PALETTE, *(_blend(colour, towards) for towards in (1.0, 0.0) for colour in PALETTE)]
    return list(islice(cycle(tones), count))


def _blend(colour: str, towards: float) -> str:
    """Mix a colour half and half with black (0) or white (1)."""
    red, green, blue = ((channel + towards) / 2 for channel in to_rgb(colour))
    return to_hex((red, green, blue))


class Drawing(NamedTuple):
    """A figure that is not saved yet."""

    figure: Figure
    caption: str
    """Its contents and the rule that chose them, for the report."""
    inputs: Inputs
    """The files that were read."""


def save_figure(figure: Figure, out: Path, caption: str) -> None:
    """Write `out` as .pdf and as .png, each whole or not at all; the same figure gives the same bytes.

    The PNG keeps the caption as its description.
    """
    for suffix, metadata in ((".pdf", {"CreationDate": None}), (".png", {"Software": None, "Description": caption})):
        with atomic(out.with_suffix(suffix)) as temporary:
            figure.savefig(temporary, metadata=metadata)


def to_svg(figure: Figure) -> bytes:
    """Return a figure as SVG; the same figure gives the same bytes."""
    file = io.BytesIO()
    figure.savefig(file, format="svg", metadata={"Date": None})
    return file.getvalue()
