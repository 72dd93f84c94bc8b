"""Making the teacher: trained on the pretext set through the common loop, or converted from its release."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import nn

from spl.config import ReleasedTeacher, TrainedTeacher
from spl.data.pretext import PretextPictures, PretextStream
from spl.data.sources import raw_folder
from spl.errors import RecordError
from spl.files import canonical_json, read_json, sha256
from spl.records import write_record
from spl.settings import TeacherSettings
from spl.teachers.asl import mean_average_precision
from spl.teachers.tresnet import TResNetTeacher, build_classifier, load_openimages_teacher
from spl.training.checkpoint import claim
from spl.training.distributed import World
from spl.training.loop import Plan, train
from spl.training.methods.teacher import TeacherMethod
from spl.training.run import CHECKPOINTS
from spl.versions import versions
from spl.weights.files import save_weights


def make_teacher(
    settings: TeacherSettings, source: Path, folder: Path, *, world: World, should_stop: Callable[[int], bool]
) -> bool:
    """Write the teacher's weights.safetensors and run.json to `folder`; `source` is what the fetch has recorded.

    Returns: whether training came to its end.
    """
    teacher = settings.teacher
    if isinstance(teacher, ReleasedTeacher):
        _publish(settings, _released(source), source, folder, origin=teacher.path)
        return True
    with claim(CHECKPOINTS / "teacher", world):
        trained = _train(settings, teacher, raw_folder(source), world, should_stop)
        if trained is None:
            return False
        network, facts = trained
        _publish(settings, network, source, folder, **facts)
        shutil.rmtree(CHECKPOINTS / "teacher")
        return True


def _released(source: Path) -> TResNetTeacher:
    record = read_json(source)
    if sha256(record["weights"]) != record["sha256"]:
        raise RecordError(
            f"{record['weights']} has changed since it was recorded. Record it again: "
            f"snakemake --cores all --force -- {source}"
        )
    return load_openimages_teacher(record["weights"])


def _train(
    settings: TeacherSettings, teacher: TrainedTeacher, folder: Path, world: World, should_stop: Callable[[int], bool]
) -> tuple[TResNetTeacher, dict[str, Any]] | None:
    torch.manual_seed(settings.seed)
    training = teacher.training
    pictures = PretextPictures(folder, "train", image_size=teacher.image_size)
    network = build_classifier(layers=teacher.layers, width_factor=teacher.width, num_classes=len(pictures.classes))
    network.to(world.device).train()
    optimizer = torch.optim.Adam(network.parameters(), lr=training.lr)
    plan = Plan(
        settings=canonical_json({"settings": settings.model_dump(mode="json")}),
        product="classifier",
        batch_size=training.batch_size,
        epochs=training.epochs,
        decay=training.decay,
        ema=None,
    )
    stream = PretextStream(pictures, batch_size=training.batch_size, seed=settings.seed)
    method = TeacherMethod(network, optimizer, teacher.loss)
    outcome = train(method, stream, plan, CHECKPOINTS / "teacher", world=world, should_stop=should_stop)
    if outcome is None:
        return None
    validation = PretextPictures(folder, "val", image_size=teacher.image_size)
    facts = {
        "classes": pictures.classes,
        "validation_map": round(_validate(network, validation, world.device), 4),
        "steps": outcome.steps,
        "images_seen": outcome.images_seen,
        "seconds": round(outcome.seconds, 1),
        "losses": outcome.losses,
    }
    return TResNetTeacher.from_classifier(network), facts


@torch.no_grad()
def _validate(network: nn.Module, pictures: PretextPictures, device: torch.device) -> float:
    """Return the mean average precision over the classes."""
    network.eval()
    logits = [network(pictures.picture(i)[None].to(device))[0] for i in range(len(pictures))]
    return mean_average_precision(torch.stack(logits).cpu(), pictures.targets)


def _publish(settings: TeacherSettings, network: TResNetTeacher, source: Path, folder: Path, **facts: object) -> None:
    save_weights(network.state_dict(), folder / "weights.safetensors")
    digest = sha256(folder / "weights.safetensors")
    inputs = {"source": sha256(source)}
    write_record(folder / "run.json", settings, inputs, weights_sha256=digest, **facts, versions=versions())
