"""The device that a person names is one of this machine, or the error lists what there is."""

import pytest
import torch

from spl.common.errors import SPLError
from spl.tensors.device import pick_device


@pytest.fixture
def machine(monkeypatch):
    """A function that gives this machine so many GPUs."""

    def have(gpus: int) -> None:
        monkeypatch.setattr(torch.cuda, "device_count", lambda: gpus)
        monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)

    return have


@pytest.mark.parametrize(
    ("gpus", "name", "picked"),
    [
        (0, None, "cpu"),
        (0, "cpu", "cpu"),
        (2, None, "cuda"),
        (2, "cpu", "cpu"),
        (2, "cuda", "cuda"),
        (2, "cuda:1", "cuda:1"),
    ],
)
def test_a_device_of_this_machine_is_taken(machine, gpus, name, picked):
    machine(gpus)
    assert pick_device(name) == torch.device(picked)


@pytest.mark.parametrize(("gpus", "here"), [(0, "cpu"), (2, "cpu, cuda, cuda:0, cuda:1")])
@pytest.mark.parametrize("name", ["cuda", "cuda:7", "cuda:x", "mps", "gpu", "meta", "xpu"])
def test_another_device_is_refused_with_those_that_there_are(machine, name, gpus, here):
    machine(gpus)
    if name in here.split(", "):
        return
    with pytest.raises(SPLError, match=rf"^--device {name}: not here; this machine has: {here}$"):
        pick_device(name)


def test_the_command_line_says_it_in_one_line(spl, tmp_path):
    ended = spl(
        "inpaint", "--image", "a.png", "--mask", "b.png", "--weights", "run", "--out", "c.png", "--device", "gpu"
    )
    assert ended.status == 1
    assert "--device gpu: not here; this machine has: cpu" in ended.err
    assert "Traceback" not in ended.err
