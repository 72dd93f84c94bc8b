"""Agreement of detections with known objects: average precision, and the score of each matched object."""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from spl.detection.boxes import Detections, box_iou


class Objects(NamedTuple):
    """The true objects of one image."""

    boxes: Tensor
    """(N, 4) left, top, right, bottom, in the units of the detections."""
    labels: Tensor
    """(N,) int64."""


def average_precision(
    reference: Sequence[Objects], found: Sequence[Detections], *, num_classes: int, iou: float = 0.5
) -> Tensor:
    """Return the area under each class's precision-recall curve, (L,); NaN for classes without an object.

    Over all images, the most confident detection first, each takes the free object of its class that it overlaps
    most; it is right if their IoU is at least `iou`. Precision at a recall is the best at that recall or above
    (PASCAL VOC since 2010). Equally sure detections count in their given order.
    """
    outcomes = [_outcomes(r, f, iou) for r, f in zip(reference, found, strict=True)]
    scores = torch.cat([f.scores for f in found])
    labels = torch.cat([f.labels for f in found])
    right = torch.cat(outcomes)
    counts = torch.cat([r.labels for r in reference]).bincount(minlength=num_classes)
    order = scores.argsort(descending=True, stable=True)
    labels, right = labels[order], right[order]
    return torch.stack([_area(right[labels == label], int(counts[label])) for label in range(num_classes)])


def mean_average_precision(
    reference: Sequence[Objects], found: Sequence[Detections], *, num_classes: int, iou: float = 0.5
) -> float:
    """Average precision, averaged over the classes that occur."""
    return average_precision(reference, found, num_classes=num_classes, iou=iou).nanmean().item()


def match_objects(reference: Objects | Detections, found: Detections, *, iou: float = 0.5) -> Tensor:
    """Return the score of the detection that matches each reference object, 0 where there is none.

    Pairs of a class that overlap by at least `iou` are made in order of their overlap, and each box is in one at most.

    Shapes: returns (N,) for N reference objects.
    """
    overlap = _class_overlap(reference, found)
    pairs = overlap.flatten().argsort(descending=True, stable=True)[: int((overlap >= iou).sum())]
    scores = found.scores.new_zeros(len(reference.labels))
    for pair in pairs.tolist():
        i, j = divmod(pair, overlap.shape[1])
        if overlap[i, j] >= iou:  # neither is taken yet
            scores[i] = found.scores[j]
            overlap[i], overlap[:, j] = -1, -1
    return scores


def _class_overlap(reference: Objects | Detections, found: Detections) -> Tensor:
    """Return IoU of each reference object with each detection, -1 where classes differ."""
    same = reference.labels[:, None] == found.labels
    return torch.where(same, box_iou(reference.boxes, found.boxes), -1.0)


def _outcomes(reference: Objects, found: Detections, iou: float) -> Tensor:
    """Tell which detections of one image are right, (N,) bool."""
    right = torch.zeros_like(found.labels, dtype=torch.bool)
    if not len(reference.labels):
        return right
    overlap = _class_overlap(reference, found)
    for j in found.scores.argsort(descending=True, stable=True).tolist():
        best, i = overlap[:, j].max(0)
        if best >= iou:
            right[j] = True
            overlap[i] = -1
    return right


def _area(right: Tensor, count: int) -> Tensor:
    """Return the area under the curve of detections in order of their scores, of `count` objects."""
    hits = right.double()
    precision = hits.cumsum(0) / torch.arange(1, len(hits) + 1, device=hits.device)
    best_later = precision.flip(0).cummax(0).values.flip(0)
    return (best_later * hits).sum() / (count or float("nan"))
