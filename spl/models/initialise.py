"""Fresh weights, each layer's from a generator of its own.

Networks of one seed are equal wherever they have a layer of the same name and shape in common, whatever else they are
built of: an ablation starts where its reference does, and a paired difference is of what the ablation changes.
"""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import nn


@contextmanager
def own_generator(part: str) -> Iterator[None]:
    """Draw from a generator that depends on the seed in force and a name alone; what is drawn after it does not."""
    key = hashlib.sha256(f"{torch.initial_seed()} {part}".encode()).digest()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(int.from_bytes(key[:8], "little"))
        yield


@torch.no_grad()
def initialise_default(module: nn.Module) -> None:
    """Initialise every layer as PyTorch does, SPADE's scales as the paper does (`SPADE.reset_parameters`)."""
    for name, layer in reversed(list(module.named_modules())):  # a part has the last word on what it is made of
        if callable(reset := getattr(layer, "reset_parameters", None)):
            with own_generator(name):
                reset()


@torch.no_grad()
def initialise_normal(module: nn.Module) -> None:
    """Initialise as EdgeConnect and MFE do: weights N(0, 0.02), biases zero, scales of norms one.

    Reaches the weights behind spectral normalisation, so it serves the discriminators too. MFE's frozen mask
    convolutions get random weights as well: the paper has ones there, the released initialiser does not.
    """
    for name, parameter in module.named_parameters():
        with own_generator(name):
            if parameter.ndim > 1:
                nn.init.normal_(parameter, std=0.02)
            else:
                nn.init.constant_(parameter, 0 if name.endswith("bias") else 1)
