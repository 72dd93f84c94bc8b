"""Jobs that Snakemake starts elsewhere give what local ones give; a job of a machine with GPUs takes a free one."""

import fcntl
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys

import pytest
import yaml

from tests.conftest import REPOSITORY
from tests.workflow.conftest import Clone, make_copy, shrink

RUN = "results/weights/paris/rn/seed1"


@pytest.fixture(scope="module")
def trained(tmp_path_factory) -> Clone:
    """A folder in which RN was trained as usual, on the small world."""
    clone = make_copy(tmp_path_factory.mktemp("trained") / "work", shrink)
    clone.snakemake("params.yaml", "--", f"{RUN}/run.json", "data/pairs/paris.csv")
    return clone


@pytest.fixture
def prepared(trained, tmp_path) -> Clone:
    """A folder with the same images and masks."""
    shutil.copytree(trained.folder / "data", tmp_path / "work/data")
    shutil.copy(trained.folder / "params.yaml", tmp_path / "work")
    return Clone(tmp_path / "work", tmp_path / "cache")


@pytest.mark.parametrize("profile", ["slurm", "local-gpus"])
def test_the_profile_that_is_always_read_overrides_no_other_one(profile):
    """Snakemake prefers the workflow's own profile to that of --profile: it once turned retries off."""
    own, chosen = (
        yaml.safe_load((REPOSITORY / f"profiles/{name}/profile.yaml").read_text()) for name in ("default", profile)
    )
    assert not own.keys() & chosen.keys()


def test_a_job_that_a_scheduler_runs_trains_the_same_weights(trained, prepared):
    scheduler = ("--executor", "cluster-generic", "--cluster-generic-submit-cmd", "nohup bash", "--jobs", "1")
    prepared.snakemake("params.yaml", *scheduler, "--", f"{RUN}/run.json")
    weights = [clone.folder / RUN / "weights.safetensors" for clone in (trained, prepared)]
    assert weights[0].read_bytes() == weights[1].read_bytes()


def test_a_job_takes_the_gpu_that_no_other_one_has(prepared, tmp_path):
    locks = tmp_path / f"spl-gpus-{os.getuid()}"
    locks.mkdir()
    prepared.env |= {"CUDA_VISIBLE_DEVICES": "4,7", "TMPDIR": str(tmp_path)}
    with (locks / "4").open("w") as taken:
        fcntl.flock(taken, fcntl.LOCK_EX)
        where = ("--snakefile", str(REPOSITORY / "Snakefile"), "--profile", str(REPOSITORY / "profiles/local-gpus"))
        prepared.run("snakemake", *where, "--configfile", "params.yaml", "--", f"{RUN}/run.json")
    assert "on GPU 7\n" in (prepared.folder / "logs/train_method/paris/rn/seed1.log").read_text()


def test_a_run_does_not_begin_while_a_job_of_a_killed_one_trains_the_same(prepared):
    lock = prepared.folder / "checkpoints/paris/rn/seed1.lock"
    lock.parent.mkdir(parents=True)
    with lock.open("w+") as held:
        held.write("process 5 on node7, job 12")
        held.flush()
        fcntl.flock(held, fcntl.LOCK_EX)
        output = prepared.snakemake("params.yaml", "--", f"{RUN}/run.json", ok=False)
        assert "paris/rn/seed1 is being trained by process 5 on node7, job 12\n" in output
        assert "Finished jobid" not in output
        prepared.snakemake("params.yaml", "--", "data/pairs/paris.csv")  # what needs no training goes on


def test_when_all_processes_of_a_job_are_told_to_stop_its_shell_waits_for_the_command(tmp_path):
    """Seen on Slurm, which ends whatever is left of a job once its shell has ended."""
    prefix = re.search(r'^shell\.prefix\("(.*)"\)$', (REPOSITORY / "workflow/rules/common.smk").read_text(), re.M)[1]
    command = f"{shlex.quote(sys.executable)} -c {shlex.quote(SAVE)} 2> log"
    job = subprocess.Popen(["bash", "-c", prefix + command], cwd=tmp_path, stdout=subprocess.PIPE, process_group=0)
    job.stdout.readline()
    os.killpg(job.pid, signal.SIGTERM)
    assert job.wait(30) == 143
    assert (tmp_path / "saved").exists()


SAVE = """import signal, sys, time
def save(*_):
    time.sleep(0.5)
    open("saved", "w").close()
    sys.exit(143)
signal.signal(signal.SIGTERM, save)
print("ready", flush=True)
time.sleep(30)"""
