"""Detection of objects in filled or uncorrupted images (paper sections 1 and 4.2)."""

from collections.abc import Callable
from pathlib import Path

import pandas as pd
import torch
import torch.nn.functional as F
import torchvision
from torch import Tensor

from spl.common.errors import DataError
from spl.common.files import atomic
from spl.common.progress import progress
from spl.common.tables import read_table
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
    settings: DetectionSettings, *, pairs: Path, images: Path, results: Path, out: Path, device: torch.device
) -> None:
    """Write a row for every object found in the images that a method's run has filled, or in the uncorrupted ones.

    Boxes are in pixels of the prepared image. Raises: DataError if the detector's weights are missing.
    """
    torch.set_num_threads(settings.threads)
    detect, classes, weights = load_detector(settings, results, device)
    evaluation = settings.at(results / "eval/{dataset}/{method}/seed{seed}")
    inputs, filled = take(detector=weights, pairs=pairs, images=images), None
    if settings.method != GROUND_TRUTH:
        inputs |= take(per_image=evaluation / "per_image.csv")
        filled = FilledImages(evaluation / "per_image.csv")
    rows = []
    names = read_table(pairs)["image"].unique()
    truth = PreparedImages(images, names=names)
    for i, name in enumerate(progress(names, what="detect", unit="image")):
        pixels = filled.pixels(name) if filled else truth.pixels(i)
        found = detect(to_image(pixels).to(device))
        for box, score, label in zip(found.boxes.tolist(), found.scores.tolist(), found.labels.tolist(), strict=True):
            rows.append((name, classes[label], round(score, 4), *(round(side, 2) for side in box)))
    with atomic(out) as temporary:
        pd.DataFrame(rows, columns=COLUMNS).to_csv(temporary, index=False)
    write_record(out.with_suffix(".json"), settings, inputs, {"objects": out}, objects=len(rows), device=str(device))


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
