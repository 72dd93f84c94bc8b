"""A first look at what a network fills, before hours are spent on the rest."""

from pathlib import Path

import numpy as np
import torch

from spl.common.printed import count
from spl.config.methods import MFEModel, Network, NetworkMethod
from spl.data.classical import FILLS
from spl.evaluation.metrics import psnr
from spl.evaluation.per_image import fill, load_pairs
from spl.models.build import Inpainter, load_method
from spl.models.classical import classical_inpainter
from spl.steps.settings import EvaluationSettings
from spl.tensors.loaders import TestPairs

MARGIN = 3.0
"""dB of PSNR. A mean over 50 images is known within 1 or so; the demo's short trainings stay within 2 of the fills."""

FLOOR = (FILLS["telea"], FILLS["navier_stokes"])
CAUSES = {
    True: "masks of the other polarity (masks.hole), or weights for another data set or another colour in the hole",
    False: "too short a training, or one that went wrong (log.csv beside its weights)",
}
"""By whether the weights are released ones."""


@torch.no_grad()
def implausible(
    settings: EvaluationSettings,
    pairs: TestPairs,
    weights: Path,
    found: list[float],
    *,
    device: torch.device,
    paper: float | None,
) -> list[str]:
    """Say that the PSNR that was found for a network on the first images is far too low, and why that may be.

    It is if classical fills of the same images are far ahead, or `paper`, a mean over all images, is. Else there is no
    sentence.
    """
    run = settings.run
    assert isinstance(run.recipe, Network | NetworkMethod)
    image, mask = load_pairs(pairs, range(len(found)), torch.device("cpu"))

    def mean_of(inpainter: Inpainter) -> float:
        batches = zip(image.split(settings.batch_size), mask.split(settings.batch_size), strict=True)
        filled = (fill(inpainter, i.to(device), m.to(device)) for i, m in batches)
        return _mean([psnr(*both) for batch in filled for both in zip(*batch, strict=True)])

    ours, floor = _mean(found), max(mean_of(classical_inpainter(classical)) for classical in FLOOR)
    if ours >= max(floor, paper or 0) - MARGIN:
        return []
    papers = f", and the paper's Table 1 {paper:.1f} on all" if paper else ""
    has = (
        f"{ours:.1f} dB PSNR on the first {count(len(found), 'image')}, where a classical fill has {floor:.1f}{papers}"
    )
    doubts = [f"{run.method} on {run.dataset} has {has}. Perhaps {CAUSES[run.released is not None]}."]
    if run.released and isinstance(model := run.recipe.model, MFEModel):
        other = "nearest" if model.feature_mask == "all_valid" else "all_valid"
        read_so = run.recipe.model_copy(update={"model": model.model_copy(update={"feature_mask": other})})
        theirs = mean_of(load_method(read_so, weights, image_size=run.image_size, device=device))
        better = other if theirs > ours else model.feature_mask
        both = f"{model.feature_mask} {ours:.1f} dB, {other} {theirs:.1f}"
        doubts.append(
            f"MFE's rule of its mask can be read in two ways, model.feature_mask: {both}; better is {better}."
        )
    return doubts


def _mean(values: list[float]) -> float:
    """Average what is finite: images that are filled without a fault say nothing about the others."""
    return float(np.mean([value for value in values if np.isfinite(value)] or [np.inf]))
