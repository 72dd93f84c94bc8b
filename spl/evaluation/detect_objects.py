"""Detection of objects in filled or uncorrupted images (paper sections 1 and 4.2)."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pandas as pd
import torch
import torch.nn.functional as F
from torch import Tensor

from spl.common.errors import DataError
from spl.common.files import atomic
from spl.common.progress import progress
from spl.common.shards import resumable_folder
from spl.common.tables import read_table
from spl.config.base import counted
from spl.config.teachers import TorchvisionDetector
from spl.data.stored import FilledImages, PreparedImages
from spl.detection.boxes import Detections
from spl.detection.occlusion import BOX
from spl.steps.records import require_current, take, write_record
from spl.steps.settings import GROUND_TRUTH, DetectionSettings
from spl.teachers.build import detected_classes, load_teacher
from spl.teachers.yolov5 import STRIDES, YOLOv5Teacher
from spl.tensors.compositing import to_image
from spl.weights.files import read_state
from spl.weights.fit import fill

COLUMNS = ["image", "label", "score", *BOX]

Detect = Callable[[Tensor], Detections]
"""image (3, H, W) in [0, 1] -> its objects, boxes in pixels of the image."""

Detector = tuple[Detect, list[str], Path]
"""A detector, the names of its labels and the file of its weights."""


def detect_objects(
    settings: DetectionSettings, *, pairs: Path, images: Path, results: Path, folder: Path, device: torch.device
) -> None:
    """Write a row for every object found in the uncorrupted images, and in those that runs of methods have filled.

    `folder` gets ground_truth.csv, a table for each method, and record.json, at once or not at all; a killed call keeps
    the tables that it has finished. Boxes are in pixels of the prepared image.
    Raises: DataError if the detector's weights are missing.
    """
    torch.set_num_threads(settings.threads)
    detect, classes, weights = load_detector(settings, results, device)
    per_image = {m: results / f"eval/{settings.dataset}/{m}/seed{s}/per_image.csv" for m, s in settings.seeds.items()}
    inputs = take(detector=weights, pairs=pairs, images=images, **per_image)
    truth = PreparedImages(images, names=read_table(pairs)["image"].unique())
    key = [counted(settings), {name: file["sha256"] for name, file in inputs.items()}, str(device)]
    with resumable_folder(folder, key, inputs=(pairs, images, weights)) as temporary:
        outputs = {name: temporary / f"{name}.csv" for name in (GROUND_TRUTH, *per_image)}
        for name, table in outputs.items():
            if not table.exists():
                filled = FilledImages(per_image[name]) if name in per_image else None
                rows = _find(detect, classes, truth, filled, device)
                with atomic(table) as partial:
                    pd.DataFrame(rows, columns=COLUMNS).to_csv(partial, index=False)
        write_record(temporary / "record.json", settings, inputs, outputs, device=str(device))


def _find(
    detect: Detect, classes: list[str], truth: PreparedImages, filled: FilledImages | None, device: torch.device
) -> Iterator[tuple[str | float, ...]]:
    """Yield a row for every object in the filled images, or in the uncorrupted ones."""
    for i in progress(range(len(truth)), what="detect", unit="image"):
        name = truth.name(i)
        found = detect(to_image(filled.pixels(name) if filled else truth.pixels(i)).to(device))
        for box, score, label in zip(found.boxes.tolist(), found.scores.tolist(), found.labels.tolist(), strict=True):
            yield (name, classes[label], round(score, 4), *(round(side, 2) for side in box))


def load_detector(settings: DetectionSettings, results: Path, device: torch.device) -> Detector:
    """Return the detector of the settings.

    Raises: DataError if its weights are missing; RecordError if they were made with other settings.
    """
    if isinstance(settings.detector, TorchvisionDetector):
        return _load_torchvision(settings.detector, settings.min_score, device)
    weights = results / f"teachers/{settings.detector.teacher}/weights.safetensors"
    require_current(weights.parent / "run.json", settings.detector, {})
    teacher = load_teacher(settings.detector.network, weights).to(device)
    assert isinstance(teacher, YOLOv5Teacher)

    def detect(image: Tensor) -> Detections:
        """Double the image, as in training, on a gray canvas whose sides are multiples of the coarsest stride."""
        large = F.interpolate(image[None], scale_factor=2, mode="bilinear", align_corners=False)
        height, width = large.shape[2:]
        canvas = F.pad(large, (0, -width % STRIDES[-1], 0, -height % STRIDES[-1]), value=0.5)
        found = teacher.detect(canvas, min_score=settings.min_score)[0]
        return found.clipped(height=height, width=width).scaled(0.5)

    return detect, detected_classes(weights), weights


def _load_torchvision(detector: TorchvisionDetector, min_score: float, device: torch.device) -> Detector:
    path = Path(detector.path)
    if not path.is_file():
        raise DataError(
            f"{path} does not exist: objects are found by torchvision's {detector.model}. Fetch "
            f"https://download.pytorch.org/models/{path.name} and place it there, or change `detection` in params.yaml."
        )
    import torchvision  # takes seconds

    network = torchvision.models.get_model(detector.model, weights=None, weights_backbone=None)
    fill(network, read_state(path), source=str(path), layout="torchvision's")
    network.to(device).eval()
    categories = torchvision.models.get_model_weights(detector.model)["DEFAULT"].meta["categories"]

    @torch.no_grad()
    def detect(image: Tensor) -> Detections:
        found = network([image])[0]
        counts = found["scores"] >= min_score
        return Detections(found["boxes"][counts], found["scores"][counts], found["labels"][counts])

    return detect, categories, path
