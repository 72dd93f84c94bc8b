"""Figure 3: methods by row, pictures of several datasets by column, detections in the last column."""

from pathlib import Path

import numpy as np
from matplotlib.axes import Axes

from spl.common.labels import method_title
from spl.figures.choose import Choice, choose_pictures
from spl.figures.detections import (
    LEGEND,
    add_legend,
    choose_hiding,
    class_colours,
    detection_files,
    draw_detections,
    found_in,
    read_detections,
)
from spl.figures.pictures import Evidence, picture_grid, show
from spl.figures.style import PAGE_WIDTH, save_figure
from spl.steps.records import Inputs, take_all
from spl.steps.settings import GROUND_TRUTH, FigureSettings


def draw_fig3(settings: FigureSettings, *, results: Path, data: Path, out: Path) -> Inputs:
    """Draw input, every method and ground truth below each other.

    The last column shows a picture whose hole hides at least half of an object, if there is any. Returns what
    was read.
    """
    figure, choice = settings.figures.fig3, Choice.of(settings)
    assert figure is not None
    evidence = {
        dataset: Evidence.of(settings, dataset, figure.methods, results=results, data=data)
        for dataset in dict.fromkeys([*figure.images, figure.detections])
    }
    found_files = detection_files(results, figure.detections, figure.methods)
    inputs = take_all([*(file for shown in evidence.values() for file in shown.files()), *found_files.values()])
    detections = read_detections(found_files)
    table = evidence[figure.detections].table(figure.methods[-1])
    detected = choose_hiding(evidence[figure.detections], detections[GROUND_TRUTH], table, choice)
    columns: list[tuple[str, str]] = []
    for dataset, count in figure.images.items():
        without = [detected] if dataset == figure.detections else []
        table = evidence[dataset].table(figure.methods[-1])
        columns += [(dataset, image) for image in choose_pictures(table, choice, count, without=without)]

    found = {source: found_in(detected, table) for source, table in detections.items()}
    colours = class_colours(found.values())
    rows = ["Input", *map(method_title, figure.methods), "Ground truth"]
    canvas, axes = picture_grid(
        len(rows), len(columns) + 1, width=PAGE_WIDTH, left=0.18, top=0.17, bottom=LEGEND if colours else 0.0
    )
    for axis, title in zip(axes[:, 0], rows, strict=True):
        axis.set_ylabel(title, labelpad=2)
    _head(axes[0], [dataset for dataset, _ in columns], "Detections")
    for column, (dataset, image) in zip(axes.T, [*columns, (figure.detections, detected)], strict=True):
        for axis, pixels in zip(column, _panes(evidence[dataset], image, figure.methods), strict=True):
            show(axis, pixels)
    for axis, source in zip(axes[1:, -1], [*figure.methods, GROUND_TRUTH], strict=True):
        draw_detections(axis, found[source], colours)
    add_legend(canvas, colours)
    save_figure(canvas, out, shown=", ".join(f"{d}/{i}" for d, i in [*columns, (figure.detections, detected)]))
    return inputs


def _panes(evidence: Evidence, image: str, methods: tuple[str, ...]) -> list[np.ndarray]:
    return [evidence.masked(image), *(evidence.filled(image, method) for method in methods), evidence.truth(image)]


def _head(axes: np.ndarray, datasets: list[str], last: str) -> None:
    """Write each dataset's name over the middle of its columns, and `last` over the last column."""
    for dataset in dict.fromkeys(datasets):
        first, count = datasets.index(dataset), datasets.count(dataset)
        _write_over(axes[first], axes[first + count - 1], dataset)
    _write_over(axes[-1], axes[-1], last)


def _write_over(left: Axes, right: Axes, words: str) -> None:
    figure, (start, end) = left.figure, (left.get_position(), right.get_position())
    lift = 3 / 72 / figure.get_figheight()  # pyright: ignore[reportAttributeAccessIssue]
    figure.text((start.x0 + end.x1) / 2, start.y1 + lift, words, ha="center", va="bottom")
