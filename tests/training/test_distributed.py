"""Whole processes: two train like one, and a terminated one loses nothing."""

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

from tests.workflow.conftest import shrink


def run(folder: Path, *command: str) -> None:
    env = os.environ | {"OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture
def prepared(raw_params, tmp_path):
    """Prepared images and masks, by the commands a person would type."""
    raw = shrink(raw_params)
    # RN's statistics pool over the batch of one process, so only SPL can be equal; without a teacher it is quicker.
    raw["methods"]["spl"]["losses"]["lambda_prior"] = 0.0
    raw["methods"]["spl"]["training"] |= {"epochs": 1, "ema": None, "lr": 0.0001}
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(raw))
    spl = (sys.executable, "-m", "spl")
    run(tmp_path, *spl, "fetch", "images", "--dataset", "paris", "--record", "paris.json")
    run(
        tmp_path,
        *spl,
        "prepare",
        "images",
        "--dataset",
        "paris",
        "--source",
        "paris.json",
        "--folder",
        "data/prepared/paris",
    )
    run(tmp_path, *spl, "fetch", "masks", "--record", "masks.json")
    run(tmp_path, *spl, "prepare", "masks", "--source", "masks.json", "--folder", "data/masks")
    return tmp_path


def test_torchrun_with_two_processes_equals_one(prepared):
    train = ("-m", "spl", "train", "--dataset", "paris", "--method", "spl", "--device", "cpu")
    run(prepared, sys.executable, *train, "--out", "one")
    torchrun = (sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2")
    run(prepared, *torchrun, *train, "--out", "two")
    one, two = (load_file(prepared / out / "weights.safetensors") for out in ("one", "two"))
    # Adam with beta1 = 0 moves a weight by lr times the sign of its gradient, so where a gradient is nearly zero the
    # order of a sum decides; everything else agrees.
    steps, lr = 2, 0.0001
    distance = torch.cat([(one[name] - two[name]).abs().flatten() for name in one])
    assert distance.max() <= 2.1 * steps * lr
    assert (distance < 1e-6).float().mean() > 0.95


@pytest.mark.parametrize("workers", ["0", "2"])
def test_sigterm_to_the_whole_group_saves_the_state_and_the_same_command_goes_on(prepared, workers):
    raw = yaml.safe_load((prepared / "params.yaml").read_text())
    raw["methods"]["rn"]["training"]["epochs"] = 60
    (prepared / "params.yaml").write_text(yaml.safe_dump(raw))
    train = (sys.executable, "-m", "spl", "train", "--dataset", "paris", "--method", "rn", "--device", "cpu")
    command = (*train, "--workers", workers, "--out", "stopped")
    process = subprocess.Popen(command, cwd=prepared, start_new_session=True, stderr=subprocess.PIPE, text=True)
    log = prepared / "checkpoints/paris/rn/log.csv"
    deadline = time.monotonic() + 120
    while not log.exists() and time.monotonic() < deadline:
        time.sleep(0.1)
    os.killpg(process.pid, signal.SIGTERM)
    errors = process.communicate(timeout=60)[1]
    assert process.returncode == 143, errors
    assert "Traceback" not in errors
    assert (prepared / "checkpoints/paris/rn/state.pt").exists()
    run(prepared, *command)
    run(prepared, *train, "--out", "straight")
    one, two = (load_file(prepared / out / "weights.safetensors") for out in ("stopped", "straight"))
    assert all(torch.equal(one[name], two[name]) for name in one)
