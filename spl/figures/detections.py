"""Detections on pictures: boxes, classes and confidences, and which pictures hide an object."""

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
from spl.detection.occlusion import HALF_HIDDEN, hidden_share
from spl.figures.choose import Choice, choose_pictures
from spl.figures.pictures import Evidence
from spl.figures.style import SMALL, distinct_colours
from spl.steps.settings import GROUND_TRUTH

BOX = ["x_min", "y_min", "x_max", "y_max"]

LEGEND = 0.2
"""Inches of the strip with the names of the classes."""

PADDING = 0.6
"""Points between a text and the edge of its plate."""

HIDEABLE = 0.4
"""Share of any box that a text may cover."""


def detection_files(results: Path, dataset: str, methods: Iterable[str]) -> dict[str, Path]:
    """Return the tables of what was found in the pictures of methods, and in the uncorrupted ones."""
    return {source: results / f"detections/{dataset}/{source}.csv" for source in (*methods, GROUND_TRUTH)}


def read_detections(files: Mapping[str, Path]) -> dict[str, pd.DataFrame]:
    """Read what was found."""
    return {source: read_table(file) for source, file in files.items()}


def found_in(image: str, detections: pd.DataFrame) -> pd.DataFrame:
    """Return what was found in one picture, the most confident first."""
    found = detections[detections["image"] == image]
    return found.sort_values("score", ascending=False, kind="stable", ignore_index=True)


def hiding_pictures(evidence: Evidence, truth: pd.DataFrame, choice_from: Iterable[str]) -> set[str]:
    """Return which pictures have an object in them that the hole covers at least by half."""
    by_image = dict(list(truth.groupby("image")))
    return {
        image
        for image in choice_from
        if image in by_image
        and any(hidden_share(evidence.hole(image), box) >= HALF_HIDDEN for box in by_image[image][BOX].to_numpy())
    }


def choose_hiding(
    evidence: Evidence,
    truth: pd.DataFrame,
    table: pd.DataFrame,
    choice: Choice,
    *,
    among: Collection[str] | None = None,
) -> str:
    """Choose one picture for showing detections: if there is any, one whose hole hides at least half of an object.

    `truth` is what was found in the uncorrupted pictures; for the rest see `choose_pictures`.
    """
    large = table.loc[table["hole_ratio"] >= choice.min_hole_ratio, "image"]
    return choose_pictures(table, choice, 1, among=among, favoured=hiding_pictures(evidence, truth, large))[0]


def class_colours(detections: Iterable[pd.DataFrame]) -> dict[str, str]:
    """Give every class that occurs a colour, in the order of the alphabet."""
    classes = sorted({label for found in detections for label in found["label"]})
    return dict(zip(classes, distinct_colours(len(classes)), strict=True))


def draw_detections(axis: Axes, found: pd.DataFrame, colours: dict[str, str]) -> None:
    """Draw every box over a shown picture, with its confidence, and with its class where that is no wider than the box.

    The most confident come first. A text that would overlap another or hide much of an object is left out; the box's
    colour still says the class.
    """
    for label, box in zip(found["label"], _boxes(found), strict=True):
        left, top, right, bottom = box
        frame = Rectangle((left - 0.5, top - 0.5), right - left, bottom - top, fill=False, lw=0.8, ec=colours[label])
        axis.add_patch(frame)
    boxes = [Bbox(np.sort(axis.transData.transform(np.reshape(box, (2, 2)) - 0.5), axis=0)) for box in _boxes(found)]
    taken: list[Bbox] = []
    for label, score, box in zip(found["label"], found["score"], boxes, strict=True):
        named = _write(axis, f"{label} {score:.2f}", colours[label], box, taken, boxes, widest=box.width)
        if not named:
            _write(axis, f"{score:.2f}", colours[label], box, taken, boxes)


def add_legend(figure: Figure, colours: dict[str, str]) -> None:
    """Name the classes in a strip at the bottom of a figure."""
    if colours:
        patches = [Patch(color=colour, label=label) for label, colour in colours.items()]
        centre = 0.5 * LEGEND / figure.get_figheight()
        figure.legend(
            handles=patches, loc="center", bbox_to_anchor=(0.5, centre), ncols=len(patches), frameon=False,
            handlelength=0.9, handleheight=0.9, handletextpad=0.4, columnspacing=1.2, borderpad=0,
        )  # fmt: skip


def _write(
    axis: Axes, words: str, colour: str, box: Bbox, taken: list[Bbox], boxes: list[Bbox], *, widest: float = math.inf
) -> bool:
    """Write at a box, on the display, if a place is free and in the picture; say if done, and add it to `taken`."""
    ink = "white" if np.dot(to_rgb(colour), (0.299, 0.587, 0.114)) < 0.5 else "black"
    text = axis.text(0, 0, words, fontsize=SMALL, color=ink, ha="left", va="bottom")
    text.set_bbox({"facecolor": colour, "edgecolor": "none", "pad": PADDING})
    padding = PADDING / 72 * axis.figure.dpi
    size, room = text.get_window_extent().padded(padding), axis.get_window_extent()
    for corner in _places(box, size, room) if size.width <= widest else ():
        place = Bbox.from_bounds(*corner, size.width, size.height)
        is_free = not any(place.overlaps(other) for other in taken)
        if is_free and _contains(room, place) and all(_share(other, place) <= HIDEABLE for other in boxes):
            x, y = axis.transData.inverted().transform(np.add(place.min, padding))
            text.set_position((x, y))
            taken.append(place)
            return True
    text.remove()
    return False


def _contains(room: Bbox, place: Bbox) -> bool:
    return bool(np.less_equal(room.min, place.min).all() and np.less_equal(place.max, room.max).all())


def _share(box: Bbox, place: Bbox) -> float:
    """Return the share of a box that a place covers."""
    common = Bbox.intersection(box, place)
    return common.width * common.height / (box.width * box.height) if common and box.width * box.height else 0.0


def _places(box: Bbox, size: Bbox, room: Bbox) -> Iterator[tuple[float, float]]:
    """Yield lower left corners: above, below and inside the box, flush left, flush right, then moved into the picture.

    Pixels of the display, where y grows upwards.
    """
    for y in (box.y1, box.y0 - size.height, box.y1 - size.height, box.y0):
        for x in (box.x0, box.x1 - size.width, min(max(box.x0, room.x0), room.x1 - size.width)):
            yield x, y


def _boxes(found: pd.DataFrame) -> list[tuple[float, float, float, float]]:
    return list(found[BOX].itertuples(index=False, name=None))
