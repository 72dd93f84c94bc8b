"""Detections over images: boxes, classes and confidences, and the choice of images with occluded objects."""

import math
from collections.abc import Collection, Iterable, Iterator, Mapping
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.patches import Patch, Rectangle
from matplotlib.transforms import Bbox

from spl.common.tables import read_table
from spl.detection.occlusion import HALF_OCCLUDED, occluded_fraction
from spl.figures.choose import choose_images
from spl.figures.images import Evidence
from spl.figures.style import SMALL, distinct_colours
from spl.steps.settings import GROUND_TRUTH, FigureSettings

BOX = ["x_min", "y_min", "x_max", "y_max"]

LEGEND = 0.2
"""Height of the strip with the names of the classes, in inches."""

PADDING = 0.6
"""Distance between a text and the edge of its plate, in points."""

HIDEABLE = 0.4
"""Largest fraction of any box that a text may cover."""


def detection_files(results: Path, dataset: str, methods: Iterable[str]) -> dict[str, Path]:
    """Return the tables of objects found in the images that methods have filled, and in the uncorrupted ones."""
    return {source: results / f"detections/{dataset}/{source}.csv" for source in (*methods, GROUND_TRUTH)}


def read_detections(files: Mapping[str, Path]) -> dict[str, pd.DataFrame]:
    """Read the tables, with the most confident objects first."""
    tables = {source: read_table(file) for source, file in files.items()}
    return {source: table.sort_values("score", ascending=False, kind="stable") for source, table in tables.items()}


def describe_detections(settings: FigureSettings) -> str:
    """Print for a caption that objects are shown, and from which score on."""
    assert settings.detection is not None
    return f"the objects that the detector finds (score at least {settings.detection.min_score:g})"


def occluding_images(evidence: Evidence, truth: pd.DataFrame, images: Collection[str]) -> set[str]:
    """Return the images with an object of which the hole covers at least half."""
    shown = truth[truth["image"].isin(images)]
    boxes = zip(shown["image"], shown[BOX].to_numpy(), strict=True)
    holes = {image: evidence.hole(image) for image in set(shown["image"])}
    return {image for image, box in boxes if occluded_fraction(holes[image], box) >= HALF_OCCLUDED}


def choose_occluding(
    evidence: Evidence, truth: pd.DataFrame, settings: FigureSettings, *, among: Collection[str] | None = None
) -> str:
    """Choose one image for showing detections: if there is any, one whose hole occludes at least half of an object.

    `truth` lists the objects of the uncorrupted images; the table is that of the last method of `evidence`. For the
    rest see `choose_images`.
    """
    table = evidence.table(list(evidence.seeds)[-1])
    large = table.loc[table["hole_ratio"] >= settings.figures.min_hole_ratio, "image"]
    favoured = occluding_images(evidence, truth, set(large))
    return choose_images(table, settings, 1, among=among, favoured=favoured)[0]


def draw_detections(
    figure: Figure, panes: Mapping[str, Axes], image: str, detections: Mapping[str, pd.DataFrame]
) -> None:
    """Draw the objects of one image over the panes of their sources, and name the classes at the bottom."""
    found = {source: detections[source][detections[source]["image"] == image] for source in panes}
    colours = class_colours(found.values())
    for source, axis in panes.items():
        draw_boxes(axis, found[source], colours)
    if colours:
        _add_legend(figure, colours)


def class_colours(tables: Iterable[pd.DataFrame]) -> dict[str, str]:
    """Give every class that occurs a colour, in alphabetical order."""
    classes = sorted({label for table in tables for label in table["label"]})
    return dict(zip(classes, distinct_colours(len(classes)), strict=True))


def draw_boxes(axis: Axes, objects: pd.DataFrame, colours: dict[str, str]) -> None:
    """Draw every box over a shown image, with its confidence, and with its class if that is no wider than the box.

    The most confident come first. A text that would overlap another or hide much of an object is left out; the box's
    colour still says the class.
    """
    for label, (left, top, right, bottom) in zip(objects["label"], objects[BOX].to_numpy(), strict=True):
        frame = Rectangle((left - 0.5, top - 0.5), right - left, bottom - top, fill=False, lw=0.8, ec=colours[label])
        axis.add_patch(frame)
    corners = objects[BOX].to_numpy().reshape(-1, 2, 2) - 0.5
    boxes = [Bbox(np.sort(axis.transData.transform(corner), axis=0)) for corner in corners]
    taken: list[Bbox] = []
    for label, score, box in zip(objects["label"], objects["score"], boxes, strict=True):
        named = _write(axis, f"{label} {score:.2f}", colours[label], box, taken, boxes, widest=box.width)
        if not named:
            _write(axis, f"{score:.2f}", colours[label], box, taken, boxes)


def _add_legend(figure: Figure, colours: dict[str, str]) -> None:
    """Name the classes in a strip at the bottom of a figure."""
    patches = [Patch(color=colour, label=label) for label, colour in colours.items()]
    centre = 0.5 * LEGEND / figure.get_figheight()
    figure.legend(
        handles=patches, loc="center", bbox_to_anchor=(0.5, centre), ncols=len(patches), frameon=False,
        handlelength=0.9, handleheight=0.9, handletextpad=0.4, columnspacing=1.2, borderpad=0,
    )  # fmt: skip


def _write(
    axis: Axes, words: str, colour: str, box: Bbox, taken: list[Bbox], boxes: list[Bbox], *, widest: float = math.inf
) -> bool:
    """Write at a box, on the display, if a place in the image is free; return whether, and add it to `taken`."""
    ink = "white" if np.dot(to_rgb(colour), (0.299, 0.587, 0.114)) < 0.5 else "black"
    text = axis.text(0, 0, words, fontsize=SMALL, color=ink, ha="left", va="bottom")
    text.set_bbox({"facecolor": colour, "edgecolor": "none", "pad": PADDING})
    padding = PADDING / 72 * axis.figure.dpi
    size, room = text.get_window_extent().padded(padding), axis.get_window_extent()
    for corner in _places(box, size, room) if size.width <= widest else ():
        place = Bbox.from_bounds(*corner, size.width, size.height)
        is_free = not any(place.overlaps(other) for other in taken)
        if (
            is_free
            and room.contains(*place.min)
            and room.contains(*place.max)
            and all(_covered_fraction(other, place) <= HIDEABLE for other in boxes)
        ):
            x, y = axis.transData.inverted().transform(np.add(place.min, padding))
            text.set_position((x, y))
            taken.append(place)
            return True
    text.remove()
    return False


def _covered_fraction(box: Bbox, place: Bbox) -> float:
    """Return the fraction of a box that a place covers."""
    common = Bbox.intersection(box, place)
    return common.width * common.height / (box.width * box.height) if common and box.width * box.height else 0.0


def _places(box: Bbox, size: Bbox, room: Bbox) -> Iterator[tuple[float, float]]:
    """Yield lower left corners: above, below and inside the box, flush left, flush right, then moved into the image.

    Pixels of the display, where y grows upwards.
    """
    for y in (box.y1, box.y0 - size.height, box.y1 - size.height, box.y0):
        for x in (box.x0, box.x1 - size.width, min(max(box.x0, room.x0), room.x1 - size.width)):
            yield x, y
