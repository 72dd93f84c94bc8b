"""The base of all teachers."""

from abc import ABC, abstractmethod
from collections.abc import Iterable
from typing import Self

import torch
import torch.nn.functional as F
from torch import Tensor, nn

LEAST_STD = 0.01
"""Least standard deviation of a channel, in those of the average channel: one that is nearly constant stays small."""


class FrozenTeacher(nn.Module, ABC):
    """A network that does not learn; its call turns image (B, 3, 2H, 2W) in [0, 1] into features (B, d, H/4, W/4)."""

    channels: int
    """d, the number of channels of the features."""
    scale: tuple[Tensor, Tensor] | None = None
    """Mean and standard deviation of every channel, (1, d, 1, 1), by which features are standardised."""

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
        """Return the features of a fixed image, standardised once their scale is known."""
        return self._scaled(image)

    def stages(self, image: Tensor) -> list[Tensor]:
        """Return the feature maps of image (B, 3, H, W) that perceptual losses compare; gradients reach the image."""
        return [self._scaled(enlarge(image))]

    def _scaled(self, image: Tensor) -> Tensor:
        features = self.features(image)
        return features if self.scale is None else (features - self.scale[0]) / self.scale[1]

    @torch.no_grad()
    def standardise(self, images: Iterable[Tensor]) -> dict[str, list[float]]:
        """Let the features of training images have mean 0 and standard deviation 1 in every channel; return both.

        Networks differ in scale, and the paper's weight of the prior loss (Eq. 12) is made for its own teacher's.
        Shapes: images (B, 3, H, W) each, which are enlarged twice, as in section 3.2.
        """
        count, total, squares = 0, 0.0, 0.0
        for image in images:
            features = self.features(enlarge(image)).double()
            count += features[:, 0].numel()
            total, squares = total + features.sum((0, 2, 3)), squares + features.square().sum((0, 2, 3))
        mean = torch.as_tensor(total / count)
        std = (squares / count - mean.square()).clamp(min=0).sqrt()
        std = std.clamp(min=LEAST_STD * std.mean().item() or 1.0)
        self.scale = mean.float().view(1, -1, 1, 1), std.float().view(1, -1, 1, 1)
        return {"mean": mean.tolist(), "std": std.tolist()}

    @torch.no_grad()
    def calibrate(self, images: Iterable[Tensor]) -> None:
        """Bring fresh weights to life: batch norms have scale 1 and the statistics of training images (B, 3, H, W).

        Frozen as they are drawn, residual branches would be silent where their last norm starts at 0, as timm's do.
        """
        norms = [module for module in self.modules() if isinstance(module, nn.BatchNorm2d)]
        for norm in norms:
            nn.init.ones_(norm.weight)
            norm.momentum, norm.training = 1.0, True  # the statistics become those of one batch
        self.features(enlarge(torch.cat(list(images))))
        for norm in norms:
            norm.training = False


def enlarge(image: Tensor) -> Tensor:
    """Enlarge an image twice, as teachers see it (I' of section 3.2). Shapes: (B, 3, H, W); (B, 3, 2H, 2W)."""
    return F.interpolate(image, scale_factor=2, mode="bilinear", align_corners=False)


class PixelTeacher(FrozenTeacher):
    """The image at a quarter of its size before enlarging, 3 channels: a teacher that knows nothing but pixels."""

    channels = 3

    def features(self, image: Tensor) -> Tensor:
        """Shapes: image (B, 3, 2H, 2W) in [0, 1]; returns its means over 8 x 8 pixels, (B, 3, H/4, W/4)."""
        return F.avg_pool2d(image, 8)
