"""Figure 1: one picture filled by several methods, with what a detector finds in it, and the prior's clusters."""

from pathlib import Path

from spl.common.labels import method_title
from spl.figures.choose import Choice
from spl.figures.clusters import cluster_priors, guidance_file, paint, read_guidance
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


def draw_fig1(settings: FigureSettings, *, results: Path, data: Path, out: Path) -> Inputs:
    """Draw input, results with detections, the prior's k-means picture and the ground truth side by side.

    The picture is one whose hole hides at least half of an object, if there is any. Returns what was read.
    """
    figure, choice, clusters = settings.figures.fig1, Choice.of(settings), settings.figures.clusters
    assert figure is not None
    evidence = Evidence.of(settings, figure.dataset, figure.methods, results=results, data=data)
    guidance = guidance_file(results, figure.dataset, figure.prior)
    found_files = detection_files(results, figure.dataset, figure.methods)
    inputs = take_all([*evidence.files(), guidance, *found_files.values()])
    names, priors = read_guidance(guidance, kind="prior")
    detections = read_detections(found_files)
    table = evidence.table(figure.methods[-1])
    image = choose_hiding(evidence, detections[GROUND_TRUTH], table, choice, among=names)

    labels = cluster_priors(priors, [names.index(image)], clusters, seed=choice.seed)[0]
    panes = [("Input", evidence.masked(image), None)]
    panes += [(method_title(m), evidence.filled(image, m), m) for m in figure.methods]
    panes += [(f"Prior $S_m$ of {method_title(figure.prior)}", paint(labels, clusters.number), None)]
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
    save_figure(canvas, out, shown=f"{figure.dataset}/{image}")
    return inputs
