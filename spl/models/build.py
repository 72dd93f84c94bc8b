"""From a recipe in `params.yaml` to something that fills holes."""

from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor, nn

from spl.config.methods import Network, NetworkMethod
from spl.models.ec import build_ec
from spl.models.mfe import build_mfe
from spl.models.rfr import build_rfr
from spl.models.rn import build_rn
from spl.models.spl import build_spl
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


def as_inpainter(generator: nn.Module) -> Inpainter:
    """Give a generator the common call: evaluation mode, and only the image of what it returns."""
    generator.eval()

    def fill(image: Tensor, mask: Tensor) -> Tensor:
        output = generator(image, mask)
        return output[0] if isinstance(output, tuple) else output

    return fill
