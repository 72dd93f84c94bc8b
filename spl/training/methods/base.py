"""Parts that all methods share."""

from contextlib import nullcontext
from dataclasses import dataclass

from torch import Tensor, nn
from torch.optim import Optimizer

from spl.training.precision import Autocast


@dataclass(kw_only=True, eq=False)
class TrainingMethod:
    """Networks, their optimizers and the context of the forward passes.

    The networks have to be in training mode when `step` is called. They may be wrapped by DistributedDataParallel, a
    discriminator with `broadcast_buffers=False`: the spectral norms update their vectors in every forward pass, in all
    processes alike.
    """

    networks: dict[str, nn.Module]
    optimizers: dict[str, Optimizer]
    autocast: Autocast = nullcontext
    """Maker of the context of the forward passes. For bfloat16: gradients are not scaled, as float16 needs."""


def update(optimizer: Optimizer, loss: Tensor) -> None:
    """Make one step down the gradient of a loss."""
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
