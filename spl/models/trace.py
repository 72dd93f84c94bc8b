"""Input and output shapes of every module of a network, from a forward pass: for drawing a network as it is."""

from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensorMode

Shape = tuple[int, ...]


class Step(NamedTuple):
    """One module's part in a forward pass of a single image; shapes are without the batch."""

    module: nn.Module
    inputs: tuple[Shape, ...]
    outputs: tuple[Shape, ...]
    parameters: int


@torch.no_grad()
def trace(network: nn.Module, *, image_size: int) -> dict[str, Step]:
    """Pass a square image that is nothing but a shape, and note every module's step by its dotted name.

    A module that is called more than once keeps its last step; the network itself is called ''.
    """
    steps: dict[str, Step] = {}

    def note(name: str, module: nn.Module) -> Any:
        parameters = sum(parameter.numel() for parameter in module.parameters())

        def hook(module: nn.Module, inputs: Any, outputs: Any) -> None:
            steps[name] = Step(module, _shapes(inputs), _shapes(outputs), parameters)

        return module.register_forward_hook(hook)

    handles = [note(name, module) for name, module in network.named_modules()]
    with FakeTensorMode(allow_non_fake_inputs=True):
        network(torch.empty(1, 3, image_size, image_size), torch.empty(1, 1, image_size, image_size))
    for handle in handles:
        handle.remove()
    return steps


def _shapes(tensors: Any) -> tuple[Shape, ...]:
    tensors = (tensors,) if isinstance(tensors, Tensor) else tensors
    return tuple(tuple(tensor.shape[1:]) for tensor in tensors)
