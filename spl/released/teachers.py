"""Teachers from the files that a person has supplied."""

from pathlib import Path

from spl.common.errors import DataError
from spl.config.teachers import ReleasedTResNet, ReleasedYOLO, TimmTeacher
from spl.released.layouts.tresnet import with_plain_norms
from spl.released.load import fill_released
from spl.steps.settings import supplied_teacher_file
from spl.teachers.backbone import BackboneTeacher, read_backbone
from spl.teachers.build import build_teacher
from spl.teachers.frozen import FrozenTeacher
from spl.teachers.yolov5 import YOLOv5Teacher, coco_classes
from spl.weights.files import read_state
from spl.weights.layouts import Layout

HELP = {
    "tresnet_released": "Download Open_ImagesV6_TRresNet_L_448.pth (TResNet-L, Open Images, from the model zoo of "
    "Ben-Baruch et al. 2020).",
    "yolov5_released": "Extract the state_dict of a released YOLOv5 (docs/workflow.md tells how).",
    "timm": "Download the model's weights, such as model.safetensors from its page at huggingface.co/timm.",
}


def read_supplied_teacher(settings: ReleasedTResNet | ReleasedYOLO | TimmTeacher) -> tuple[FrozenTeacher, list[str]]:
    """Build a teacher from the file that a person has supplied; return it and the classes it detects.

    Raises: DataError if the file is missing, saying where it comes from; CheckpointError if it is another network's.
    """
    path = supplied_teacher_file(settings)
    if path is not None and not Path(path).is_file():
        raise DataError(
            f"{path} does not exist. {HELP[settings.kind]} Place it there, or change `teachers` in params.yaml."
        )
    classes = coco_classes() if isinstance(settings, ReleasedYOLO) else []
    teacher = build_teacher(settings, classes=len(classes))
    if path is None:  # fresh weights
        return teacher, classes
    if isinstance(teacher, BackboneTeacher):
        read_backbone(path, teacher)
    elif isinstance(teacher, YOLOv5Teacher):
        fill_released(teacher.detector, Layout.YOLOV5, read_state(path), source=path)
    else:
        fill_released(teacher, Layout.TRESNET, with_plain_norms(read_state(path)), source=path)
    return teacher, classes
