"""Whole processes: two train like one, and a terminated one loses nothing."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
import yaml
from safetensors.torch import load_file

from spl.cli import data
from tests.conftest import REPOSITORY, read_raw
from tests.workflow.conftest import shrink

SPL = (sys.executable, "-m", "spl")
TORCHRUN = (sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2")


def run(folder: Path, *command: str) -> None:
    env = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(REPOSITORY)}
    done = subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture(scope="module")
def prepared(tmp_path_factory):
    """Prepared images and masks, by the functions behind the commands."""
    folder = tmp_path_factory.mktemp("prepared")
    raw = shrink(read_raw(REPOSITORY / "presets/demo.yaml"))
    # RN's statistics pool over the batch of one process, so only SPL can be equal; without a teacher it is quicker.
    raw["methods"]["spl"]["losses"]["lambda_prior"] = 0.0
    raw["methods"]["spl"]["training"] |= {"epochs": 1, "ema": None, "lr": 0.0001}
    raw["methods"]["rn"]["training"]["epochs"] = 60  # long enough to be stopped on the way
    (folder / "params.yaml").write_text(yaml.safe_dump(raw))
    with contextlib.chdir(folder):
        data.fetch_images("paris", Path("paris.json"))
        data.prepare_images("paris", Path("paris.json"), Path("data/prepared/paris"))
        data.fetch_masks(Path("masks.json"))
        data.group_masks(Path("masks.json"), Path("data/masks"))
    return folder


def test_torchrun_with_two_processes_equals_one(prepared, spl):
    train = ("train-method", "--dataset", "paris", "--method", "spl", "--device", "cpu")
    assert spl(*train, "--out", "one", cwd=prepared).status == 0
    run(prepared, *TORCHRUN, "-m", "spl", *train, "--out", "two")
    one, two = (load_file(prepared / out / "weights.safetensors") for out in ("one", "two"))
    # Adam with beta1 = 0 moves a weight by lr times the sign of its gradient, so where a gradient is nearly zero the
    # order of a sum decides; everything else agrees.
    steps, lr = 2, 0.0001
    distance = torch.cat([(one[name] - two[name]).abs().flatten() for name in one])
    assert distance.max() <= 2.1 * steps * lr
    assert (distance < 1e-6).float().mean() > 0.95


STEPS = """
import torch
import torch.distributed as dist
from spl.training.build import build_method
from spl.training.context import TrainingContext
from spl.training.distributed import join_world
from tests.training.conftest import fake_features, tiny_run

with join_world("cpu") as world:
    for name, training in {"rfr": {"norm_epochs": 1}, "mfe": {}, "ec": {}}.items():
        torch.manual_seed(0)
        context = TrainingContext(world, 48, 1, 0, None, fake_features)
        method = build_method(tiny_run(name, **training).recipe, context)
        torch.manual_seed(1 + world.rank)  # each process has its own share
        for step in range(3):  # EdgeConnect's three stages; RFR's norms are frozen after the first step
            image, mask = torch.rand(2, 3, 48, 48), (torch.rand(2, 1, 48, 48) < 0.3).float()
            extra_target = {"rfr": [], "mfe": [image], "ec": [mask]}[name]
            method.step(image, mask, *extra_target, step=step)
        states = {key: network.state_dict() for key, network in method.networks.items()}
        for key, state in states.items():
            for entry, value in state.items():
                if value.is_floating_point() and not (name == "rfr" and "running" in entry):
                    others = [torch.empty_like(value) for _ in range(world.size)]
                    dist.all_gather(others, value.contiguous())
                    assert all(torch.equal(value, other) for other in others), (name, key, entry)
"""


def test_both_processes_end_with_the_same_networks(tmp_path):
    (tmp_path / "steps.py").write_text(STEPS)
    run(tmp_path, *TORCHRUN, str(tmp_path / "steps.py"))


def test_sigterm_to_the_whole_group_saves_the_state_and_the_same_command_goes_on(prepared, spl):
    train_rn = ("train-method", "--dataset", "paris", "--method", "rn", "--device", "cpu")
    assert spl(*train_rn, "--out", "straight", cwd=prepared).status == 0
    log = prepared / "checkpoints/paris/rn/seed1/log.csv"

    def rows():
        return len(log.read_text().splitlines()) if log.exists() else 0

    for workers in ("0", "2"):  # stopped twice: alone, and together with its loaders
        before, command = rows(), (*SPL, *train_rn, "--workers", workers, "--out", "stopped")
        process = subprocess.Popen(command, cwd=prepared, start_new_session=True, stderr=subprocess.PIPE, text=True)
        deadline = time.monotonic() + 120
        while rows() <= before and time.monotonic() < deadline:
            time.sleep(0.1)
        os.killpg(process.pid, signal.SIGTERM)
        errors = process.communicate(timeout=60)[1]
        assert process.returncode == 143, errors
        assert "Traceback" not in errors
        assert (prepared / "checkpoints/paris/rn/seed1/state.pt").exists()
    assert spl(*train_rn, "--out", "stopped", cwd=prepared).status == 0
    one, two = (load_file(prepared / out / "weights.safetensors") for out in ("stopped", "straight"))
    assert all(torch.equal(one[name], two[name]) for name in one)
