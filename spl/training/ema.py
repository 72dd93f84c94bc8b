"""Exponential moving average of a network's weights."""

import copy

import torch
from torch import nn


class EMA:
    """A shadow of a network whose weights follow the trained ones slowly.

    The decay rises from 0.1 to its value over the first steps, so that the random start is soon forgotten.
    """

    def __init__(self, network: nn.Module, decay: float) -> None:
        self.network = copy.deepcopy(network).eval().requires_grad_(False)
        self._decay = decay

    @torch.no_grad()
    def update(self, network: nn.Module, step: int) -> None:
        """Move the shadow towards `network` after `step` (counted from 0)."""
        decay = min(self._decay, (1 + step) / (10 + step))
        torch._foreach_lerp_(list(self.network.parameters()), list(network.parameters()), 1 - decay)  # pyright: ignore
        for shadow, buffer in zip(self.network.buffers(), network.buffers(), strict=True):
            shadow.copy_(buffer)
