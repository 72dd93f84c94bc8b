"""Released MI-GAN files: plain state dicts, in which constants of the network stand as well."""

import pytest
import torch

from spl.common.errors import CheckpointError
from spl.models.migan import build_migan
from spl.released.load import load_released
from spl.weights.layouts import Layout, recognise
from tests.released.fabricate import equal, migan_file
from tests.released.test_layouts import published_keys


@pytest.fixture
def generator():
    """A small one, whose noise differs from that of a fresh one."""
    torch.manual_seed(0)
    generator = build_migan(size=8)
    for name, tensor in generator.state_dict().items():
        if "noise" in name:
            tensor.normal_()
    return generator


def test_keys_and_shapes_are_the_published_ones(repository):
    published = published_keys(repository, "migan", "generator, 256 px")
    assert recognise(published) is Layout.MIGAN
    assert {key: tuple(tensor.shape) for key, tensor in migan_file(build_migan()).items()} == published


def test_released_files_round_trip(tmp_path, generator):
    torch.manual_seed(1)
    other = build_migan(size=8)
    assert not equal(other.state_dict(), generator.state_dict())
    torch.save(migan_file(generator), tmp_path / "migan.pt")
    load_released("migan", tmp_path / "migan.pt", other)
    assert equal(other.state_dict(), generator.state_dict())


@pytest.mark.parametrize(
    "key",
    [
        "encoder.b8.conv2.downsample.filter.weight",
        "synthesis.b8.conv1.upsample.filter.weight",
        "synthesis.b8.upsample.filter.weight",
        "synthesis.b8.upsample.filter_const",
    ],
)
@pytest.mark.parametrize("fault", ["value", "shape"])
def test_another_filter_than_the_built_in_one_does_not_fit(tmp_path, generator, key, fault):
    state, other = migan_file(generator), build_migan(size=8)
    if fault == "value":
        state[key][0, 0, 1, 1] += 0.01
    else:
        state[key] = torch.ones(3)
    torch.save(state, tmp_path / "migan.pt")
    with pytest.raises(CheckpointError, match=f"does not fit: expected the released MI-GAN .* unexpected: .*{key}"):
        load_released("migan", tmp_path / "migan.pt", other)


def test_our_own_keys_are_recognised(generator):
    assert recognise(generator.state_dict()) is Layout.OWN_MIGAN
