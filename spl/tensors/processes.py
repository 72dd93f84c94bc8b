"""Sums over all processes of one training, so that statistics are those of the whole batch; alone, nothing happens."""

from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor


def process_count() -> int:
    """Return how many processes train together."""
    return dist.get_world_size() if dist.is_available() and dist.is_initialized() else 1


class _Total(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        total = x.clone(memory_format=torch.contiguous_format)
        dist.all_reduce(total)
        return total

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Tensor:  # pyright: ignore[reportIncompatibleMethodOverride]
        return _Total.apply(grad)


def total_over_processes(x: Tensor) -> Tensor:
    """Add up over all processes, each with a tensor of one shape; gradients are added up in the same way."""
    return _Total.apply(x) if process_count() > 1 else x


def mean_over_processes(x: Tensor) -> Tensor:
    """Return the mean over all processes: of equal shares of a batch, its mean."""
    return total_over_processes(x) / process_count()
