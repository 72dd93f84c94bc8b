"""A batch that goes through a network in parts; what it learns is compared in test_distributed.py."""

import weakref

import pytest
import torch
from torch import nn

from spl.training.parts import InParts


@pytest.mark.parametrize(("wrap", "kept"), [(lambda network: network, 1), (lambda network: InParts(network, 4), 0)])
def test_of_a_part_only_its_output_is_kept(wrap, kept):
    maps = []
    middle = nn.Sigmoid()
    middle.register_forward_hook(lambda layer, inputs, output: maps.append(weakref.ref(output)))
    network = wrap(nn.Sequential(nn.Conv2d(3, 4, 3), middle, nn.Conv2d(4, 1, 3)))
    output = network(torch.rand(4, 3, 8, 8))
    assert output.shape == (4, 1, 4, 4)
    assert sum(each() is not None for each in maps) == kept
    output.sum().backward()
    assert all(parameter.grad is not None for parameter in network.parameters())
