import pytest
import torch


@pytest.fixture(autouse=True)
def seeded():
    torch.manual_seed(0)


@pytest.fixture
def image():
    return torch.rand(3, 3, 32, 32)


@pytest.fixture
def mask():
    """One hole inside, one over half the image, one at the border."""
    mask = torch.zeros(3, 1, 32, 32)
    mask[0, :, 8:20, 12:24] = 1
    mask[1, :, :, :16] = 1
    mask[2, :, 20:, 20:] = 1
    return mask
