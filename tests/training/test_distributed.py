"""Whole processes: several train like one, and a terminated one loses nothing."""

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd
import pytest
import torch
import yaml
from safetensors.torch import load_file

from spl.cli import data
from spl.common.errors import TrainingError
from spl.training.launch import launcher
from tests.conftest import REPOSITORY, read_raw
from tests.training.shares import SHARES
from tests.workflow.conftest import shrink

SPL = (sys.executable, "-m", "spl")
SPL_TRAIN = (*SPL, "train-method", "--dataset", "paris", "--method", "spl", "--device", "cpu")
TORCHRUN = (sys.executable, "-m", "torch.distributed.run", "--nproc-per-node")


def run(folder: Path, *command: str) -> str:
    env = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(REPOSITORY)}
    done = subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def prepared(tmp_path_factory):
    """Prepared images and masks, by the functions behind the commands."""
    folder = tmp_path_factory.mktemp("prepared")
    raw = shrink(read_raw(REPOSITORY / "presets/demo.yaml"))
    # Without a teacher SPL is quicker.
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


SRUN = """#!/bin/sh
while [ "$1" != env ]; do shift; done
SLURM_NODEID=0 "$@" & SLURM_NODEID=1 "$@" && wait %1
"""


@pytest.fixture(scope="module")
def shared(prepared):
    """A training in one process, and parameters of the same one in two, with two parts each."""
    run(prepared, *SPL_TRAIN, "--out", "one")
    raw = yaml.safe_load((prepared / "params.yaml").read_text())
    raw["methods"]["spl"]["training"] |= {"processes": 2, "parts": 2}
    (prepared / "two.yaml").write_text(yaml.safe_dump(raw))
    (prepared / "bin").mkdir()
    (prepared / "bin/srun").write_text(SRUN)  # a stand-in, whose nodes are this machine
    (prepared / "bin/srun").chmod(0o755)
    return prepared


@pytest.mark.parametrize("nodes", ["1", "2"])
def test_two_processes_train_like_one(shared, nodes, monkeypatch):
    monkeypatch.setenv("PATH", str(shared / "bin"), prepend=os.pathsep)
    monkeypatch.setenv("SLURM_JOB_ID", "7")
    run(shared, *SPL_TRAIN, "--params", "two.yaml", "--nodes", nodes, "--out", nodes)
    one, two = (load_file(shared / out / "weights.safetensors") for out in ("one", nodes))
    # Adam with beta1 = 0 moves a weight by lr times the sign of its gradient, so where a gradient is nearly zero the
    # order of a sum decides; everything else agrees.
    steps, lr = 2, 0.0001
    distance = torch.cat([(one[name] - two[name]).abs().flatten() for name in one])
    assert 0 < distance.max() <= 2.1 * steps * lr
    assert (distance < 1e-6).float().mean() > 0.95
    assert json.loads((shared / nodes / "run.json").read_text())["processes"] == 2
    pd.testing.assert_frame_equal(*(pd.read_csv(shared / out / "log.csv") for out in ("one", nodes)), rtol=1e-4)


@pytest.mark.parametrize(
    ("processes", "nodes", "environment", "expected"),
    [
        (1, 2, {}, []),
        (4, 1, {"WORLD_SIZE": "4"}, []),
        (4, 2, {"WORLD_SIZE": "4"}, []),
        (4, 1, {"SLURM_JOB_ID": "7"}, [*TORCHRUN, "4", "--standalone"]),
        (2, 1, {"WORLD_SIZE": "4"}, "processes is 2, but torchrun has started 4"),
        (1, 1, {"WORLD_SIZE": "2"}, "processes is 1, but torchrun has started 2"),
        (3, 2, {"SLURM_JOB_ID": "7"}, "2 nodes cannot share 3 processes equally"),
        (4, 2, {}, "--nodes 2: this is no Slurm job"),
    ],
)
def test_a_command_starts_itself_as_often_as_the_parameters_say(processes, nodes, environment, expected):
    if isinstance(expected, list):
        assert launcher(processes, nodes=nodes, environment=environment) == expected
    else:
        with pytest.raises(TrainingError, match=expected):
            launcher(processes, nodes=nodes, environment=environment)


def test_the_number_of_processes_and_of_parts_changes_no_gradient_and_no_loss():
    done = run(REPOSITORY, sys.executable, "-m", "tests.training.shares", "float64")
    rows = [line.split() for line in done.splitlines()]
    assert len(rows) == 5 * len(SHARES)
    for *case, gradients, losses, states in rows:
        assert max(float(gradients), float(losses), float(states)) < 1e-6, case


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
        assert re.search(r"stopped after step \d+ of \d+; the state is kept in checkpoints/paris/rn/seed1: ", errors)
        assert (prepared / "checkpoints/paris/rn/seed1/state.pt").exists()
    assert spl(*train_rn, "--out", "stopped", cwd=prepared).status == 0
    one, two = (load_file(prepared / out / "weights.safetensors") for out in ("stopped", "straight"))
    assert all(torch.equal(one[name], two[name]) for name in one)
