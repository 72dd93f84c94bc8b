"""Teachers from the files that a person has supplied."""

from pathlib import Path

from spl.common.errors import DataError
from spl.config.teachers import ReleasedTResNet, ReleasedYOLO, TimmTeacher
from spl.released.layouts.tresnet import load_released_tresnet
from spl.released.layouts.yolov5 import load_released_yolov5
from spl.steps.settings import supplied_teacher_file
from spl.teachers.backbone import BackboneTeacher, read_backbone
from spl.teachers.build import AnyTeacher
from spl.teachers.tresnet import TResNetTeacher
from spl.teachers.yolov5 import COCO_SIDE, COCO_SIZES, YOLOv5Teacher, build_yolov5, coco_classes


def load_openimages_teacher(path: str | Path) -> TResNetTeacher:
    """Read the released `Open_ImagesV6_TRresNet_L_448.pth` and keep its trunk (2,578,192 parameters).

    Raises: CheckpointError if the file is not that network.
    """
    teacher = TResNetTeacher.build(layers=(4, 5), width_factor=1.2)
    load_released_tresnet(path, teacher)
    return teacher


def load_coco_teacher(path: str | Path, size: str) -> YOLOv5Teacher:
    """Read the state dict of a released YOLOv5 of one of `COCO_SIZES`, trained on the 80 classes of COCO.

    Raises: CheckpointError if the file is not that network.
    """
    depth, width = COCO_SIZES[size]
    detector = build_yolov5(depth=depth, width=width, num_classes=80, side=COCO_SIDE)
    load_released_yolov5(path, detector)
    return YOLOv5Teacher(detector)


HELP = {
    "tresnet_released": "Download Open_ImagesV6_TRresNet_L_448.pth (TResNet-L, Open Images, from the model zoo of "
    "Ben-Baruch et al. 2020).",
    "yolov5_released": "Extract the state_dict of a released YOLOv5 (docs/workflow.md tells how).",
    "timm": "Download the model's weights, such as model.safetensors from its page at huggingface.co/timm.",
}


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
