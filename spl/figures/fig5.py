"""Figure 5: the semantic priors of one method beside the edges of another, and what each makes of them."""

from pathlib import Path

import numpy as np
from matplotlib.colors import to_rgb

from spl.common.labels import method_title
from spl.data.images import resize_mask
from spl.figures.choose import Choice, choose_pictures
from spl.figures.clusters import cluster_priors, guidance_file, paint, read_guidance
from spl.figures.pictures import Evidence, picture_grid, show
from spl.figures.style import INK, PAGE_WIDTH, save_figure
from spl.steps.records import Inputs, take_all
from spl.steps.settings import FigureSettings

PREDICTED = "#0055cc"
"""Colour of edges inside the hole; those outside are Canny's."""


def draw_fig5(settings: FigureSettings, *, results: Path, data: Path, out: Path) -> Inputs:
    """Draw input, edges and what is made of them, the prior's k-means picture and what is made of it, ground truth.

    Returns what was read.
    """
    figure, choice, clustering = settings.figures.fig5, Choice.of(settings), settings.figures.clusters
    assert figure is not None
    evidence = Evidence.of(settings, figure.dataset, (figure.edges, figure.prior), results=results, data=data)
    guidance = [guidance_file(results, figure.dataset, method) for method in (figure.prior, figure.edges)]
    inputs = take_all([*evidence.files(), *guidance])
    named_priors, priors = read_guidance(guidance[0], kind="prior")
    named_edges, edges = read_guidance(guidance[1], kind="edges")
    both = set(named_priors) & set(named_edges)
    images = choose_pictures(evidence.table(figure.prior), choice, figure.images, among=both)

    shown = [named_priors.index(image) for image in images]
    labels = cluster_priors(priors, shown, clustering, seed=choice.seed)
    drawing, painting = method_title(figure.edges), method_title(figure.prior)
    titles = ["Input", f"Edges of {drawing}", drawing, f"Prior $S_m$ of {painting}", painting, "Ground truth"]
    canvas, axes = picture_grid(len(images), len(titles), width=PAGE_WIDTH, top=0.17)
    for axis, title in zip(axes[0], titles, strict=True):
        axis.set_title(title, pad=3)
    for line, image, clusters in zip(axes, images, labels, strict=True):
        sketch = draw_edges(edges[named_edges.index(image), 0], evidence.hole(image))
        panes = [
            evidence.masked(image),
            sketch,
            evidence.filled(image, figure.edges),
            paint(clusters, clustering.number),
            evidence.filled(image, figure.prior),
            evidence.truth(image),
        ]
        for axis, pixels in zip(line, panes, strict=True):
            show(axis, pixels)
    save_figure(canvas, out, shown=", ".join(f"{figure.dataset}/{image}" for image in images))
    return inputs


def draw_edges(edges: np.ndarray, hole: np.ndarray) -> np.ndarray:
    """Draw edges on white, blue where they are predicted.

    Shapes: edges (H, W) uint8, 255 = edge; hole (H', W') bool; returns (H, W, 3) uint8.
    """
    ink = np.where(resize_mask(hole, len(edges))[..., None], to_rgb(PREDICTED), to_rgb(INK))
    strength = edges[..., None] / 255
    return np.round(255 * (1 - strength * (1 - ink))).astype(np.uint8)
