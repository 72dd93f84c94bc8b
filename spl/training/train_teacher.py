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
from spl.config.teachers import RandomTResNet, TrainedTeacher, TrainedTResNet, TrainedYOLO
from spl.data.stored import read_listed
from spl.detection.average_precision import mean_average_precision
from spl.released.teachers import read_supplied_teacher
from spl.sources.listing import listing_of, raw_folder
from spl.steps.records import Inputs, take, write_record
from spl.steps.settings import TeacherSettings, supplied_teacher_file
from spl.teachers.asl import label_mean_average_precision
from spl.teachers.build import build_teacher
from spl.teachers.tresnet import TResNetTeacher, build_classifier
from spl.teachers.yolov5 import YOLOv5Teacher, build_yolov5
from spl.tensors.loaders import SampleStream
from spl.tensors.pretext import PretextImages, PretextStream
from spl.tensors.pretext_boxes import BoxedImages, BoxedStream
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
    """A pretext network and its task."""

    network: nn.Module
    method: Method
    stream: SampleStream
    classes: list[str]
    validate: Callable[[], float]
    """() -> mean average precision on the validation images."""
    freeze: Callable[[], nn.Module]
    """() -> the teacher in the trained network."""


def make_teacher(
    settings: TeacherSettings, source: Path, folder: Path, *, world: World, should_stop: Callable[[int], bool]
) -> bool:
    """Write a teacher's weights.safetensors and run.json to `folder`; `source` records the labelled images.

    Returns: whether training came to its end.
    """
    teacher = settings.network
    if isinstance(teacher, RandomTResNet):
        torch.manual_seed(settings.seed)
        _publish(settings, build_teacher(teacher), {}, folder)
        return True
    if not isinstance(teacher, TrainedTeacher):
        network, classes = read_supplied_teacher(teacher)
        file = supplied_teacher_file(teacher)
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
        _publish(settings, network, inputs, folder, device=world.device.type, **facts)
        shutil.rmtree(state)
        return True


def _train(
    settings: TeacherSettings,
    teacher: TrainedTeacher,
    images: Path,
    state: Path,
    world: World,
    should_stop: Callable[[int], bool],
) -> tuple[nn.Module, dict[str, Any]] | None:
    assert settings.threads is not None
    torch.set_num_threads(settings.threads)
    torch.manual_seed(settings.seed)
    training = teacher.training
    task = TASKS[teacher.kind](settings.seed, teacher, images, world)
    plan = Plan(
        settings=canonical_json(counted(settings)),
        product=next(iter(task.method.networks)),
        batch_size=training.batch_size,
        epochs=training.epochs,
        decay=training.decay,
        ema=None,
    )
    outcome = train(task.method, task.stream, plan, state, world=world, should_stop=should_stop)
    if outcome is None:
        return None
    task.network.eval()
    facts = {
        "classes": task.classes,
        "validation_map": round(task.validate(), 4),
        "steps": outcome.steps,
        "images_seen": outcome.images_seen,
        "seconds": round(outcome.seconds, 1),
        "losses": outcome.losses,
    }
    return task.freeze(), facts


def _classification(seed: int, teacher: TrainedTResNet, folder: Path, world: World) -> Task:
    """Build the task of classification: TResNet with the asymmetric loss."""
    images = PretextImages(folder, "train", image_size=teacher.image_size)
    network = build_classifier(layers=teacher.layers, width_factor=teacher.width, num_classes=len(images.classes))
    network.to(world.device).train()
    optimizer = torch.optim.Adam(network.parameters(), lr=teacher.training.lr)

    @torch.no_grad()
    def validate() -> float:
        unseen = PretextImages(folder, "val", image_size=teacher.image_size)
        logits = [network(unseen.image(i)[None].to(world.device))[0] for i in range(len(unseen))]
        return label_mean_average_precision(torch.stack(logits).cpu(), unseen.targets)

    return Task(
        network,
        TeacherMethod(network, optimizer, teacher.loss),
        PretextStream(images, batch_size=teacher.training.batch_size, seed=seed),
        images.classes,
        validate,
        lambda: TResNetTeacher.from_classifier(network),
    )


def _detection(seed: int, teacher: TrainedYOLO, folder: Path, world: World) -> Task:
    """Build the task of detection: YOLOv5."""
    images = BoxedImages(folder, "train", image_size=teacher.image_size)
    classes, side = len(images.classes), 2 * teacher.image_size
    network = build_yolov5(depth=teacher.depth, width=teacher.width, num_classes=classes, side=side)
    network.suit_anchors(images.sizes())
    network.to(world.device).train()
    optimizer = torch.optim.Adam(network.parameters(), lr=teacher.training.lr)

    def validate() -> float:
        unseen = BoxedImages(folder, "val", image_size=teacher.image_size)
        shown = [unseen.image(i)[None].to(world.device) for i in range(len(unseen))]
        found = [network.detect(image, min_score=LEAST_SCORE)[0] for image in shown]
        references = [unseen.objects(i) for i in range(len(unseen))]
        return mean_average_precision(references, found, num_classes=classes)

    return Task(
        network,
        YOLOv5Method(network, optimizer, teacher.loss),
        BoxedStream(images, batch_size=teacher.training.batch_size, seed=seed),
        images.classes,
        validate,
        lambda: YOLOv5Teacher(network),
    )


TASKS: dict[str, Callable[..., Task]] = {"tresnet": _classification, "yolov5": _detection}
"""By the teacher's kind: (seed, teacher, folder of labelled images, world)."""


def _publish(settings: TeacherSettings, network: nn.Module, inputs: Inputs, folder: Path, **facts: object) -> None:
    save_weights(network.state_dict(), folder / "weights.safetensors")
    write_record(folder / "run.json", settings, inputs, {"weights": folder / "weights.safetensors"}, **facts)
