import pytest
import torch

from spl.models.trace import trace
from tests.models.test_generators import GENERATORS


@pytest.mark.parametrize("name", ["spl", "spl_released", "spl_concat", "rn"])
def test_steps_are_those_of_a_real_forward_pass(name):
    network = GENERATORS[name]()
    passed = {}

    def remember(name):
        def hook(module, inputs, output):
            outputs = output if isinstance(output, tuple) else (output,)
            passed[name] = tuple(tuple(x.shape[1:]) for x in inputs), tuple(tuple(x.shape[1:]) for x in outputs)

        return hook

    steps = trace(network, image_size=32)
    for path, module in network.named_modules():
        module.register_forward_hook(remember(path))
    network(torch.rand(2, 3, 32, 32), torch.ones(2, 1, 32, 32))
    assert {path: (step.inputs, step.outputs) for path, step in steps.items()} == passed


def test_parameters_are_counted_with_those_of_the_children():
    network = GENERATORS["spl"]()
    steps = trace(network, image_size=32)
    assert steps[""].parameters == sum(parameter.numel() for parameter in network.parameters())
    parts = ("image_encoder", "semantic_learner", "image_decoder")
    assert steps[""].parameters == sum(steps[part].parameters for part in parts)
    assert steps["semantic_learner.adapter"].parameters == 32 * 6 + 6


def test_the_network_is_left_as_it_was():
    network = GENERATORS["spl"]()
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    trace(network, image_size=32)
    assert all(torch.equal(tensor, before[name]) for name, tensor in network.state_dict().items())
    assert not any(module._forward_hooks for module in network.modules())
    assert type(network.image_encoder.conv1.weight) is torch.nn.Parameter
