"""Reading weight files: whatever a file holds, nothing in it runs, and what is wrong is said once and clearly."""

import json
import math
import os
import pickle
import struct
import zipfile

import pytest
import torch

from spl.common.errors import CheckpointError
from spl.weights.files import read_state, save_weights
from spl.weights.fit import load_weights
from tests.released.fabricate import Trap, adam_state

LFS_POINTER = "version https://git-lfs.github.com/spec/v1\noid sha256:4d7a2146\nsize 12345\n"
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
    ("content", "what"),
    [
        (
            "<!DOCTYPE html><html>Quota exceeded</html>",
            "a web page instead of the file",
        ),
        ("\n <html>\n  <p>virus scan warning", "a web page instead of the file"),
        (LFS_POINTER, "a pointer of Git LFS instead of the file, which `git lfs pull` brings"),
    ],
    ids=["page", "page after blanks", "pointer of Git LFS"],
)
def test_what_lies_in_the_place_of_a_file_is_called_what_it_is(tmp_path, name, content, what):
    (tmp_path / name).write_text(content)
    message = refusal(tmp_path / name)
    assert f"{name} is {what}" in message
    assert message.endswith(". Fetch it again.")


@pytest.mark.filterwarnings("ignore:.*torch.jit:FutureWarning")
def test_an_archive_of_torchscript_is_called_one(tmp_path, recwarn):
    torch.jit.script(torch.nn.Linear(2, 2)).save(tmp_path / "traced.pt")
    recwarn.clear()
    assert "is a TorchScript archive, whose program is not run: expected the state dict" in refusal(
        tmp_path / "traced.pt"
    )
    assert not recwarn  # torch would tell how to run it


def test_a_huge_file_of_zeros_does_not_fit(tmp_path):
    header = json.dumps({"weight": {"dtype": "F32", "shape": [10**12], "data_offsets": [0, 4 * 10**12]}}).encode()
    path = tmp_path / "weights.safetensors"
    with path.open("wb") as file:
        file.write(struct.pack("<Q", len(header)) + header)
        file.truncate(file.tell() + 4 * 10**12)  # takes no room
    with pytest.raises(CheckpointError, match=str(path)):
        load_weights(torch.nn.Linear(2, 2), path)


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_weights_that_are_not_finite_fill_no_network(tmp_path, bad):
    network = torch.nn.BatchNorm1d(3)  # with a counter, which is no floating-point number
    state = {name: value.clone() for name, value in network.state_dict().items()}
    state["running_var"][1] = bad
    save_weights(state, tmp_path / "weights.safetensors")
    with pytest.raises(CheckpointError) as caught:
        load_weights(network, tmp_path / "weights.safetensors")
    assert f"{tmp_path / 'weights.safetensors'} does not fit" in str(caught.value)
    assert "1 with NaN or infinity (train or fetch it again): running_var" in str(caught.value)
    assert network.running_var.tolist() == [1, 1, 1]


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


# --- Archives around a file -------------------------------------------------------------------------------------------


@pytest.fixture
def pack(tmp_path):
    """A function: names and contents -> an archive of them; a state is a file of PyTorch."""

    def pack(members):
        with zipfile.ZipFile(tmp_path / "released.zip", "w", zipfile.ZIP_DEFLATED) as archive:
            for name, content in members.items():
                if not isinstance(content, bytes):
                    (save_weights if name.endswith("safetensors") else torch.save)(content, tmp_path / "member")
                    content = (tmp_path / "member").read_bytes()
                archive.writestr(name, content)
        (tmp_path / "member").unlink(missing_ok=True)
        return tmp_path / "released.zip"

    return pack


NOISE = {"big/config.yaml": b"a: 1", "__MACOSX/big/._best.ckpt": b"x", "big/.best.ckpt": b"x"}


@pytest.mark.parametrize("name", ["big/models/best.ckpt", "best.pth", "weights.safetensors", "../../outside.pt"])
def test_an_archive_of_one_weight_file_is_read_like_it(tmp_path, pack, monkeypatch, name):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "scratch"))
    (tmp_path / "scratch").mkdir()
    path = pack(NOISE | {name: STATE})
    assert same(read_state(path))
    assert sorted(file.name for file in tmp_path.rglob("*")) == ["released.zip", "scratch"]


def test_a_file_of_pytorch_is_no_such_archive_whatever_it_is_called(tmp_path):
    torch.save(STATE, tmp_path / "weights.zip")
    assert same(read_state(tmp_path / "weights.zip"))


@pytest.mark.parametrize(
    ("members", "told"),
    [
        (NOISE, "holds no weight files; expected one"),
        ({"a/EN.pkl": STATE, "a/DE.pkl": STATE}, r"holds 2 weight files (a/EN.pkl, a/DE.pkl); expected one"),
        ({"a.pth": b"no weights"}, "was refused"),
    ],
    ids=["none", "two", "damaged"],
)
def test_another_archive_is_refused(pack, members, told):
    assert told in refusal(pack(members))


def test_an_archive_that_would_fill_the_disk_is_refused(pack, monkeypatch):
    monkeypatch.setattr("spl.weights.files.LARGEST", 100)
    assert "holds no weight files" in refusal(pack({"a.pth": STATE}))


def test_what_is_packed_runs_no_code_either(tmp_path, pack):
    marker = tmp_path / "the code ran"
    assert "was refused" in refusal(pack({"evil.pth": {"generator": Trap(marker)}}))
    assert not marker.exists()


def test_a_truncated_archive_and_a_page_in_its_place_are_called_what_they_are(pack):
    path = pack({"a.pth": STATE})
    path.write_bytes(path.read_bytes()[:-30])
    assert "is damaged, or not a PyTorch file (File is not a zip file)" in refusal(path)
    path.write_text("<html>Quota exceeded</html>")
    assert "is a web page instead of the file" in refusal(path)
