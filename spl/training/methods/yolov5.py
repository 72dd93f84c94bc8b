"""One training step of the detector: boxes, objectness and classes of YOLOv5."""

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from spl.config.teachers import YOLOLossWeights
from spl.detection.loss import yolo_loss
from spl.teachers.yolov5 import YOLOv5
from spl.training.methods.base import update


class YOLOv5Method:
    """Train a detector; it has to be in training mode when `step` is called."""

    def __init__(self, detector: YOLOv5, optimizer: Optimizer, weights: YOLOLossWeights) -> None:
        self.networks: dict[str, nn.Module] = {"detector": detector}
        self.optimizers: dict[str, Optimizer] = {"detector": optimizer}
        self._detector = detector
        self._weights = weights.model_dump()

    def step(self, image: Tensor, boxes: Tensor, *, step: int) -> dict[str, Tensor]:
        """Update the detector. Shapes: image (B, 3, H, W) in [0, 1]; boxes (B, M, 5), see `assign`."""
        parts = yolo_loss(self._detector(image), boxes, self._detector.anchors)
        losses = {name: self._weights[name] * part for name, part in parts.items()}
        update(self.optimizers["detector"], torch.stack(list(losses.values())).sum())
        return losses
