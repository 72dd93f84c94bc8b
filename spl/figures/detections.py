"""Detections over images: boxes, classes and confidences, and the choice of images with occluded objects."""

from collections.abc import Collection, Iterable, Mapping
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.patches import Patch, Rectangle

from spl.common.tables import read_table
from spl.detection.occlusion import BOX, HALF_OCCLUDED, occluded_fraction
from spl.figures.choose import choose_images
from spl.figures.images import Evidence
from spl.figures.style import SMALL, distinct_colours
from spl.steps.settings import GROUND_TRUTH, FigureSettings

LEGEND = 0.2
"""Height of the strip with the names of the classes, in inches."""

SCORES = 0.13
"""Height of the strip with the scores below an image, in inches."""

SHRUNK = 0.93
"""Least scale of scores: their letters stay above six points."""

PLATE = 0.19
"""Width of a score and its margin, in inches."""

FRAME = 0.6
"""Width of the lines of boxes, in points: thin, for the image is what counts."""


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
    least = settings.detection.min_score
    return f"the objects that the detector finds (score at least {least:g}; below an image the highest of each class)"


def occluding_images(evidence: Evidence, truth: pd.DataFrame, images: Collection[str]) -> set[str]:
    """Return the images with an object of which the hole covers at least half."""
    shown = truth[truth["image"].isin(images)]
    boxes = zip(shown["image"], shown[BOX].to_numpy(), strict=True)
    holes = {image: evidence.hole(image) for image in set(shown["image"])}
    return {image for image, box in boxes if occluded_fraction(holes[image], box) >= HALF_OCCLUDED}


def choose_occluding(evidence: Evidence, table: pd.DataFrame, truth: pd.DataFrame, settings: FigureSettings) -> str:
    """Choose one image for showing detections: if there is any, one whose hole occludes at least half of an object.

    `truth` lists the objects of the uncorrupted images; for the rest see `choose_images`.
    """
    large = table.loc[table["hole_ratio"] >= settings.figures.min_hole_ratio, "image"]
    favoured = occluding_images(evidence, truth, set(large))
    return choose_images(table, settings, 1, favoured=favoured)[0]


def draw_detections(
    figure: Figure, panes: Mapping[str, Axes], image: str, detections: Mapping[str, pd.DataFrame]
) -> None:
    """Draw the objects of one image over the panes of their sources, and name the classes at the bottom."""
    found = {source: detections[source][detections[source]["image"] == image] for source in panes}
    colours = class_colours(found.values())
    for source, axis in panes.items():
        draw_boxes(axis, found[source], colours)
        write_scores(axis, found[source], colours)
    if colours:
        _add_legend(figure, colours)


def class_colours(tables: Iterable[pd.DataFrame]) -> dict[str, str]:
    """Give every class that occurs a colour, in alphabetical order."""
    classes = sorted({label for table in tables for label in table["label"]})
    return dict(zip(classes, distinct_colours(len(classes)), strict=True))


def draw_boxes(axis: Axes, objects: pd.DataFrame, colours: Mapping[str, str]) -> None:
    """Draw every box over a shown image, in the colour of its class."""
    for label, (left, top, right, bottom) in zip(objects["label"], objects[BOX].to_numpy(), strict=True):
        frame = Rectangle((left - 0.5, top - 0.5), right - left, bottom - top, fill=False, lw=FRAME, ec=colours[label])
        axis.add_patch(frame)


def write_scores(axis: Axes, objects: pd.DataFrame, colours: Mapping[str, str]) -> None:
    """Write the highest confidence of each class below an image, as many as there is room for.

    They move together and shrink a little where that makes room for all. A class has the same place below all images,
    which is empty where it was not found.
    """
    width, highest = axis.get_window_extent().width / axis.figure.dpi, objects.groupby("label")["score"].max()
    plate = float(np.clip(width / max(len(colours), 1), PLATE * SHRUNK, PLATE))
    for i, label in enumerate(list(colours)[: int(width / plate + 1e-6)]):
        if label not in highest:
            continue
        ink = "white" if np.dot(to_rgb(colours[label]), (0.299, 0.587, 0.114)) < 0.5 else "black"
        text = axis.annotate(
            f"{highest[label]:.2f}", ((i + 0.5) * plate / width, 0), (0, -2), xycoords="axes fraction",
            textcoords="offset points", fontsize=SMALL * plate / PLATE, color=ink, ha="center", va="top",
        )  # fmt: skip
        text.set_bbox({"facecolor": colours[label], "edgecolor": "none", "pad": 0.6})


def _add_legend(figure: Figure, colours: Mapping[str, str]) -> None:
    """Name the classes in a strip at the bottom of a figure."""
    patches = [Patch(color=colour, label=label) for label, colour in colours.items()]
    centre = 0.5 * LEGEND / figure.get_figheight()
    figure.legend(
        handles=patches, loc="center", bbox_to_anchor=(0.5, centre), ncols=len(patches), frameon=False,
        handlelength=0.9, handleheight=0.9, handletextpad=0.4, columnspacing=1.2, borderpad=0,
    )  # fmt: skip
