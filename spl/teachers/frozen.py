"""The base of all teachers."""

from abc import ABC, abstractmethod
from collections.abc import Iterable
from typing import Self

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class FrozenTeacher(nn.Module, ABC):
    """A network that does not learn; its call turns image (B, 3, 2H, 2W) in [0, 1] into features (B, d, H/4, W/4)."""

    channels: int
    """d, the number of channels of the features."""

    def freeze(self) -> None:
        """Take the gradients from what has been built, and enter evaluation mode for good."""
        self.requires_grad_(False)
        self.train()

    def train(self, mode: bool = True) -> Self:
        """Stay in evaluation mode: `mode` is ignored, since the batch statistics are part of what was learnt."""
        return super().train(False)

    @abstractmethod
    def features(self, image: Tensor) -> Tensor:
        """Return the features; gradients reach the image. Shapes: image (B, 3, 2H, 2W); returns (B, d, H/4, W/4)."""

    @torch.no_grad()
    def forward(self, image: Tensor) -> Tensor:
        """Return the features of a fixed image."""
        return self.features(image)

    def standardise(self, images: Iterable[Tensor]) -> dict[str, list[float]]:
        """Learn the features' scale from training images (B, 3, H, W), if theirs is not known; return it."""
        return {}

    def stages(self, image: Tensor) -> list[Tensor]:
        """Return the feature maps of image (B, 3, H, W) that perceptual losses compare; gradients reach the image."""
        return [self.features(F.interpolate(image, scale_factor=2, mode="bilinear", align_corners=False))]
