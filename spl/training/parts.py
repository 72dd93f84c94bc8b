"""A batch that goes through the networks in parts, for a device that is too small for the whole one."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from spl.models.spectral_norm import SpectralNorm, held_weights


class InParts(nn.Module):
    """A network that keeps nothing of a part of the batch but its output, and passes the part again when it learns.

    So losses see the whole batch and gradients are summed over its parts, for one more forward pass. What the network
    gives an image must not depend on the others of its batch.
    """

    def __init__(self, module: Callable, parts: int) -> None:
        super().__init__()
        self.module: Any = module
        self.parts = parts

    def forward(self, *inputs: Tensor) -> Any:
        """Take and return what the network does, all of (B, ...)."""
        weights = {conv: conv.normalised_weight() for conv in self.modules() if isinstance(conv, SpectralNorm)}

        def run(*part: Tensor) -> Any:
            with held_weights(weights):
                return self.module(*part)

        parts = zip(*(each.chunk(self.parts) for each in inputs), strict=True)
        return _join([checkpoint(run, *part, use_reentrant=False, preserve_rng_state=False) for part in parts])


def _join(outputs: Any) -> Any:
    """Join the outputs of all parts: tensors, or tuples and lists of them."""
    first = outputs[0]
    if isinstance(first, Tensor):
        return torch.cat(outputs)
    joined = [_join(each) for each in zip(*outputs, strict=True)]
    return type(first)(*joined) if hasattr(first, "_fields") else joined
