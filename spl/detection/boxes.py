"""Boxes: what a detector's raw output means, and which of many overlapping boxes remain."""

from typing import NamedTuple, Self

import torch
from torch import Tensor

MAX_OVERLAP = 0.45
"""IoU above which the less confident of two boxes of a class is dropped."""

MAX_DETECTIONS = 300


class Detections(NamedTuple):
    """Objects found in one image, the most confident first."""

    boxes: Tensor
    """(N, 4) left, top, right, bottom in pixels."""
    scores: Tensor
    """(N,) in [0, 1]."""
    labels: Tensor
    """(N,) int64."""

    def scaled(self, factor: float) -> Self:
        """Return the same objects in an image `factor` times as large."""
        return self._replace(boxes=self.boxes * factor)

    def clipped(self, *, height: int, width: int) -> Self:
        """Cut off what lies outside the image."""
        limits = self.boxes.new_tensor([width, height, width, height])
        return self._replace(boxes=self.boxes.clamp(min=0).minimum(limits))


def to_corners(boxes: Tensor) -> Tensor:
    """Turn centre x, y, width, height into left, top, right, bottom. Shapes: (..., 4); returns the same."""
    centre, half = boxes[..., :2], 0.5 * boxes[..., 2:]
    return torch.cat([centre - half, centre + half], -1)


def box_iou(boxes: Tensor, others: Tensor) -> Tensor:
    """Return the IoU of every box with every other one. Shapes: corners (N, 4) and (M, 4); returns (N, M)."""
    areas, other_areas = ((x[:, 2:] - x[:, :2]).prod(1) for x in (boxes, others))
    start, end = torch.maximum(boxes[:, None, :2], others[:, :2]), torch.minimum(boxes[:, None, 2:], others[:, 2:])
    shared = (end - start).clamp(min=0).prod(2)
    return shared / (areas[:, None] + other_areas - shared)


def place_in_cells(raw: Tensor, anchors: Tensor) -> Tensor:
    """Turn raw outputs into a centre relative to the cell's corner, and a size, both in cells.

    The centre lies in (-0.5, 1.5), so neighbouring cells can predict one object; each side is at most four times the
    anchor's.

    Shapes: raw (..., >= 4); anchors (..., 2) in cells; returns (..., 4) x, y, width, height.
    """
    share = torch.sigmoid(raw[..., :4])
    return torch.cat([2 * share[..., :2] - 0.5, (2 * share[..., 2:]) ** 2 * anchors], -1)


def decode(raw: Tensor, *, anchors: Tensor, stride: int) -> tuple[Tensor, Tensor]:
    """Read boxes and scores off one scale's raw output.

    Shapes: raw (B, A, h, w, 5 + L); anchors (A, 2) in cells; returns boxes (B, A h w, 4), corners in pixels, and
    scores (B, A h w, L) in [0, 1], objectness times the class's probability.
    """
    height, width = raw.shape[2:4]
    boxes = place_in_cells(raw, anchors[:, None, None])
    rows, columns = torch.arange(height, device=raw.device), torch.arange(width, device=raw.device)
    corners = torch.stack(torch.meshgrid(columns, rows, indexing="xy"), -1)  # (h, w, 2): x, y
    boxes = torch.cat([boxes[..., :2] + corners, boxes[..., 2:]], -1) * stride
    scores = torch.sigmoid(raw[..., 4:5]) * torch.sigmoid(raw[..., 5:])
    return to_corners(boxes).flatten(1, 3), scores.flatten(1, 3)


def suppress(boxes: Tensor, scores: Tensor, *, min_score: float) -> Detections:
    """Keep each box's likeliest class, drop the unlikely, and of boxes of a class that overlap keep the likeliest.

    Shapes: boxes (N, 4) corners; scores (N, L).
    """
    from torchvision.ops import batched_nms  # takes seconds, and most that read boxes suppress none

    best, labels = scores.max(1)
    kept = best > min_score
    boxes, best, labels = boxes[kept], best[kept], labels[kept]
    order = batched_nms(boxes, best, labels, MAX_OVERLAP)[:MAX_DETECTIONS]
    return Detections(boxes[order], best[order], labels[order])
