"""Figure 1: one picture filled by several methods, with what a detector finds in it, and the prior's clusters."""

from pathlib import Path

from spl.common.labels import method_title
from spl.figures.clusters import cluster_priors, paint, read_guidance
from spl.figures.detections import (
    GROUND_TRUTH,
    LEGEND,
    add_legend,
    choose_hiding,
    class_colours,
    draw_detections,
    found_in,
    read_detections,
)
from spl.figures.pictures import Evidence, picture_grid, show
from spl.figures.style import PAGE_WIDTH, save_figure
from spl.steps.report_slices import Figure1Settings


def draw_fig1(settings: Figure1Settings, *, results: Path, data: Path, stem: Path) -> None:
    """Draw input, results with detections, the prior's k-means picture and the ground truth side by side.

    The picture is one whose hole hides at least half of an object, if there is any.
    """
    figure, choice = settings.figure, settings.choice
    evidence = Evidence(results, data, figure.dataset, settings.shown.seeds[figure.dataset])
    names, priors = read_guidance(results, figure.dataset, figure.prior, kind="prior")
    detections = read_detections(results, figure.dataset, [*figure.methods, GROUND_TRUTH])
    table = evidence.table(figure.methods[-1])
    image = choose_hiding(evidence, detections[GROUND_TRUTH], table, choice, among=names)

    labels = cluster_priors(priors, [names.index(image)], settings.clusters, seed=choice.seed)[0]
    panes = [("Input", evidence.masked(image), None)]
    panes += [(method_title(m), evidence.filled(image, m), m) for m in figure.methods]
    panes += [(f"Prior $S_m$ of {method_title(figure.prior)}", paint(labels, settings.clusters.number), None)]
    panes += [("Ground truth", evidence.truth(image), GROUND_TRUTH)]
    found = {source: found_in(image, table) for source, table in detections.items()}
    colours = class_colours(found.values())
    canvas, axes = picture_grid(1, len(panes), width=PAGE_WIDTH, top=0.17, bottom=LEGEND if colours else 0.0)
    for axis, (title, pixels, source) in zip(axes[0], panes, strict=True):
        axis.set_title(title, pad=3)
        show(axis, pixels)
        if source:
            draw_detections(axis, found[source], colours)
    add_legend(canvas, colours)
    save_figure(canvas, stem, shown=f"{figure.dataset}/{image}")
