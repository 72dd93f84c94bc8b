"""From a recipe in `params.yaml` to something that fills holes."""

import sys
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor, nn

from spl.common.errors import DataError
from spl.config.methods import RECIPES, Network, NetworkMethod
from spl.models.ec import build_ec
from spl.models.lama import build_lama
from spl.models.mfe import build_mfe
from spl.models.migan import build_migan
from spl.models.rfr import build_rfr
from spl.models.rn import build_rn
from spl.models.spl import build_spl
from spl.models.winograd import speed_up
from spl.steps.records import read_record
from spl.weights.fit import load_weights

Inpainter = Callable[[Tensor, Tensor], Tensor]
"""image (B, 3, H, W) in [0, 1], mask (B, 1, H, W), 1 = hole -> output (B, 3, H, W), to be clamped and composited."""


GENERATORS: dict[str, Callable[..., nn.Module]] = {
    "spl": lambda size, channels, **model: build_spl(teacher_channels=channels, **model),
    "rn": lambda size, channels, **model: build_rn(**model),
    "rfr": lambda size, channels, **model: build_rfr(**model),
    "mfe": lambda size, channels, **model: build_mfe(image_size=size, **model),
    "ec": lambda size, channels, **model: build_ec(**model),
    "lama": lambda size, channels, **model: build_lama(**model),
    "migan": lambda size, channels, **model: build_migan(size=size),
}
"""By recipe: (image size, channels of the teacher, values of the recipe's `model`) -> generator."""


def build_generator(recipe: Network | NetworkMethod, *, image_size: int, teacher_channels: int) -> nn.Module:
    """Build a recipe's generator with fresh weights.

    All are called with (image, mask) as an `Inpainter` is; each turns them into its own conventions in its `forward`.
    """
    return GENERATORS[recipe.recipe](image_size, teacher_channels, **dict(recipe.model))


def load_generator(
    recipe: Network | NetworkMethod, folder: Path, *, image_size: int, device: torch.device
) -> nn.Module:
    """Build a recipe's generator with the weights of a finished run (weights.safetensors, run.json)."""
    channels = read_record(folder / "run.json")["teacher_channels"]
    generator = build_generator(recipe, image_size=image_size, teacher_channels=channels)
    load_weights(generator, folder / "weights.safetensors")
    return generator.to(device)


def load_method(recipe: Network | NetworkMethod, folder: Path, *, image_size: int, device: torch.device) -> Inpainter:
    """Load the same for evaluation, sped up; a batch that does not fit the memory is filled in parts."""
    generator = load_generator(recipe, folder, image_size=image_size, device=device)
    speed_up(generator)
    return within_memory(as_inpainter(generator), pools_over_batch=RECIPES[recipe.recipe].pools_over_batch)


def as_inpainter(generator: nn.Module) -> Inpainter:
    """Give a generator the common call: evaluation mode, and only the image of what it returns."""
    generator.eval()

    def fill(image: Tensor, mask: Tensor) -> Tensor:
        output = generator(image, mask)
        return output[0] if isinstance(output, tuple) else output

    return fill


def within_memory(inpainter: Inpainter, *, pools_over_batch: bool) -> Inpainter:
    """Let an inpainter fill a batch that does not fit the GPU's memory in parts, which stay as small from then on.

    Raises: DataError if a single image does not fit, or the result would depend on the parts.
    """
    size = sys.maxsize

    def fill(image: Tensor, mask: Tensor) -> Tensor:
        nonlocal size
        while True:
            try:
                return torch.cat([inpainter(*part) for part in zip(image.split(size), mask.split(size), strict=True)])
            except torch.OutOfMemoryError:
                tried = min(size, len(image))
            if pools_over_batch or tried == 1:
                why = ", and its parts would give other numbers: the method pools over a batch" if tried > 1 else ""
                raise DataError(
                    f"a batch of {tried} at {image.shape[-1]} pixels does not fit the memory of {image.device}{why}. "
                    "Take a larger GPU, or the CPU, by CUDA_VISIBLE_DEVICES= before the same command."
                )
            size = (tried + 1) // 2  # not within `except`, which keeps what has filled the memory

    return fill
