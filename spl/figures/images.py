"""Images of evaluations, and figures that show images in rows and columns."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Self

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from spl.common.tables import read_table
from spl.config.experiment import Design
from spl.data.stored import FilledImages, GroupedMasks, PreparedImages
from spl.figures.style import GREY

GAP = 0.03
"""Distance between images, in inches."""

BORDER = "#ee7733"
"""Colour of a hole's border, which no legend has."""

TITLE = 0.17
"""Height of a line of titles above images, in inches."""


@dataclass(frozen=True)
class Evidence:
    """The evaluations of one dataset: images with their first masks, metrics and filled images."""

    results: Path
    data: Path
    dataset: str
    seeds: dict[str, int]
    """By method, the seed of the run that is shown."""

    @classmethod
    def of(cls, design: Design, dataset: str, methods: Iterable[str], *, results: Path, data: Path) -> Self:
        """Take the first run of each method."""
        return cls(results, data, dataset, {method: design.seeds_of(dataset, method)[0] for method in methods})

    def files(self) -> list[Path]:
        """Return the tables that list all of it."""
        tables = [self._folder(method) / "per_image.csv" for method in self.seeds]
        return [*tables, self.data / f"prepared/{self.dataset}/manifest.csv", self.data / "masks/masks.csv"]

    def table(self, method: str) -> pd.DataFrame:
        """Return a method's numbers, one row per test image."""
        return read_table(self._folder(method) / "per_image.csv").drop_duplicates("image")

    def truth(self, image: str) -> np.ndarray:
        """Return the uncorrupted image. Shapes: (H, W, 3) uint8."""
        return self._images.pixels(self._rows[image])

    def hole(self, image: str) -> np.ndarray:
        """Return the hole at the network's size. Shapes: (H, W) bool."""
        return self._holes.hole(self._rows[image], self.truth(image).shape[0])

    def masked(self, image: str) -> np.ndarray:
        """Return the input of the methods, with a white hole. Shapes: (H, W, 3) uint8."""
        return whiten(self.truth(image), self.hole(image))

    def filled(self, image: str, method: str) -> np.ndarray:
        """Return a method's composited result. Shapes: (H, W, 3) uint8."""
        return self._filled[method].pixels(image)

    @cached_property
    def _table(self) -> pd.DataFrame:
        return self.table(next(iter(self.seeds)))

    @cached_property
    def _rows(self) -> dict[str, int]:
        return {image: row for row, image in enumerate(self._table["image"])}

    @cached_property
    def _holes(self) -> GroupedMasks:
        return GroupedMasks(self.data / "masks" / "masks.csv", names=self._table["mask"])

    @cached_property
    def _images(self) -> PreparedImages:
        return PreparedImages(self.data / "prepared" / self.dataset / "manifest.csv", names=self._table["image"])

    @cached_property
    def _filled(self) -> dict[str, FilledImages]:
        return {method: FilledImages(self._folder(method) / "per_image.csv") for method in self.seeds}

    def _folder(self, method: str) -> Path:
        return self.results / "eval" / self.dataset / method / f"seed{self.seeds[method]}"


def whiten(image: np.ndarray, hole: np.ndarray) -> np.ndarray:
    """Paint a hole white. Shapes: image (H, W, 3) uint8; hole (H, W) bool; returns (H, W, 3)."""
    return np.where(hole[..., None], np.uint8(255), image)


def image_grid(
    rows: int, columns: int, *, width: float, left: float = 0.02, top: float, below: float = 0.0, bottom: float = 0.0
) -> tuple[Figure, np.ndarray]:
    """Make a figure of square panes that lie close together.

    Args:
        rows: how many panes below each other.
        columns: how many side by side; what `left` and the gaps leave of `width` is shared equally.
        width: inches of the figure.
        left: inches left of the first column.
        top: inches above the first row.
        below: inches below each row.
        bottom: inches below the last row, beside those.

    Returns:
        the figure and its axes, an array (rows, columns) of them, without ticks.
    """
    right = 0.02
    side = (width - left - right - (columns - 1) * GAP) / columns
    pitch = side + GAP + below
    height = top + rows * pitch + bottom
    figure = Figure(figsize=(width, height))
    axes = np.empty((rows, columns), dtype=object)
    for row, column in np.ndindex(rows, columns):
        x, y = left + column * (side + GAP), height - top - side - row * pitch
        axis = axes[row, column] = figure.add_axes((x / width, y / height, side / width, side / height))
        axis.set(xticks=[], yticks=[])
        axis.spines[:].set_color(GREY)
    return figure, axes


def outline(axis: Axes, hole: np.ndarray) -> None:
    """Draw the border of a hole over a map that is shown, of whatever size. Shapes: hole (H, W) bool."""
    axis.contour(hole, [0.5], extent=axis.images[0].get_extent(), origin="upper", colors=BORDER, linewidths=0.6)


def show(axis: Axes, pixels: np.ndarray) -> None:
    """Show an image as it is: small ones are enlarged to visible pixels, only nearly fitting ones are smoothed.

    Shapes: pixels (H, W, 3) uint8.
    """
    axis.imshow(pixels, interpolation="antialiased")
