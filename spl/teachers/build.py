"""From a teacher's settings to the frozen network.

timm and torchvision take seconds to import, so each network is imported where it is built: a run that learns from no
teacher needs neither.
"""

from collections.abc import Callable, Iterable
from pathlib import Path

from torch import Tensor

from spl.config.teachers import (
    Pixels,
    RandomTResNet,
    ReleasedTResNet,
    ReleasedYOLO,
    Teacher,
    TimmTeacher,
    TrainedTResNet,
    TrainedYOLO,
)
from spl.steps.records import read_record
from spl.teachers.frozen import FrozenTeacher, PixelTeacher
from spl.weights.fit import load_weights


def build_teacher(settings: Teacher, *, classes: int = 1) -> FrozenTeacher:
    """Build the teacher that the settings describe with fresh weights; a detector for that many classes."""
    match settings:
        case TrainedTResNet(layers=(first, second, *_), width=width):
            return _build_tresnet((first, second), width)
        case ReleasedTResNet():
            return _build_tresnet((4, 5), 1.2)
        case RandomTResNet(layers=layers, width=width):
            return _build_tresnet(layers, width)
        case Pixels():
            return PixelTeacher()
        case TrainedYOLO() | ReleasedYOLO():
            return _build_detector(settings, classes)
        case TimmTeacher(model=model, reduction=reduction):
            from spl.teachers.backbone import BackboneTeacher

            return BackboneTeacher.build(model, reduction=reduction)


def _build_tresnet(layers: tuple[int, int], width: float) -> FrozenTeacher:
    from spl.teachers.tresnet import TResNetTeacher

    return TResNetTeacher.build(layers=layers, width_factor=width)


def _build_detector(settings: TrainedYOLO | ReleasedYOLO, classes: int) -> FrozenTeacher:
    from spl.teachers.yolov5 import COCO_SIDE, COCO_SIZES, YOLOv5Teacher, build_yolov5

    if isinstance(settings, TrainedYOLO):
        depth, width, side = settings.depth, settings.width, 2 * settings.image_size
    else:
        (depth, width), side = COCO_SIZES[settings.size], COCO_SIDE
    return YOLOv5Teacher(build_yolov5(depth=depth, width=width, num_classes=classes, side=side))


def load_teacher(settings: Teacher, weights: Path) -> FrozenTeacher:
    """Build the teacher that the settings describe with the weights that `spl train-teacher` has written."""
    teacher = build_teacher(settings, classes=len(detected_classes(weights)) or 1)
    if teacher.state_dict():  # pixels have none
        load_weights(teacher, weights)
    return teacher


def fit_teacher(
    settings: Teacher, teacher: FrozenTeacher, images: Callable[[], Iterable[Tensor]]
) -> dict[str, list[float]]:
    """Calibrate fresh weights, and standardise the features if the settings say so; return their scale.

    `images` gives training images (B, 3, H, W).
    """
    if isinstance(settings, RandomTResNet) or (isinstance(settings, TimmTeacher) and settings.weights is None):
        teacher.calibrate(images())
    return teacher.standardise(images()) if settings.standardised else {}


def detected_classes(weights: Path) -> list[str]:
    """Return what a detector's labels mean, from the record beside its weights; empty for another teacher."""
    return read_record(weights.parent / "run.json").get("classes", [])
