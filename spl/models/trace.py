"""What every module of a network takes in and gives out, from a forward pass: for drawing a network as it is."""

from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

Shape = tuple[int, ...]


class Step(NamedTuple):
    """One module's part in a forward pass of a single picture."""

    module: nn.Module
    inputs: tuple[Shape, ...]
    """Shapes of the tensors it is called with, without the batch."""
    outputs: tuple[Shape, ...]
    """Shapes of the tensors it returns, without the batch."""
    parameters: int


@torch.no_grad()
def trace(network: nn.Module, *, image_size: int) -> dict[str, Step]:
    """Fill one grey square picture and note what passes; modules by their dotted name, the network itself by ''."""
    steps: dict[str, Step] = {}

    def note(name: str, module: nn.Module) -> Any:
        def hook(module: nn.Module, inputs: Any, outputs: Any) -> None:
            parameters = sum(parameter.numel() for parameter in module.parameters())
            steps[name] = Step(module, _shapes(inputs), _shapes(outputs), parameters)

        return module.register_forward_hook(hook)

    handles = [note(name, module) for name, module in network.named_modules()]
    image = torch.full((1, 3, image_size, image_size), 0.5)
    mask = torch.zeros(1, 1, image_size, image_size)
    mask[..., : image_size // 2] = 1
    network(image, mask)
    for handle in handles:
        handle.remove()
    return steps


def _shapes(tensors: Any) -> tuple[Shape, ...]:
    tensors = (tensors,) if isinstance(tensors, Tensor) else tensors
    return tuple(tuple(tensor.shape[1:]) for tensor in tensors if isinstance(tensor, Tensor))
