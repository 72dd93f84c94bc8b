"""One evaluation: check what is about to be measured, measure it, record it."""

from pathlib import Path

import torch

from spl.common.errors import RecordError
from spl.common.files import read_json, replace_folder, sha256
from spl.config.methods import BiharmonicFill, DiffusionFill
from spl.evaluation.per_image import evaluate
from spl.models.build import Inpainter, as_inpainter, load_generator
from spl.models.classical import classical_inpainter
from spl.steps.records import require_current, write_record
from spl.steps.slices import EvaluationSettings, RunSettings
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
) -> None:
    """Evaluate one method on one dataset's pairs.

    Reads the published `pairs`, the manifest of prepared `images`, the table of `masks` and, for a trained method,
    the folder `weights` (weights.safetensors, run.json); writes per_image.csv, composited/ and record.json.
    Raises: RecordError if the weights were trained with other settings or on other data than the current ones.
    """
    run = settings.run
    inputs = require_pairs(pairs, images, masks)
    inpainter: Inpainter
    if isinstance(run.recipe, DiffusionFill | BiharmonicFill):
        inpainter = classical_inpainter(run.recipe)
    else:
        inputs["weights"] = require_run(run, weights, inputs)
        inpainter = as_inpainter(load_generator(run.recipe, weights, image_size=run.image_size, device=device))
    test_pairs = TestPairs(pairs, images, masks, image_size=run.image_size)
    with replace_folder(folder) as temporary:
        evaluate(inpainter, test_pairs, temporary, batch_size=settings.batch_size, device=device)
        write_record(temporary / "record.json", settings, inputs, device=str(device))


def require_run(run: RunSettings, weights: Path, inputs: dict[str, str]) -> str:
    """Return the hash of a finished run's weights.

    Raises: RecordError if they were trained with other settings or on other data (`inputs`: hashes of `images` and
        `masks`) than the current ones, or are not the file that the run's record describes.
    """
    record = weights / "run.json"
    learnt_from = () if run.released else ("images", "masks")
    require_current(record, run, {name: inputs[name] for name in learnt_from})
    digest = sha256(weights / "weights.safetensors")
    if digest != read_json(record)["weights_sha256"]:
        raise RecordError(
            f"{weights / 'weights.safetensors'} is not the file that {record} describes. "
            f"Make it again: snakemake --cores all --forcerun {record} -- {record}"
        )
    return digest


def require_pairs(pairs: Path, images: Path, masks: Path) -> dict[str, str]:
    """Return the hashes of pairs, images and masks by name.

    Raises: RecordError if the pairs were drawn for other images or masks, or edited since.
    """
    inputs = {"images": sha256(images), "masks": sha256(masks), "pairs": sha256(pairs)}
    record = read_json(pairs.with_suffix(".json"))
    wanted = record["inputs"] | {"pairs": record["pairs_sha256"]}
    if changed := [name for name, digest in inputs.items() if wanted[name] != digest]:
        raise RecordError(
            f"{pairs} does not belong to the current {' and '.join(changed)}. "
            f"Draw it again: snakemake --cores all --forcerun {pairs} -- {pairs}"
        )
    return inputs
