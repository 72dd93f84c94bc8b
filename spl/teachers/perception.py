"""Networks whose features the perceptual and style losses compare.

The papers use VGG trained on ImageNet. Offline, the frozen pretext network takes its place; `params.yaml` says which
(`perceptual_network`), and so does every run record.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Literal, NamedTuple

import torch
from torch import Tensor, nn

from spl.common.errors import CheckpointError
from spl.config.methods import RECIPES, RELU5_1_AGAIN, VGGLayers
from spl.sources.weight_files import WeightFile
from spl.steps.settings import VGG_FILES, RunSettings
from spl.teachers.frozen import FrozenTeacher
from spl.weights.files import read_state
from spl.weights.fit import fill


class Features(NamedTuple):
    """Feature maps of one batch, (B, C, h, w) each."""

    perceptual: list[Tensor]
    style: list[Tensor]


FeatureExtractor = Callable[[Tensor], Features]
"""image (B, 3, H, W) in [0, 1] -> features; gradients reach the image."""


class VGGFeatures(nn.Module):
    """A frozen VGG, read at named layers: relu<block>_<convolution> and pool<block>, both counted from 1."""

    def __init__(self, trunk: nn.Sequential, layers: VGGLayers) -> None:
        super().__init__()
        self.wanted = layers
        self.trunk = trunk.eval().requires_grad_(False)
        for layer in trunk:
            if isinstance(layer, nn.ReLU):
                layer.inplace = False  # features are kept
        self.names = _vgg_names(trunk)

    def forward(self, image: Tensor) -> Features:
        """Shapes: image (B, 3, H, W) in [0, 1]."""
        wanted = {*self.wanted.perceptual, *self.wanted.style}
        x, found = image * 2 - 1 if self.wanted.signed else image, {}
        for name, layer in zip(self.names, self.trunk, strict=True):
            x = found[name] = layer(x)
            if name == "relu5_1" and RELU5_1_AGAIN in wanted:
                found[RELU5_1_AGAIN] = self._again(x)
            if wanted <= found.keys():
                break
        return Features([found[name] for name in self.wanted.perceptual], [found[name] for name in self.wanted.style])

    def _again(self, x: Tensor) -> Tensor:
        start, stop = self.names.index("pool4"), self.names.index("relu5_1")
        return self.trunk[start : stop + 1](x)


def _vgg_names(trunk: nn.Sequential) -> list[str]:
    """Name every layer of torchvision's `features` by its block and number."""
    names, block, number = [], 1, 0
    for layer in trunk:
        if isinstance(layer, nn.Conv2d):
            number += 1
            names.append(f"conv{block}_{number}")
        elif isinstance(layer, nn.ReLU):
            names.append(f"relu{block}_{number}")
        else:
            names.append(f"pool{block}")
            block, number = block + 1, 0
    return names


def teacher_features(teacher: FrozenTeacher) -> FeatureExtractor:
    """Compare the feature maps of a pretext network, for perceptual and style loss."""

    def extract_features(image: Tensor) -> Features:
        maps = teacher.stages(image)
        return Features(maps, maps)

    return extract_features


def load_feature_extractor(
    run: RunSettings, teacher: FrozenTeacher | None, device: torch.device
) -> FeatureExtractor | None:
    """Return the features that a run's perceptual and style losses compare; None if it has no such losses.

    `teacher` is the pretext network, for a run that compares its features.
    Raises: CheckpointError if the VGG file is missing, damaged, or not torchvision's.
    """
    if path := run.vgg_file():
        layers = RECIPES[run.recipe.recipe].perceptual_layers
        assert layers is not None
        return VGGFeatures(load_vgg(Path(path), layers.network), layers).to(device)
    return teacher_features(teacher) if teacher else None


def require_vgg(path: Path) -> Path:
    """Return the path of a VGG file if it is there.

    Raises: CheckpointError saying where to get it, and which setting needs no VGG.
    """
    if not path.is_file():
        raise CheckpointError(
            f"{path} does not exist: perceptual losses need torchvision's file. Fetch "
            f"https://download.pytorch.org/models/{path.name}, or set "
            "perceptual_network.kind to teacher in params.yaml."
        )
    return path


def load_vgg(path: Path, network: Literal["vgg16", "vgg19"]) -> nn.Sequential:
    """Read the convolutional part of torchvision's VGG.

    Raises: CheckpointError if the file is missing, damaged, or not the registered one.
    """
    from torchvision import models  # takes seconds

    state = read_state(path)
    WeightFile.registered("vgg", VGG_FILES[network]).check(path)
    convolutions = {
        key.removeprefix("features."): tensor for key, tensor in state.items() if key.startswith("features.")
    }
    with torch.device("meta"):  # random weights would take a second, and change what is drawn after them
        trunk = getattr(models, network)(weights=None).features
    trunk.to_empty(device="cpu")
    fill(trunk, convolutions, source=str(path), layout=f"torchvision's {network}")
    return trunk
