"""Figure 5: the semantic priors of one method beside the edges of another, and the images filled with them."""

from pathlib import Path

import numpy as np
from matplotlib.colors import to_rgb

from spl.common.labels import method_title
from spl.data.images import resize_mask
from spl.figures.choose import choose_images, describe_choice
from spl.figures.clusters import cluster_priors, describe_clusters, paint, priors_file, read_priors
from spl.figures.images import TITLE, Evidence, image_grid, outline, show
from spl.figures.style import INK, PAGE_WIDTH, Drawing
from spl.steps.records import take_all
from spl.steps.settings import FigureSettings

PREDICTED = "#0055cc"
"""Colour of edges inside the hole; the network predicts those around it too."""


def draw_fig5(settings: FigureSettings, *, results: Path, data: Path) -> Drawing:
    """Draw input, edges, the result with them, the prior's clusters, the result with the prior, and ground truth."""
    figure, clustering = settings.figures.fig5, settings.figures.clusters
    assert figure is not None
    assert clustering is not None
    evidence = Evidence.of(settings, figure.dataset, (figure.edges, figure.prior), results=results, data=data)
    kept = [priors_file(results, figure.dataset, method) for method in (figure.prior, figure.edges)]
    inputs = take_all([*evidence.files(), *kept])
    named_priors, priors = read_priors(kept[0], kind="prior")
    named_edges, edges = read_priors(kept[1], kind="edges")
    table, both = evidence.table(figure.prior), set(named_priors) & set(named_edges)
    images = choose_images(table[table["image"].isin(both)], settings, figure.images)

    shown = [named_priors.index(image) for image in images]
    labels = cluster_priors(priors, shown, clustering, seed=settings.seed)
    drawing, painting = method_title(figure.edges), method_title(figure.prior)
    titles = [
        "Input", f"Edges predicted\nby {drawing}", drawing,
        f"Prior $S_m$ of {painting},\n{clustering.number} clusters", painting, "Ground truth",
    ]  # fmt: skip
    canvas, axes = image_grid(len(images), len(titles), width=PAGE_WIDTH, top=2 * TITLE)
    for axis, title in zip(axes[0], titles, strict=True):
        axis.set_title(title, pad=3, linespacing=1)
    for line, image, clusters in zip(axes, images, labels, strict=True):
        sketch = draw_edges(edges[named_edges.index(image), 0], evidence.hole(image))
        by_edges, by_prior = (evidence.filled(image, method) for method in (figure.edges, figure.prior))
        panes = [evidence.masked(image), sketch, by_edges, paint(clusters, clustering.number), by_prior]
        panes += [evidence.truth(image)]
        for axis, pixels in zip(line, panes, strict=True):
            show(axis, pixels)
        for axis in line[[1, 3]]:
            outline(axis, evidence.hole(image))
    caption = (
        f"Images of {settings.title_of(figure.dataset)}: the input; the edges that the first network of {drawing} "
        "predicts for the whole image, blue in the hole and black around it, the paler the less likely, and the result "
        "of its second network, which is given them (stripes or dots, if any, are noise: too few steps of training); "
        f"{describe_clusters(settings, figure.prior)} and its result; the ground truth. "
        f"{describe_choice(settings, figure.prior)} "
        f"Shown: {', '.join(f'{figure.dataset}/{image}' for image in images)}."
    )
    return Drawing(canvas, caption, inputs)


def draw_edges(edges: np.ndarray, hole: np.ndarray) -> np.ndarray:
    """Draw edges on white, blue where they are predicted.

    Shapes: edges (H, W) uint8, 255 = edge; hole (H', W') bool; returns (H, W, 3) uint8.
    """
    ink = np.where(resize_mask(hole, len(edges))[..., None], to_rgb(PREDICTED), to_rgb(INK))
    strength = edges[..., None] / 255
    return np.round(255 * (1 - strength * (1 - ink))).astype(np.uint8)
