"""Anchors that suit the objects at hand, as YOLOv5 finds them for a set that the published ones do not suit."""

import torch
from torch import Tensor

ROUNDS = 100


def fit_anchors(sizes: Tensor, *, count: int) -> Tensor:
    """Cluster widths and heights by k-means of their logarithms, since anchors answer by ratios.

    Starts from sizes at equal steps in the order of areas, so the result depends on nothing but the sizes.

    Shapes: sizes (N, 2), positive; returns (count, 2), the smaller areas first.
    """
    points = sizes.log()
    points = points[points.sum(1).argsort(stable=True)]
    centres = points[((torch.arange(count) + 0.5) * len(points) / count).long()]
    for _ in range(ROUNDS):
        nearest = torch.cdist(points, centres).argmin(1)
        means = [points[nearest == i].mean(0) if (nearest == i).any() else centres[i] for i in range(count)]
        moved = torch.stack(means)
        if torch.equal(moved, centres):
            break
        centres = moved
    return centres[centres.sum(1).argsort(stable=True)].exp()
