"""Figure 1: one image filled by several methods, with the objects that a detector finds, and the prior's clusters."""

from pathlib import Path

from spl.common.labels import method_title
from spl.figures.choose import deciding, describe_choice, name_methods
from spl.figures.clusters import cluster_priors, describe_clusters, paint, priors_file, read_priors
from spl.figures.detections import (
    LEGEND,
    SCORES,
    choose_occluding,
    describe_detections,
    detection_files,
    draw_detections,
    read_detections,
)
from spl.figures.images import TITLE, Evidence, image_grid, outline, show
from spl.figures.style import PAGE_WIDTH, Drawing
from spl.steps.records import take_all
from spl.steps.settings import GROUND_TRUTH, FigureSettings


def draw_fig1(settings: FigureSettings, *, results: Path, data: Path) -> Drawing:
    """Draw input, results with detections, the prior's clusters and the ground truth, large: in two rows.

    The image is one whose hole occludes at least half of an object, if there is any.
    """
    figure, clusters = settings.figures.fig1, settings.figures.clusters
    assert figure is not None
    assert clusters is not None
    methods = settings.in_order(figure.methods)
    evidence = Evidence.of(settings, figure.dataset, methods, results=results, data=data)
    kept = priors_file(results, figure.dataset, figure.prior)
    found_files = detection_files(results, figure.dataset, methods)
    inputs = take_all([*evidence.files(), kept, *found_files.values()])
    names, priors = read_priors(kept, kind="prior")
    detections = read_detections(found_files)
    table = evidence.table(deciding(settings, methods))
    image = choose_occluding(evidence, table[table["image"].isin(names)], detections[GROUND_TRUTH], settings)

    labels = cluster_priors(priors, [names.index(image)], clusters, seed=settings.seed)[0]
    panes = [("Input", evidence.masked(image), None)]
    panes += [(method_title(m), evidence.filled(image, m), m) for m in methods]
    prior = f"Prior $S_m$ of {method_title(figure.prior)}, {clusters.number} clusters"
    panes += [(prior, paint(labels, clusters.number), None)]
    panes += [("Ground truth", evidence.truth(image), GROUND_TRUTH)]
    canvas, axes = image_grid(
        2, -(-len(panes) // 2), width=PAGE_WIDTH, top=TITLE, below=SCORES + TITLE, bottom=LEGEND - TITLE
    )
    for axis, (title, pixels, _) in zip(axes.flat, panes, strict=False):
        axis.set_title(title, pad=3)
        show(axis, pixels)
        if title == prior:
            outline(axis, evidence.hole(image))
    for axis in axes.flat[len(panes) :]:
        axis.remove()
    searched = {source: axis for axis, (_, _, source) in zip(axes.flat, panes, strict=False) if source}
    draw_detections(canvas, searched, image, detections)
    caption = (
        f"One image of {settings.title_of(figure.dataset)}: the input, results of "
        f"{name_methods(settings, methods)} with {describe_detections(settings)}, "
        f"{describe_clusters(settings, figure.prior)}, and the ground truth. "
        f"{describe_choice(settings, deciding(settings, methods), occluded=True)} Shown: {figure.dataset}/{image}."
    )
    return Drawing(canvas, caption, inputs)
