"""The base of all teachers."""

from typing import Self

from torch import nn


class FrozenTeacher(nn.Module):
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
