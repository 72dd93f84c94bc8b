"""Released LaMa files: a Lightning checkpoint that names classes of other packages, or a plain state dict."""

import sys

import pytest
import torch

from spl.common.errors import CheckpointError
from spl.models.lama import build_lama
from spl.released.layouts.lama import LAMA_RULES
from spl.released.load import load_released
from spl.weights.files import read_state
from spl.weights.layouts import Layout, recognise
from spl.weights.lightning import NAMES
from tests.released.fabricate import Trap, equal, in_their_keys, save_lightning

METRICS = {
    "val_evaluator.scores.ssim.window": torch.ones(3),
    "test_evaluator.scores.lpips.lins.0.model.1.weight": torch.ones(3),
    "test_evaluator.scores.fid.model.blocks.0.0.bn.weight": torch.ones(3),
}


@pytest.fixture(scope="module")
def generator():
    torch.manual_seed(0)
    return build_lama(blocks=1)


@pytest.fixture(scope="module")
def released(generator):
    """The content of the entry `state_dict`."""
    return {f"generator.{key}": tensor for key, tensor in in_their_keys(generator, LAMA_RULES).items()} | METRICS


@pytest.mark.parametrize("form", ["Lightning", "plain", "without metrics"])
def test_released_files_round_trip(tmp_path, generator, released, form):
    torch.manual_seed(1)
    path, other = tmp_path / "best.ckpt", build_lama(blocks=1)
    assert not equal(other.state_dict(), generator.state_dict())
    if form == "Lightning":
        save_lightning(released, path)
    elif form == "plain":
        torch.save(in_their_keys(generator, LAMA_RULES), path)
    else:
        torch.save({key: tensor for key, tensor in released.items() if key not in METRICS}, path)
    assert load_released("lama", path, other) == [path]
    assert equal(other.state_dict(), generator.state_dict())
    assert "pytorch_lightning" not in sys.modules


def test_keys_are_recognised(generator, released):
    assert recognise(released) is Layout.LAMA
    assert recognise(generator.state_dict()) is Layout.OWN_LAMA


def test_a_checkpoint_of_something_else_does_not_fit(tmp_path, generator, released):
    before = {name: tensor.clone() for name, tensor in generator.state_dict().items()}
    state = {key.replace("ffc", "conv"): tensor for key, tensor in released.items()}
    with pytest.raises(CheckpointError) as caught:
        load_released("lama", save_lightning(state, tmp_path / "best.ckpt"), generator)
    assert "expected the released LaMa layout" in str(caught.value)
    assert "that look like nothing known here" in str(caught.value)
    assert "\n" not in str(caught.value)
    assert equal(generator.state_dict(), before)


STATE = {"generator.a": torch.arange(3.0)}


def refusal(path):
    with pytest.raises(CheckpointError) as caught:
        read_state(path)
    message = str(caught.value)
    assert message.startswith(str(path))
    assert "\n" not in message
    assert "weights_only" not in message
    return message


def test_the_classes_that_a_checkpoint_names_are_those_of_the_list(tmp_path):
    path = save_lightning(STATE, tmp_path / "best.ckpt")
    assert set(torch.serialization.get_unsafe_globals_in_checkpoint(path)) == set(NAMES)
    assert equal(read_state(path), STATE)


@pytest.mark.parametrize("kept", [300, 2000, -1])
def test_a_damaged_checkpoint_is_refused(tmp_path, kept):
    path = save_lightning(STATE, tmp_path / "best.ckpt")
    path.write_bytes(path.read_bytes()[:kept])
    assert "is damaged" in refusal(path)


@pytest.mark.parametrize("place", ["callbacks", "hyper_parameters"])
def test_a_checkpoint_that_holds_code_is_refused_and_runs_nothing(tmp_path, place):
    marker = tmp_path / "the code ran"
    path = save_lightning(STATE, tmp_path / "best.ckpt", **{place: {"a": Trap(marker)}})
    assert "was refused" in refusal(path)
    assert not marker.exists()


def test_a_class_that_is_not_in_the_list_is_named(tmp_path):
    path = save_lightning(STATE, tmp_path / "best.ckpt", loops=torch.nn.Linear(2, 2))
    assert "GLOBAL torch.nn.modules.linear.Linear" in refusal(path)


class Call:
    """A pickle that calls a function with arguments where it is loaded."""

    def __init__(self, function, *arguments):
        self.call = function, arguments

    def __reduce__(self):
        return self.call


def test_what_is_in_the_list_does_nothing_either(tmp_path):
    """Not even as little as the classes whose names it has: the state comes from the tensors alone."""
    path = save_lightning(STATE, tmp_path / "best.ckpt", state_dict=Call(dict, [("generator.a", STATE["generator.a"])]))
    assert "holds no weights" in refusal(path)


def test_only_a_lightning_checkpoint_has_its_weights_in_state_dict(tmp_path):
    path = tmp_path / "file.pth"
    torch.save({"state_dict": STATE}, path)
    assert refusal(path).endswith("got a dictionary with state_dict.")
    assert equal(read_state(save_lightning(STATE, path)), STATE)
