"""From a recipe in `params.yaml` to something that fills holes."""

from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor, nn

from spl.weights.fit import load_weights
from spl.config import RNRecipe, SPLRecipe
from spl.files import read_json
from spl.models.rn import build_rn
from spl.models.spl import build_spl

Inpainter = Callable[[Tensor, Tensor], Tensor]
"""image (B, 3, H, W) in [0, 1], mask (B, 1, H, W), 1 = hole -> output (B, 3, H, W) in [0, 1], not composited."""


def build_generator(recipe: SPLRecipe | RNRecipe, *, teacher_channels: int) -> nn.Module:
    """Build a recipe's generator with fresh weights."""
    if isinstance(recipe, RNRecipe):
        return build_rn(width=recipe.model.width, blocks=recipe.model.blocks)
    model = recipe.model
    return build_spl(
        semantic_body=model.semantic_learner,
        semantic_blocks=model.semantic_blocks,
        gamma=model.spade,
        spade_blocks=model.spade_blocks,
        width=model.width,
        teacher_channels=teacher_channels,
    )


def load_generator(recipe: SPLRecipe | RNRecipe, folder: Path, device: torch.device) -> nn.Module:
    """Build a recipe's generator with the weights of a finished run (weights.safetensors, run.json)."""
    generator = build_generator(recipe, teacher_channels=read_json(folder / "run.json")["teacher_channels"])
    load_weights(generator, folder / "weights.safetensors")
    return generator.to(device)


def as_inpainter(generator: nn.Module) -> Inpainter:
    """Give a generator the common call: evaluation mode, and only the image of what it returns."""
    generator.eval()

    def fill(image: Tensor, mask: Tensor) -> Tensor:
        output = generator(image, mask)
        return output[0] if isinstance(output, tuple) else output

    return fill
