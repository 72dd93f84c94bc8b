"""LPIPS: distance of two images in AlexNet's features, calibrated by human judgement (Zhang et al. 2018)."""

from pathlib import Path

import torch
import torchvision
from torch import Tensor, nn

from spl.sources.metric_weights import ALEXNET, LPIPS_LAYERS
from spl.weights.files import read_state
from spl.weights.fit import fill

RELUS = {1: 64, 4: 192, 7: 384, 9: 256, 11: 256}
"""Channels of the compared layers, by their index in torchvision's `features`."""

SHIFT = (-0.030, -0.088, -0.188)
SCALE = (0.458, 0.448, 0.450)
"""ImageNet's mean and standard deviation in [-1, 1], as published."""

EPSILON = 1e-10
"""Avoids a division by zero at features of length zero, as published."""


class LPIPS(nn.Module):
    """LPIPS version 0.1 over AlexNet's five activations."""

    shift: Tensor
    scale: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.trunk = torchvision.models.alexnet(weights=None).features[:12]
        self.layers = nn.ModuleList(nn.Conv2d(channels, 1, 1, bias=False) for channels in RELUS.values())
        self.register_buffer("shift", torch.tensor(SHIFT).view(3, 1, 1), persistent=False)
        self.register_buffer("scale", torch.tensor(SCALE).view(3, 1, 1), persistent=False)
        self.eval().requires_grad_(False)

    def forward(self, composited: Tensor, image: Tensor) -> Tensor:
        """Return distances, 0 for equal images.

        Shapes: (B, 3, H, W) in [0, 1]; returns (B,).
        Paper: Eq. 1; the file of linear layers holds the squares of its weights w.
        """
        pairs = zip(self._features(composited), self._features(image), self.layers, strict=True)
        distances = [layer((ours - theirs).square()).mean(dim=(1, 2, 3)) for ours, theirs, layer in pairs]
        return torch.stack(distances).sum(0)

    def _features(self, image: Tensor) -> list[Tensor]:
        """Return the activations, (B, C, h, w) each, of length 1 at every position."""
        x, found = (2 * image - 1 - self.shift) / self.scale, []
        for i, layer in enumerate(self.trunk):
            x = layer(x)
            if i in RELUS:
                found.append(x / (x.square().sum(dim=1, keepdim=True).sqrt() + EPSILON))
        return found


def load_lpips(folder: Path, device: torch.device) -> LPIPS:
    """Read the published weights.

    Raises: CheckpointError if a file is missing, damaged or another one.
    """
    alexnet, layers = ALEXNET.require(folder), LPIPS_LAYERS.require(folder)
    network, state = LPIPS(), read_state(alexnet)
    features = {key.removeprefix("features."): x for key, x in state.items() if key.startswith("features.")}
    fill(network.trunk, features, source=str(alexnet), layout="torchvision's AlexNet")
    names = {f"{i}.weight": f"lin{i}.model.1.weight" for i in range(len(RELUS))}
    fill(network.layers, read_state(layers), source=str(layers), layout="the LPIPS repository's", names=names)
    return network.to(device)
