"""Reading weight files: whatever a file holds, nothing in it runs, and what is wrong is said once and clearly."""

import os
import pickle
import zipfile

import pytest
import torch

from spl.common.errors import CheckpointError
from spl.weights.files import read_state, save_weights
from tests.released.fabricate import Trap, adam_state

STATE = {"a.weight": torch.arange(2000.0).view(20, 100), "a.bias": torch.ones(20)}


def same(state):
    return state.keys() == STATE.keys() and all(torch.equal(state[key], STATE[key]) for key in STATE)


def refusal(path):
    """The message of the one error that reading a file gives."""
    with pytest.raises(CheckpointError) as caught:
        read_state(path)
    message = str(caught.value)
    assert str(path) in message
    assert "weights_only" not in message  # PyTorch's advice on how to run the code all the same
    assert "\x1b" not in message
    return message


@pytest.mark.parametrize("legacy", [False, True])
@pytest.mark.parametrize(
    "content",
    [
        STATE,
        {"n_iter": 400000, "generator": STATE, "optimizer_G": adam_state()},
        {"iteration": 2000000, "generator": STATE},
        {"discriminator": STATE},
        {"net": STATE, "optimize": adam_state()},
        {"model": STATE, "num_classes": 9605, "idx_to_class": {0: "cat"}},
    ],
    ids=["plain", "RFR", "EdgeConnect", "EdgeConnect's discriminator", "MFE in training", "TResNet"],
)
def test_a_state_is_found_in_every_wrapping(tmp_path, content, legacy):
    torch.save(content, tmp_path / "file", _use_new_zipfile_serialization=not legacy)
    assert same(read_state(tmp_path / "file"))


def test_own_files_round_trip_whole(tmp_path):
    path = tmp_path / "weights.safetensors"
    save_weights(STATE | {"a.bias": torch.ones(20).expand(20)}, path)
    assert same(read_state(path))
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.filterwarnings("ignore:Detected pickle protocol")
@pytest.mark.parametrize("how", [None, os.system, exec], ids=["pathlib", "a shell", "exec"])
@pytest.mark.parametrize("form", ["zip", "legacy", "pickle 2", "pickle 4"])
@pytest.mark.parametrize("place", ["top", "optimizer_G", "optimizer_G deep"])
def test_a_file_that_holds_code_is_refused_and_runs_nothing(tmp_path, place, form, how):
    marker, path = tmp_path / "the code ran", tmp_path / "evil.pth"
    scripts = {os.system: f"touch '{marker}'", exec: f"open({str(marker)!r}, 'w')"}
    trap = Trap(scripts[how], how) if how else Trap(marker)
    optimizer = trap if place == "optimizer_G" else adam_state() | {"param_groups": [{"lr": trap}]}
    content = trap if place == "top" else {"n_iter": 400000, "generator": STATE, "optimizer_G": optimizer}
    if form.startswith("pickle"):
        path.write_bytes(pickle.dumps(content, protocol=int(form[-1])))
    else:
        torch.save(content, path, _use_new_zipfile_serialization=form == "zip")
    assert "was refused" in refusal(path)
    assert not marker.exists()
    pickle.loads(pickle.dumps(trap))
    assert marker.exists()  # the trap was a real one


def test_the_message_names_what_was_found(tmp_path):
    torch.save({"net": torch.nn.Linear(2, 2)}, tmp_path / "whole_network.pth")
    message = refusal(tmp_path / "whole_network.pth")
    assert "torch.nn.modules.linear.Linear" in message
    assert "Nothing was run. Expected a plain state dict." in message


def test_environment_cannot_switch_safety_off(tmp_path, monkeypatch):
    monkeypatch.setenv("TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD", "1")
    test_a_file_that_holds_code_is_refused_and_runs_nothing(tmp_path, "top", "zip", None)


def test_every_truncation_of_an_old_file_is_one_clear_error(tmp_path):
    torch.save({"bias": torch.zeros(2)}, tmp_path / "whole.pth", _use_new_zipfile_serialization=False)
    content = (tmp_path / "whole.pth").read_bytes()
    for kept in range(len(content)):
        (tmp_path / "part.pth").write_bytes(content[:kept])
        assert "part.pth" in refusal(tmp_path / "part.pth")


@pytest.mark.parametrize("form", ["zip", "legacy", "safetensors"])
@pytest.mark.parametrize("kept", [0, 1, 10, 300, 2000, -1])
def test_a_truncated_file_is_refused(tmp_path, form, kept):
    path = tmp_path / f"weights.{'safetensors' if form == 'safetensors' else 'pth'}"
    if form == "safetensors":
        save_weights(STATE, path)
    else:
        torch.save(STATE, path, _use_new_zipfile_serialization=form == "zip")
    path.write_bytes(path.read_bytes()[:kept])
    assert "is damaged" in refusal(path)


@pytest.mark.parametrize("name", ["checkpoint.pth", "EN.pkl", "weights.safetensors"])
@pytest.mark.parametrize(
    "content", ["<!DOCTYPE html><html>Quota exceeded</html>", "\n <html>\n  <p>virus scan warning"]
)
def test_a_web_page_in_place_of_a_file_is_called_one(tmp_path, name, content):
    (tmp_path / name).write_text(content)
    message = refusal(tmp_path / name)
    assert "is a web page, not a weight file" in message
    assert "Fetch it again." in message


def test_something_else_entirely(tmp_path):
    (tmp_path / "image.pth").write_bytes(b"\x89PNG\r\n")
    refusal(tmp_path / "image.pth")
    with zipfile.ZipFile(tmp_path / "archive.pth", "w") as archive:
        archive.writestr("RFR_Net_pretrained/checkpoint_celeba.pth", b"unpack me")
    assert "not a PyTorch file" in refusal(tmp_path / "archive.pth")


def test_missing_files_and_folders(tmp_path):
    assert "does not exist" in refusal(tmp_path / "nothing.pt")
    assert "is a folder" in refusal(tmp_path)


@pytest.mark.parametrize(
    ("content", "got"),
    [
        ({"epoch": 3}, "a dictionary with epoch"),
        ({}, "a dictionary with nothing in it"),
        ({"generator": {}}, "a dictionary with nothing in it"),
        (adam_state(), "a dictionary with state, param_groups"),
        (STATE | {"epoch": 3}, "a dictionary with a.weight, a.bias, epoch"),
        ({0: torch.zeros(1), 1: torch.zeros(1)}, "a dictionary with 0, 1"),
        ([torch.zeros(1)], "list"),
        (torch.zeros(1), "Tensor"),
    ],
)
def test_a_file_without_weights_says_what_it_holds(tmp_path, content, got):
    torch.save(content, tmp_path / "note.pt")
    assert f"holds no weights: expected a dictionary of tensors, got {got}." in refusal(tmp_path / "note.pt")
