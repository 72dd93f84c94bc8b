"""One training run: from settings to weights, with its record."""

import shutil
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor, nn

from spl.weights.files import save_weights
from spl.compositing import composite, mask_out
from spl.config import RNRecipe, SPLRecipe, TrainedRecipe
from spl.data.loaders import InpaintingStream
from spl.evaluation.metrics import quantise
from spl.files import atomic, canonical_json, sha256
from spl.models.build import as_inpainter, build_generator
from spl.models.discriminator import PatchDiscriminator
from spl.models.rn import initialise_rn
from spl.records import require_current, write_record
from spl.settings import RunSettings
from spl.training.checkpoint import claim
from spl.training.distributed import World
from spl.training.loop import Method, Outcome, Plan, train
from spl.training.methods.rn import RNLosses, RNMethod
from spl.training.methods.spl import SPLLosses, SPLMethod
from spl.versions import versions

CHECKPOINTS = Path("checkpoints")
SAMPLES = 6
"""Training samples shown in samples.png."""


def train_method(
    run: RunSettings,
    *,
    images: Path,
    masks: Path,
    teacher: Path,
    folder: Path,
    world: World,
    workers: int,
    should_stop: Callable[[int], bool] = lambda step: False,
) -> bool:
    """Train one method on one dataset and publish weights.safetensors, run.json, log.csv and samples.png.

    Reads the manifest of prepared `images`, the table of `masks` and, where the recipe needs it, the `teacher`'s
    weights. Resumes from checkpoints/<dataset>/<method>, which is removed at the end.
    Returns: whether training came to its end.
    """
    recipe = run.recipe
    assert isinstance(recipe, TrainedRecipe)
    inputs = {"images": sha256(images), "masks": sha256(masks)}
    if run.teacher:
        inputs["teacher"] = sha256(teacher)
        require_current(teacher.parent / "run.json", run.teacher, {})
    torch.manual_seed(run.seed)
    training = recipe.training
    stream = InpaintingStream(
        images, masks, image_size=run.image_size, batch_size=training.batch_size, flip=training.flip,
        seed=run.seed, name=run.dataset,
    )  # fmt: skip
    frozen, teacher_channels = None, 1
    if run.teacher:
        from spl.teachers.build import load_teacher  # here, since timm takes seconds to import

        frozen = load_teacher(run.teacher.teacher, teacher).to(world.device)
        teacher_channels = frozen.channels
    method = build_method(recipe, frozen, teacher_channels, stream.steps_per_epoch, world)
    plan = Plan(
        settings=canonical_json({"settings": run.model_dump(mode="json"), "inputs": inputs}),
        product="generator",
        batch_size=training.batch_size,
        epochs=training.epochs,
        decay=training.decay,
        ema=training.ema,
    )
    state = CHECKPOINTS / run.dataset / run.method
    images_shown, masks_shown = zip(*(stream[i] for i in range(SAMPLES)), strict=True)
    shown = torch.stack(images_shown).to(world.device), torch.stack(masks_shown).to(world.device)
    with claim(state, world):
        outcome = train(
            method, stream, plan, state, world=world, workers=workers, should_stop=should_stop,
            on_save=lambda generator: save_samples(generator, *shown, state / "samples.png"),
        )  # fmt: skip
        if outcome is not None and world.is_main:
            record = {"teacher_channels": teacher_channels, "processes": world.size, "device": world.device.type}
            publish(outcome, run, inputs, state, folder, record)
    return outcome is not None


def build_method(
    recipe: SPLRecipe | RNRecipe, teacher: nn.Module | None, teacher_channels: int, steps_per_epoch: int, world: World
) -> Method:
    """Build networks, optimizers and the step of a recipe, on this process's device."""
    training = recipe.training
    generator = build_generator(recipe, teacher_channels=teacher_channels)
    discriminator = PatchDiscriminator(width=recipe.model.width)
    if isinstance(recipe, RNRecipe):
        initialise_rn(discriminator)
    for network in (generator, discriminator):
        network.to(world.device).to(memory_format=torch.channels_last).train()  # a fifth faster, on CPUs too
    adam = partial(torch.optim.Adam, betas=training.betas, fused=True)
    shared: dict[str, Any] = {
        "generator": world.distribute(generator),
        "discriminator": world.distribute(discriminator),
        "optimizers": {
            "generator": adam(generator.parameters(), lr=training.lr),
            "discriminator": adam(discriminator.parameters(), lr=training.lr_discriminator),
        },
        "autocast": _autocast(training.precision, world.device),
    }
    if isinstance(recipe, RNRecipe):
        return RNMethod(losses=RNLosses(recipe.losses.lambda_img, recipe.losses.lambda_adv), **shared)
    losses = SPLLosses(
        lambda_img=recipe.losses.lambda_img,
        lambda_adv=recipe.losses.lambda_adv,
        lambda_prior=recipe.losses.lambda_prior,
        alpha=recipe.losses.alpha,
        delta=recipe.losses.delta,
        discriminator_reduction=recipe.losses.discriminator,
    )
    prior_epochs = recipe.training.prior_epochs
    prior_steps = None if prior_epochs is None else prior_epochs * steps_per_epoch
    return SPLMethod(teacher=teacher, losses=losses, prior_steps=prior_steps, **shared)


def publish(
    outcome: Outcome, run: RunSettings, inputs: dict[str, str], state: Path, folder: Path, facts: dict[str, Any]
) -> None:
    """Write a finished run's files, the record last, and drop its resume state."""
    save_weights(outcome.weights, folder / "weights.safetensors")
    for name in ("log.csv", "samples.png"):
        with atomic(folder / name) as temporary:
            shutil.copyfile(state / name, temporary)
    write_record(
        folder / "run.json",
        run,
        inputs,
        weights_sha256=sha256(folder / "weights.safetensors"),
        steps=outcome.steps,
        images_seen=outcome.images_seen,
        seconds=round(outcome.seconds, 1),
        losses=outcome.losses,
        versions=versions(),
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
    # Row after row, each picture with a white rim of one pixel.
    grid = F.pad(quantise(torch.stack(rows)), (1, 1, 1, 1), value=255)  # (4, B, 3, H + 2, W + 2)
    grid = grid.permute(0, 3, 1, 4, 2).flatten(2, 3).flatten(0, 1)  # (4 (H + 2), B (W + 2), 3)
    with atomic(path) as temporary:
        Image.fromarray(grid.cpu().numpy()).save(temporary)


def _autocast(precision: str, device: torch.device) -> Callable[[], AbstractContextManager]:
    return partial(torch.autocast, device.type, torch.bfloat16) if precision == "bf16" else nullcontext
