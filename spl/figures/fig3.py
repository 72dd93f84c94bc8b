"""Figure 3: methods by row, images of several datasets by column; detections in the last, if the experiment has any."""

from pathlib import Path

import numpy as np

from spl.common.labels import method_title
from spl.figures.choose import choose_images, deciding, describe_choice, name_methods
from spl.figures.detections import (
    LEGEND,
    SCORES,
    choose_occluding,
    describe_detections,
    detection_files,
    draw_detections,
    read_detections,
)
from spl.figures.images import TITLE, Evidence, image_grid, show
from spl.figures.style import PAGE_WIDTH, SMALL, Drawing
from spl.steps.records import take_all
from spl.steps.settings import GROUND_TRUTH, FigureSettings


def draw_fig3(settings: FigureSettings, *, results: Path, data: Path) -> Drawing:
    """Draw input, every method and ground truth below each other.

    The column of detections shows an image whose hole occludes at least half of an object, if there is any.
    """
    figure = settings.figures.fig3
    assert figure is not None
    methods = settings.in_order(figure.methods)
    evidence = {
        dataset: Evidence.of(settings, dataset, settings.methods_of(dataset, methods), results=results, data=data)
        for dataset in dict.fromkeys([*figure.images, *figure.detected])
    }
    found_files = {}
    for dataset in figure.detected:
        found_files = detection_files(results, dataset, settings.methods_of(dataset, methods))
    inputs = take_all([*(file for shown in evidence.values() for file in shown.files()), *found_files.values()])
    found = read_detections(found_files)
    tables = {dataset: shown.table(deciding(settings, [*shown.seeds])) for dataset, shown in evidence.items()}
    detected = [(d, choose_occluding(evidence[d], tables[d], found[GROUND_TRUTH], settings)) for d in figure.detected]
    columns: list[tuple[str, str]] = []
    for dataset, count in figure.images.items():
        searched, table = [image for d, image in detected if d == dataset], tables[dataset]
        images = choose_images(table[~table["image"].isin(searched)], settings, count)
        columns += [(dataset, image) for image in images]
    heads = [settings.title_of(dataset).replace(" (", "\n(") for dataset, _ in columns] + ["Detections"] * len(detected)
    columns += detected

    rows = ["Input", *map(method_title, methods), "Ground truth"]
    room = {"below": SCORES, "bottom": LEGEND} if detected else {}
    canvas, axes = image_grid(
        len(rows), len(columns), width=PAGE_WIDTH, left=0.18, top=TITLE * (1 + ("\n" in "".join(heads))), **room
    )
    for axis, title in zip(axes[:, 0], rows, strict=True):
        axis.set_ylabel(title, labelpad=2)
    _write_heads(axes[0], heads)
    for column, (dataset, image) in zip(axes.T, columns, strict=True):
        shown = evidence[dataset]
        show(column[0], shown.masked(image))
        show(column[-1], shown.truth(image))
        for axis, method in zip(column[1:-1], methods, strict=True):
            if why := settings.absent(dataset, method):
                axis.text(0.5, 0.5, why.partition(":")[0], ha="center", va="center", fontsize=SMALL)
            else:
                show(axis, shown.filled(image, method))
    counted = ", ".join(f"{count} of {settings.title_of(dataset)}" for dataset, count in figure.images.items())
    with_objects = ""
    for dataset, image in detected:
        searched = dict(zip([*methods, GROUND_TRUTH], axes[1:, -1], strict=True))
        searched = {name: axis for name, axis in searched.items() if name in found}
        draw_detections(canvas, searched, image, found)
        with_objects = (
            f" The last column is an image of {settings.title_of(dataset)} with "
            f"{describe_detections(settings)}; only images count whose "
            "hole occludes at least half of an object, if there are any."
        )
    caption = (
        f"Input, results of {name_methods(settings, methods)} and ground truth below each other "
        f"({counted}). {describe_choice(settings, deciding(settings, methods))}{with_objects} "
        f"Shown: {', '.join(f'{d}/{i}' for d, i in columns)}."
    )
    return Drawing(canvas, caption, inputs)


def _write_heads(axes: np.ndarray, heads: list[str]) -> None:
    """Write each head once over the middle of its columns."""
    figure = axes[0].figure
    for head in dict.fromkeys(heads):
        columns = [axis.get_position() for axis, own in zip(axes, heads, strict=True) if own == head]
        lift = 3 / 72 / figure.get_figheight()
        centre = (columns[0].x0 + columns[-1].x1) / 2
        figure.text(centre, columns[0].y1 + lift, head, ha="center", va="bottom", linespacing=1)
