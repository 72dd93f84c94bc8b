"""One training run: from settings to weights, with its record."""

import shutil
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor, nn

from spl.common.files import atomic, canonical_json
from spl.common.tables import read_table
from spl.config.base import counted
from spl.config.methods import RECIPES, TrainedMethod
from spl.data.images import decode_rgb
from spl.data.stored import read_listed
from spl.models.build import as_inpainter
from spl.models.ec import canny_edges_of
from spl.steps.records import Inputs, require_current, take, write_record
from spl.steps.settings import RunSettings, TeacherSettings
from spl.teachers.build import fit_teacher, load_teacher
from spl.teachers.frozen import FrozenTeacher
from spl.teachers.perception import load_feature_extractor, require_vgg
from spl.tensors.compositing import composite, mask_out, quantise
from spl.tensors.device import arithmetic
from spl.tensors.loaders import ExtraTarget, InpaintingStream
from spl.training.build import build_method
from spl.training.checkpoint import lock_run
from spl.training.context import TrainingContext
from spl.training.distributed import World
from spl.training.loop import Outcome, Plan, train
from spl.weights.files import save_weights

CHECKPOINTS = Path("checkpoints")
SAMPLES = 6
"""Training samples shown in samples.png."""
SCALED_BY = 64
"""Training samples that the features of a teacher of unknown scale are standardised over."""


class Sources(NamedTuple):
    """The files a run reads; which of the last three depends on its settings."""

    images: Path
    """Manifest of prepared images."""
    masks: Path
    """Table of masks."""
    teachers: Path
    """Folder of the pretext networks."""
    structure: Path
    """Folder of smoothed training images."""

    def take(self, run: RunSettings) -> Inputs:
        """Return every file that decides the run, for its record."""
        files = {"images": self.images, "masks": self.masks}
        files |= {f"teacher {name}": self.weights_of_teacher(name) for name in run.teachers}
        if run.structure:
            files["structure"] = self.structure / "manifest.csv"
        if vgg := run.vgg_file():
            files["vgg"] = require_vgg(Path(vgg))
        return take(**files)

    def weights_of_teacher(self, name: str) -> Path:
        """Return the file with a teacher's weights."""
        return self.teachers / name / "weights.safetensors"


def train_method(
    run: RunSettings,
    sources: Sources,
    *,
    folder: Path,
    world: World,
    workers: int,
    should_stop: Callable[[int], bool] = lambda step: False,
) -> bool:
    """Train one method on one dataset and publish weights.safetensors, run.json, log.csv and samples.png.

    Resumes from checkpoints/<dataset>/<method>/seed<seed>, which is removed at the end.
    Returns: whether training came to its end.
    """
    recipe = run.recipe
    assert isinstance(recipe, TrainedMethod)
    assert run.threads is not None
    torch.set_num_threads(run.threads)
    inputs = sources.take(run)
    teacher, perceptual = (_load_teacher(known, sources, world.device) for known in (run.teacher, run.perceptual))
    torch.manual_seed(run.seed)
    training = recipe.training
    stream = InpaintingStream(
        sources.images,
        sources.masks,
        image_size=run.image_size,
        batch_size=training.batch_size,
        flip=training.flip,
        seed=run.seed,
        name=run.dataset,
        extra_target=_extra_target(run, sources, inputs),
    )
    context = TrainingContext(
        world=world,
        image_size=run.image_size,
        steps_per_epoch=stream.steps_per_epoch,
        seed=run.seed,
        teacher=teacher,
        extract_features=load_feature_extractor(run, perceptual, world.device),
        parts=training.parts,
    )
    learnt_from = {"teacher": (run.teacher, teacher), "perceptual": (run.perceptual, perceptual)}
    scales = {
        use: fit_teacher(known.network, network, partial(_first_images, stream, world))
        for use, (known, network) in learnt_from.items()
        if isinstance(known, TeacherSettings) and network
    }
    method = build_method(recipe, context)
    plan = Plan(
        settings=canonical_json([counted(run), {name: file["sha256"] for name, file in inputs.items()}]),
        product="generator",
        batch_size=training.batch_size,
        epochs=training.epochs,
        decay=training.decay,
        ema=training.ema,
        kept=training.kept_epochs,
    )
    state = CHECKPOINTS / run.dataset / run.method / f"seed{run.seed}"
    image, mask = (tensor.to(world.device) for tensor in sample_batch(stream))
    with lock_run(state, world):
        outcome = train(
            method, stream, plan, state, world=world, workers=workers, should_stop=should_stop,
            on_save=lambda generator: save_samples(generator, image, mask, state / "samples.png"),
            on_keep=lambda generator, epoch: save_weights(generator.state_dict(), state / f"epoch{epoch}.safetensors"),
        )  # fmt: skip
        if outcome is not None and world.is_main:
            facts = {"teacher_channels": context.teacher_channels, "processes": world.size}
            facts |= arithmetic(world.device, training.precision)
            facts |= {f"{use}_scale": scale for use, scale in scales.items() if scale}
            publish(outcome, run, inputs, state, folder, facts)
    return outcome is not None


def _load_teacher(settings: object, sources: Sources, device: torch.device) -> FrozenTeacher | None:
    """Load a pretext network if the settings are of one, and if it is the one that they describe."""
    if not isinstance(settings, TeacherSettings):
        return None
    weights = sources.weights_of_teacher(settings.teacher)
    require_current(weights.parent / "run.json", settings, {})
    return load_teacher(settings.network, weights).to(device)


def _extra_target(run: RunSettings, sources: Sources, inputs: Inputs) -> ExtraTarget | None:
    """Return the third part of every sample, if the recipe learns from one: smoothed image or edges."""
    match RECIPES[run.recipe.recipe].extra_target:
        case "structure":
            assert run.structure is not None
            require_current(sources.structure / "record.json", run.structure, {"images": inputs["images"]})
            manifest = sources.structure / "manifest.csv"
            listed = read_table(manifest)
            hashes = dict(zip(listed["file"], listed["sha256"], strict=True))
            return lambda file, _: decode_rgb(read_listed(manifest.parent / file, hashes[file], manifest), Path(file))
        case "edges":
            return lambda file, image: canny_edges_of(image)
        case None:
            return None


def _first_images(stream: InpaintingStream, world: World) -> Iterator[Tensor]:
    """Yield the first training images (1, 3, H, W): the same ones for every resumed run, and on every GPU."""
    return (stream[i][0][None].to(world.device) for i in range(SCALED_BY))


def sample_batch(stream: InpaintingStream) -> tuple[Tensor, Tensor]:
    """Return image and mask of the first training samples."""
    samples = [stream[i] for i in range(SAMPLES)]
    return torch.stack([sample[0] for sample in samples]), torch.stack([sample[1] for sample in samples])


def publish(
    outcome: Outcome, run: RunSettings, inputs: Inputs, state: Path, folder: Path, facts: dict[str, Any]
) -> None:
    """Write a finished run's files, the record last, and drop its resume state."""
    save_weights(outcome.weights, folder / "weights.safetensors")
    outputs = {"weights": folder / "weights.safetensors", "log": folder / "log.csv", "samples": folder / "samples.png"}
    assert isinstance(run.recipe, TrainedMethod)
    for epoch in run.recipe.training.kept_epochs:
        if not (kept := state / f"epoch{epoch}.safetensors").exists():  # named since the training was there
            continue
        with atomic(file := folder / f"epoch{epoch}/weights.safetensors") as temporary:
            shutil.copyfile(kept, temporary)
        write_record(file.with_name("run.json"), run, inputs, {"weights": file}, **facts)
    for file in (outputs["log"], outputs["samples"]):
        with atomic(file) as temporary:
            shutil.copyfile(state / file.name, temporary)
    write_record(
        folder / "run.json",
        run,
        inputs,
        outputs,
        steps=outcome.steps,
        images_seen=outcome.images_seen,
        seconds=round(outcome.seconds, 1),
        losses=outcome.losses,
        **facts,
    )
    shutil.rmtree(state)


@torch.no_grad()
def save_samples(generator: nn.Module, image: Tensor, mask: Tensor, path: Path) -> None:
    """Draw a column per sample: input, output, composited, image. Shapes: image (B, 3, H, W), mask (B, 1, H, W)."""
    was_training = generator.training
    output = as_inpainter(generator)(image, mask)
    generator.train(was_training)
    rows = [mask_out(image, mask, fill=1.0), output, composite(output, image, mask), image]
    # Row after row, each image with a white rim of one pixel.
    grid = F.pad(quantise(torch.stack(rows)), (1, 1, 1, 1), value=255)  # (4, B, 3, H + 2, W + 2)
    grid = grid.permute(0, 3, 1, 4, 2).flatten(2, 3).flatten(0, 1)  # (4 (H + 2), B (W + 2), 3)
    with atomic(path) as temporary:
        Image.fromarray(grid.cpu().numpy()).save(temporary)
