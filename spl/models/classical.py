"""Classical fills with the networks' call: the floor that a learned method has to beat."""

from collections.abc import Callable

import torch
from torch import Tensor

from spl.config.methods import ClassicalFill
from spl.data.classical import classical_fill


def classical_inpainter(settings: ClassicalFill) -> Callable[[Tensor, Tensor], Tensor]:
    """Return a fill with the generators' call: image (B, 3, H, W) in [0, 1] and mask (B, 1, H, W) to an output.

    What the image holds inside the hole is blanked first, so that no fill can peek.
    """

    def fill(image: Tensor, mask: Tensor) -> Tensor:
        outputs = []
        for pixels, hole in zip(image, mask[:, 0].bool().cpu().numpy(), strict=True):
            visible = (pixels * 255).round().byte().permute(1, 2, 0).cpu().numpy().copy()  # (H, W, 3)
            visible[hole] = 0
            filled = classical_fill(visible, hole, settings)
            outputs.append(torch.from_numpy(filled).permute(2, 0, 1).float() / 255)
        return torch.stack(outputs).to(image.device)

    return fill
