"""One evaluation: check what is about to be measured, measure it, record it."""

from functools import partial
from pathlib import Path

import torch

from spl.common.errors import RecordError, again
from spl.common.files import replace_folder
from spl.common.shards import resumable_folder
from spl.config.base import counted
from spl.config.methods import ClassicalFill, ExternalFill, LimitedFill, SPLRecipe
from spl.evaluation.external import measure_folder
from spl.evaluation.per_image import evaluate
from spl.evaluation.plausible import implausible
from spl.models.build import as_inpainter, load_method
from spl.models.classical import classical_inpainter
from spl.steps.records import Inputs, read_record, require_current, take, write_record
from spl.steps.settings import EvaluationSettings, RunSettings
from spl.teachers.oracle import load_oracle
from spl.tensors.device import in_one_thread
from spl.tensors.loaders import TestPairs


def evaluate_method(
    settings: EvaluationSettings,
    *,
    pairs: Path,
    images: Path,
    masks: Path,
    weights: Path,
    folder: Path,
    device: torch.device,
    workers: int = 1,
    paper_psnr: float | None = None,
) -> None:
    """Evaluate one method on one dataset's pairs.

    Reads the published `pairs`, the manifest of prepared `images`, the table of `masks` and, for a trained method,
    the folder `weights` (weights.safetensors, run.json); writes per_image.csv, composited/ and record.json. `folder`
    appears at once or not at all; a killed call goes on after the last whole batch. A network far below the classical
    fills, or below `paper_psnr`, Table 1's mean over the same images, is warned of as soon as 50 images show it.
    Raises: RecordError if the weights were trained with other settings or on other data than the current ones.
    """
    run, look = settings.run, None
    torch.set_num_threads(settings.threads)
    inputs = take_pairs(pairs, images, masks)
    if isinstance(run.recipe, ExternalFill):
        _take_external(settings, run.recipe, inputs, folder, TestPairs(pairs, images, masks, image_size=run.image_size))
        return
    limit = run.recipe.images if isinstance(run.recipe, LimitedFill) else None
    test_pairs = TestPairs(pairs, images, masks, image_size=run.image_size, limit=limit)
    if isinstance(run.recipe, ClassicalFill):
        inpainter = classical_inpainter(run.recipe)
    else:
        inputs |= take_run(run, weights, inputs)
        if isinstance(run.recipe, SPLRecipe) and run.recipe.oracle:
            network = as_inpainter(load_oracle(run, weights).to(device))
        else:
            network = load_method(run.recipe, weights, image_size=run.image_size, device=device)
        inpainter = in_one_thread(network, settings.threads)
        look = partial(implausible, settings, test_pairs, weights, device=device, paper=paper_psnr)
    key = [counted(settings), {name: file["sha256"] for name, file in inputs.items()}, str(device)]
    with resumable_folder(folder, key, inputs=(pairs, images, masks, weights)) as temporary:
        evaluated = partial(evaluate, batch_size=settings.batch_size, device=device, workers=workers, look=look)
        doubts = evaluated(inpainter, test_pairs, temporary)
        outputs, facts = {"per_image": temporary / "per_image.csv"}, {"implausible": doubts} if doubts else {}
        write_record(temporary / "record.json", settings, inputs, outputs, device=str(device), **facts)


def _take_external(
    settings: EvaluationSettings, recipe: ExternalFill, inputs: Inputs, folder: Path, pairs: TestPairs
) -> None:
    """Measure what another program has filled, and keep it as if it had been filled here."""
    (source,) = map(Path, recipe.composited.values())
    with replace_folder(folder, inputs=(source,)) as temporary:
        table, told = measure_folder(source, pairs, composite=recipe.composite, keep=temporary)
        table.to_csv(temporary / "per_image.csv", index=False)
        outputs, facts = {"per_image": temporary / "per_image.csv"}, {"known_part": told, "citation": recipe.citation}
        write_record(temporary / "record.json", settings, inputs, outputs, device="external", **facts)


def take_run(run: RunSettings, weights: Path, inputs: Inputs) -> Inputs:
    """Return a finished run's weights as an input.

    Raises: RecordError if they were trained with other settings or on other data (`inputs`: among others `images` and
        `masks`) than the current ones, or are not the file that the run's record describes.
    """
    learnt_from = () if run.released else ("images", "masks")
    require_current(weights / "run.json", run, {name: inputs[name] for name in learnt_from})
    return take(weights=weights / "weights.safetensors")


def take_pairs(pairs: Path, images: Path, masks: Path) -> Inputs:
    """Return pairs, images and masks as inputs.

    Raises: RecordError if the pairs were drawn for other images or masks, or one of the three was edited since.
    """
    inputs = take(images=images, masks=masks, pairs=pairs)
    drawn_for = read_record(pairs.with_suffix(".json"))["inputs"]
    if changed := [name for name, file in drawn_for.items() if inputs[name]["sha256"] != file["sha256"]]:
        raise RecordError(
            f"{pairs} does not belong to the current {' and '.join(changed)}. Draw it again: {again(pairs)}"
        )
    return inputs
