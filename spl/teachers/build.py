"""From a teacher's settings to the frozen network."""

from pathlib import Path
from typing import Protocol

from torch import Tensor

from spl.common.errors import DataError
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
from spl.steps.slices import supplied_teacher_file
from spl.teachers.backbone import BackboneTeacher, read_backbone
from spl.teachers.tresnet import TResNetTeacher, load_openimages_teacher
from spl.teachers.yolov5 import COCO_SIDE, COCO_SIZES, YOLOv5Teacher, build_yolov5, coco_classes, load_coco_teacher
from spl.weights.fit import load_weights

HELP = {
    "tresnet_released": "Download Open_ImagesV6_TRresNet_L_448.pth (TResNet-L, Open Images, from the model zoo of "
    "Ben-Baruch et al. 2020).",
    "yolov5_released": "Extract the state_dict of a released YOLOv5 (docs/workflow.md tells how).",
    "timm": "Download the model's weights, such as model.safetensors from its page at huggingface.co/timm.",
}


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


def read_supplied_teacher(settings: ReleasedTResNet | ReleasedYOLO | TimmTeacher) -> tuple[AnyTeacher, list[str]]:
    """Build a teacher from the file that a person has supplied; return it and the classes it detects.

    Raises: DataError if the file is missing, saying where it comes from; CheckpointError if it is another network's.
    """
    path = supplied_teacher_file(settings)
    if path is not None and not Path(path).is_file():
        raise DataError(
            f"{path} does not exist. {HELP[settings.kind]} Place it there, or change `teachers` in params.yaml."
        )
    if isinstance(settings, ReleasedTResNet):
        return load_openimages_teacher(settings.path), []
    if isinstance(settings, ReleasedYOLO):
        return load_coco_teacher(settings.path, settings.size), coco_classes()
    teacher = BackboneTeacher.build(settings.model, reduction=settings.reduction)
    if path is not None:
        read_backbone(path, teacher)
    return teacher, []
