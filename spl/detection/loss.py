"""YOLOv5's loss: assignment of objects to cells, and errors of box, objectness and class."""

from collections.abc import Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from spl.detection.boxes import place_in_cells, to_corners

MAX_RATIO = 4.0
"""An anchor answers for boxes of up to this many times its width and height, or as many times smaller."""

BALANCE = (4.0, 1.0, 0.4)
"""Weights of objectness at strides 8, 16 and 32, where ever fewer cells share a mean."""


class Assignment(NamedTuple):
    """K pairs of a prediction of one scale and an object that it answers for."""

    image: Tensor
    anchor: Tensor
    row: Tensor
    column: Tensor
    boxes: Tensor
    """(K, 4) centre relative to the cell's corner, and size, both in cells."""
    labels: Tensor


def assign(boxes: Tensor, anchors: Tensor, *, height: int, width: int) -> Assignment:
    """Give each object to the anchors of similar size, in its own cell and the two nearest neighbours.

    Shapes: boxes (B, M, 5) class, centre x, y, width, height as shares of the image, class -1 = none;
    anchors (A, 2) in cells of a scale of `height` x `width` cells.
    """
    image, object_ = (boxes[..., 0] >= 0).nonzero(as_tuple=True)
    label, share = boxes[image, object_].split([1, 4], -1)
    cells = share * share.new_tensor([width, height, width, height])  # (N, 4)
    ratio = cells[:, None, 2:] / anchors  # (N, A, 2)
    fits = torch.maximum(ratio, 1 / ratio).amax(-1) < MAX_RATIO
    index, anchor = fits.nonzero(as_tuple=True)
    centre, size = cells[index].split(2, -1)
    limit = centre.new_tensor([width, height])
    own = torch.minimum(centre.floor(), limit - 1)
    near_start, near_end = centre - own < 0.5, centre - own > 0.5  # (K, 2): left and top, right and bottom
    steps = centre.new_tensor([[0, 0], [-1, 0], [0, -1], [1, 0], [0, 1]])[:, None]
    cell = own + steps  # (5, K, 2)
    near = torch.stack([torch.ones_like(near_start[:, 0]), *near_start.unbind(1), *near_end.unbind(1)])
    direction, pair = (near & (cell >= 0).all(-1) & (cell < limit).all(-1)).nonzero(as_tuple=True)
    corner = cell[direction, pair]
    column, row = corner.long().unbind(1)
    return Assignment(
        image=image[index[pair]],
        anchor=anchor[pair],
        row=row,
        column=column,
        boxes=torch.cat([centre[pair] - corner, size[pair]], 1),
        labels=label[index[pair], 0].long(),
    )


def yolo_loss(predictions: Sequence[Tensor], boxes: Tensor, anchors: Tensor) -> dict[str, Tensor]:
    """Compare raw predictions with objects: complete IoU of boxes, cross entropy of objectness and classes.

    A cell's objectness is to equal the IoU that its box reaches; where several objects share it, the best counts.

    Shapes: predictions per scale (B, A, h, w, 5 + L); boxes (B, M, 5), see `assign`; anchors (scales, A, 2) in cells.
    Returns: the sums over scales of `box`, `objectness` and `classification`, each a mean over a scale, unweighted.
    """
    from torchvision.ops import complete_box_iou_loss  # takes seconds

    total = {part: predictions[0].new_zeros(()) for part in ("box", "objectness", "classification")}
    for raw, scale_anchors, balance in zip(predictions, anchors, BALANCE, strict=True):
        raw = raw.float()
        found = assign(boxes, scale_anchors, height=raw.shape[2], width=raw.shape[3])
        chosen = raw[found.image, found.anchor, found.row, found.column]  # (K, 5 + L)
        count = max(len(chosen), 1)
        own = place_in_cells(chosen, scale_anchors[found.anchor])
        distance = complete_box_iou_loss(to_corners(own), to_corners(found.boxes))  # (K,) 1 - CIoU
        target = torch.zeros(raw.shape[:4], device=raw.device)
        flat = ((found.image * raw.shape[1] + found.anchor) * raw.shape[2] + found.row) * raw.shape[3] + found.column
        target.view(-1).scatter_reduce_(0, flat, (1 - distance.detach()).clamp(min=0), "amax")
        classes = F.one_hot(found.labels, raw.shape[-1] - 5).float()
        entropy = F.binary_cross_entropy_with_logits(chosen[:, 5:], classes, reduction="sum")
        total["box"] = total["box"] + distance.sum() / count
        total["objectness"] = total["objectness"] + balance * F.binary_cross_entropy_with_logits(raw[..., 4], target)
        total["classification"] = total["classification"] + entropy / (count * classes.shape[1])
    return total
