import copy

import pytest
import torch


@pytest.fixture
def check_frozen():
    """A function: teacher, image -> nothing of the teacher learns or changes, whatever mode is asked for."""

    def check(teacher, image):
        before = copy.deepcopy(teacher.state_dict())
        assert not teacher.train()(image.clone().requires_grad_()).requires_grad
        assert not any(module.training for module in teacher.modules())
        assert not any(parameter.requires_grad for parameter in teacher.parameters())
        assert all(torch.equal(tensor, before[name]) for name, tensor in teacher.state_dict().items())

    return check
