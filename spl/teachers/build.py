"""From a teacher's settings to the frozen network."""

from pathlib import Path
from typing import Protocol

from torch import Tensor

from spl.common.files import read_json
from spl.config.teachers import (
    RandomTResNet,
    ReleasedTResNet,
    ReleasedYOLO,
    Teacher,
    TimmTeacher,
    TrainedTResNet,
    TrainedYOLO,
)
from spl.teachers.backbone import BackboneTeacher
from spl.teachers.tresnet import TResNetTeacher
from spl.teachers.yolov5 import COCO_SIDE, COCO_SIZES, YOLOv5Teacher, build_yolov5
from spl.weights.fit import load_weights


class FrozenTeacher(Protocol):
    """What a training run needs of a teacher: image (B, 3, 2H, 2W) in [0, 1] -> features (B, d, H/4, W/4)."""

    @property
    def channels(self) -> int:
        """How many channels the features have, d."""
        ...

    def __call__(self, image: Tensor) -> Tensor:
        """Return the features."""
        ...


AnyTeacher = TResNetTeacher | YOLOv5Teacher | BackboneTeacher


def build_teacher(settings: Teacher, *, classes: int = 1) -> AnyTeacher:
    """Build the teacher that the settings describe with fresh weights; a detector for that many classes."""
    match settings:
        case TrainedTResNet():
            return TResNetTeacher.build(layers=settings.layers[:2], width_factor=settings.width)
        case ReleasedTResNet():
            return TResNetTeacher.build(layers=(4, 5), width_factor=1.2)
        case RandomTResNet():
            return TResNetTeacher.build(layers=settings.layers, width_factor=settings.width)
        case TrainedYOLO(depth=depth, width=width):
            side = 2 * settings.image_size
            return YOLOv5Teacher(build_yolov5(depth=depth, width=width, num_classes=classes, side=side))
        case ReleasedYOLO(size=size):
            depth, width = COCO_SIZES[size]
            return YOLOv5Teacher(build_yolov5(depth=depth, width=width, num_classes=classes, side=COCO_SIDE))
        case TimmTeacher(model=model, reduction=reduction):
            return BackboneTeacher.build(model, reduction=reduction)


def load_teacher(settings: Teacher, weights: Path) -> AnyTeacher:
    """Build the teacher that the settings describe with the weights that `spl train-teacher` has written."""
    teacher = build_teacher(settings, classes=len(detected_classes(weights)) or 1)
    load_weights(teacher, weights)
    return teacher


def detected_classes(weights: Path) -> list[str]:
    """Return what a detector's labels mean, from the record beside its weights; empty for another teacher."""
    return read_json(weights.parent / "run.json").get("classes", [])
