"""Making a teacher: trained on the pretext set through the common loop, read from a supplied file, or left random."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import nn

from spl.common.files import canonical_json
from spl.common.tables import read_table
from spl.config.base import counted
from spl.config.teachers import Pixels, RandomTResNet, TrainedTeacher, TrainedTResNet, TrainedYOLO
from spl.data.stored import read_listed
from spl.detection.average_precision import mean_average_precision
from spl.sources.listing import listing_of, raw_folder
from spl.steps.records import Inputs, take, write_record
from spl.steps.settings import TeacherSettings
from spl.teachers.asl import label_mean_average_precision
from spl.teachers.build import build_teacher
from spl.teachers.tresnet import TResNet, TResNetTeacher
from spl.teachers.yolov5 import YOLOv5, YOLOv5Teacher, build_yolov5
from spl.tensors.device import arithmetic
from spl.tensors.loaders import SampleStream
from spl.tensors.pretext import PretextImages, PretextStream
from spl.tensors.pretext_boxes import BoxedImages, BoxedStream
from spl.training.adam import Adam
from spl.training.checkpoint import lock_run
from spl.training.distributed import World
from spl.training.loop import Method, Plan, train
from spl.training.methods.tresnet import TeacherMethod
from spl.training.methods.yolov5 import YOLOv5Method
from spl.training.train_method import CHECKPOINTS
from spl.weights.files import save_weights

LEAST_SCORE = 0.001
"""Detections below count for no average precision."""


class Task(NamedTuple):
    """A pretext task; `images` are its labelled images of one split."""

    images: Callable[..., Any]
    """(folder, split, image_size=) -> labelled images."""
    stream: Callable[..., SampleStream]
    """(images, batch_size=, seed=) -> their stream."""
    network: Callable[[Any, Any], nn.Module]
    """(teacher's settings, images) -> the network to train."""
    method: Callable[..., Method]
    """(network, optimizer, weights of the losses) -> its training."""
    validate: Callable[[Any, Any, torch.device], float]
    """(network, images, device) -> mean average precision."""
    freeze: Callable[[Any], nn.Module]
    """(network) -> the teacher in it."""


def make_teacher(
    settings: TeacherSettings, source: Path, folder: Path, *, world: World, should_stop: Callable[[int], bool]
) -> bool:
    """Write a teacher's weights.safetensors and run.json to `folder`; `source` records the labelled images.

    Returns: whether training came to its end.
    """
    teacher = settings.network
    torch.manual_seed(settings.seed)  # of fresh weights
    if isinstance(teacher, RandomTResNet | Pixels):
        _publish(settings, build_teacher(teacher), {}, folder)
        return True
    if not isinstance(teacher, TrainedTeacher):
        from spl.released.teachers import find_weights, read_supplied_teacher  # timm takes seconds

        file = find_weights(teacher)
        network, classes = read_supplied_teacher(teacher, file)
        _publish(settings, network, take(weights=file) if file else {}, folder, classes=classes)
        return True
    state, inputs = CHECKPOINTS / "teachers" / settings.teacher, take(pretext=source)
    with lock_run(state, world):
        images, listing = raw_folder(source), listing_of(source)
        inputs |= take(listing=listing)
        for row in read_table(listing).itertuples():
            read_listed(images / str(row.file), str(row.sha256), listing)
        trained = _train(settings, teacher, images, state, world, should_stop)
        if trained is None:
            return False
        network, facts = trained
        _publish(settings, network, inputs, folder, **arithmetic(world.device), **facts)
        shutil.rmtree(state)
        return True


def _train(
    settings: TeacherSettings,
    teacher: TrainedTeacher,
    folder: Path,
    state: Path,
    world: World,
    should_stop: Callable[[int], bool],
) -> tuple[nn.Module, dict[str, Any]] | None:
    assert settings.threads is not None
    torch.set_num_threads(settings.threads)
    training = teacher.training
    task = TASKS[teacher.kind]
    images = task.images(folder, "train", image_size=teacher.image_size)
    if isinstance(teacher, TrainedTResNet) and teacher.permuted:
        images.permute(settings.seed)
    network = task.network(teacher, images).to(world.device).train()
    method = task.method(network, Adam(network.parameters(), lr=training.lr), teacher.loss)
    stream = task.stream(images, batch_size=training.batch_size, seed=settings.seed)
    plan = Plan(
        settings=canonical_json(counted(settings)),
        product=next(iter(method.networks)),
        batch_size=training.batch_size,
        epochs=training.epochs,
        decay=training.decay,
        ema=None,
    )
    outcome = train(method, stream, plan, state, world=world, should_stop=should_stop)
    if outcome is None:
        return None
    unseen = task.images(folder, "val", image_size=teacher.image_size)
    facts = {
        "classes": images.classes,
        "validation_map": round(task.validate(network.eval(), unseen, world.device), 4),
        "steps": outcome.steps,
        "images_seen": outcome.images_seen,
        "seconds": round(outcome.seconds, 1),
        "losses": outcome.losses,
    }
    return task.freeze(network), facts


def _classifier(teacher: TrainedTResNet, images: PretextImages) -> TResNet:
    return TResNet(teacher.layers, width_factor=teacher.width, num_classes=len(images.classes))


@torch.no_grad()
def _validate_classifier(network: TResNet, images: PretextImages, device: torch.device) -> float:
    logits = [network(images.image(i)[None].to(device))[0] for i in range(len(images))]
    return label_mean_average_precision(torch.stack(logits).cpu(), images.targets)


def _detector(teacher: TrainedYOLO, images: BoxedImages) -> YOLOv5:
    classes, side = len(images.classes), 2 * teacher.image_size
    network = build_yolov5(depth=teacher.depth, width=teacher.width, num_classes=classes, side=side)
    network.refit_anchors(images.sizes())
    return network


def _validate_detector(network: YOLOv5, images: BoxedImages, device: torch.device) -> float:
    indices = range(len(images))
    found = [network.detect(images.image(i)[None].to(device), min_score=LEAST_SCORE)[0] for i in indices]
    return mean_average_precision([images.objects(i) for i in indices], found, num_classes=len(images.classes))


TASKS = {
    "tresnet": Task(
        PretextImages, PretextStream, _classifier, TeacherMethod, _validate_classifier, TResNetTeacher.from_classifier
    ),
    "yolov5": Task(BoxedImages, BoxedStream, _detector, YOLOv5Method, _validate_detector, YOLOv5Teacher),
}
"""By the teacher's kind: classification by TResNet with the asymmetric loss, or detection by YOLOv5."""


def _publish(settings: TeacherSettings, network: nn.Module, inputs: Inputs, folder: Path, **facts: object) -> None:
    save_weights(network.state_dict(), folder / "weights.safetensors")
    write_record(folder / "run.json", settings, inputs, {"weights": folder / "weights.safetensors"}, **facts)
