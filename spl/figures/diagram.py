"""Drawing a network: panels, slabs for feature maps, boxes, arrows, on a sheet measured in inches."""

import math
from collections.abc import Sequence

from matplotlib.figure import Figure
from matplotlib.patches import Circle, Ellipse, FancyArrowPatch, FancyBboxPatch, Patch, Polygon, Rectangle
from matplotlib.path import Path
from matplotlib.transforms import Affine2D

from spl.figures.style import GREY, INK, NORMAL, RULE, SMALL
from spl.models.trace import Shape

Point = tuple[float, float]

SLAB = 0.17
"""Width of a slab."""

SHORTEST, PER_DOUBLING = 0.56, 0.16
"""Height of the smallest map's slab, and what a map twice as large has more."""

STACK = 0.035
"""Offset between the slabs of a repeated block."""


def shape_text(shape: Shape) -> str:
    """Print a shape as figures do: 256×64×64."""
    return "×".join(map(str, shape))


class Diagram:
    """A sheet; x grows to the right and y upwards."""

    def __init__(self, width: float, height: float, *, smallest: int) -> None:
        """Take the side of the smallest map, whose slab is the shortest."""
        self.figure = Figure(figsize=(width, height))
        self._smallest = smallest
        self._axis = self.figure.add_axes((0, 0, 1, 1))
        self._axis.set(xlim=(0, width), ylim=(0, height))
        self._axis.set_axis_off()

    def text(
        self, x: float, y: float, words: str, *, size: float = SMALL, ha: str = "center", va: str = "center"
    ) -> float:
        """Write words; return where they end on the right."""
        text = self._axis.text(x, y, words, fontsize=size, ha=ha, va=va, linespacing=1.15)
        return text.get_window_extent().x1 / self.figure.dpi

    def panel(self, x: float, y: float, width: float, height: float, title: str, *, colour: str) -> None:
        """Draw the ground of one part, from its lower left corner, with a title at the top."""
        self._axis.add_patch(
            FancyBboxPatch(
                (x, y), width, height, boxstyle="round,pad=0,rounding_size=0.06", fc=colour, ec="none", zorder=0
            )
        )
        self.text(x + 0.07, y + height - 0.045, title, size=NORMAL, ha="left", va="top")

    def slab(self, x: float, y: float, shape: Shape, *, colour: str, above: str, stacked: bool = False) -> Point:
        """Draw a feature map around (x, y) as a slab with its shape in it; return the middle of its right side.

        The map behind a chain of equal blocks is stacked.
        """
        height = SHORTEST + PER_DOUBLING * math.log2(shape[-1] / self._smallest)
        copies = 3 if stacked else 1
        for i in reversed(range(copies)):
            corner = (x - SLAB / 2 + i * STACK, y - height / 2 + i * STACK)
            self._axis.add_patch(Rectangle(corner, SLAB, height, fc=colour, ec=INK, lw=RULE))
        lift = (copies - 1) * STACK
        self.text(x + lift / 2, y + height / 2 + lift + 0.03, above, va="bottom")
        self._axis.text(x, y, shape_text(shape), fontsize=SMALL, ha="center", va="center", rotation=90)
        return x + SLAB / 2 + lift, y

    def box(self, x: float, y: float, width: float, words: str, *, colour: str, height: float = 0.19) -> None:
        """Draw an operation around (x, y)."""
        corner = (x - width / 2, y - height / 2)
        self._axis.add_patch(Rectangle(corner, width, height, fc=colour, ec=INK, lw=RULE))
        self.text(x, y, words)

    def node(self, x: float, y: float, words: str) -> None:
        """Draw a small circle with a sign in it."""
        self._axis.add_patch(Circle((x, y), 0.075, fc="white", ec=INK, lw=RULE))
        self.text(x, y, words)

    def arrow(self, points: Sequence[Point], *, dashed: bool = False) -> None:
        """Draw straight lines from point to point, with a head at the last."""
        path = Path(points)
        style = {"lw": 0.8, "color": INK, "linestyle": (0, (3, 2)) if dashed else "solid", "joinstyle": "miter"}
        self._axis.add_patch(FancyArrowPatch(path=path, arrowstyle="-|>", mutation_scale=6, **style))

    def picture(self, x: float, y: float, side: float, *, hole: bool = False) -> None:
        """Draw a little landscape around (x, y), with a hole in it or whole."""
        ground, wall = Rectangle((0, 0), 1, 0.3), Rectangle((0.3, 0.18), 0.4, 0.36)
        door, roof = Rectangle((0.45, 0.18), 0.11, 0.2), Polygon([(0.24, 0.54), (0.76, 0.54), (0.5, 0.8)])
        colours = {ground: "#9dbb7d", wall: "#e3b5a0", door: "#5e4034", roof: "#8c4a3c"}
        colours |= dict.fromkeys(_holes(), "white") if hole else {}
        self._tile(x, y, side, "#bfdcf0", colours)

    def mask(self, x: float, y: float, side: float) -> None:
        """Draw the mask of that hole around (x, y)."""
        self._tile(x, y, side, "black", dict.fromkeys(_holes(), "white"))

    def _tile(self, x: float, y: float, side: float, ground: str, colours: dict[Patch, str]) -> None:
        """Draw coloured patches of the unit square in a square around (x, y)."""
        frame = Rectangle((x - side / 2, y - side / 2), side, side, fc=ground, ec=GREY, lw=RULE)
        self._axis.add_patch(frame)
        for patch, colour in colours.items():
            patch.set(facecolor=colour, edgecolor="none")
            patch.set_transform(Affine2D().scale(side).translate(*frame.get_xy()) + self._axis.transData)
            self._axis.add_patch(patch)
            patch.set_clip_path(frame)


def _holes() -> list[Patch]:
    places = ((0.62, 0.45, 0.42, 0.3, 40), (0.2, 0.7, 0.3, 0.22, -20), (0.75, 0.85, 0.3, 0.16, 10))
    return [Ellipse((u, v), width, height, angle=angle) for u, v, width, height, angle in places]
