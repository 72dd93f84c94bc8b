"""What two processes may not have at once: a name, and a GPU of one machine; a killed one gives both back."""

import os
import signal
import subprocess
import sys

import pytest

from spl.common import locks
from spl.common.files import write_text
from spl.common.locks import Busy, locked

TAKE_GPU = """import os, time
from spl.common.gpus import take_gpu
take_gpu()
print(os.environ.get("CUDA_VISIBLE_DEVICES"), flush=True)
time.sleep(60)"""


@pytest.fixture
def start(tmp_path):
    """A function that starts a process which takes a GPU and then sleeps; all are killed in the end."""
    started = []

    def begin(**env: str) -> subprocess.Popen:
        env = os.environ | {"TMPDIR": str(tmp_path)} | env
        command = [sys.executable, "-c", TAKE_GPU]
        started.append(subprocess.Popen(command, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True))
        return started[-1]

    yield begin
    for process in started:
        process.kill()
        process.communicate()


def test_two_processes_never_share_a_gpu_and_a_killed_one_frees_its_own(start):
    first, second = (start(SPL_GPU_SLOTS="4,7") for _ in range(2))
    gpus = [process.stdout.readline().strip() for process in (first, second)]
    assert sorted(gpus) == ["4", "7"]
    third = start(SPL_GPU_SLOTS="4,7")
    assert third.stderr.readline().startswith("waiting for one of the GPUs 4, 7")
    first.send_signal(signal.SIGKILL)
    assert third.stdout.readline().strip() == gpus[0]


def test_without_slots_every_gpu_stays_visible(start):
    assert start(CUDA_VISIBLE_DEVICES="0,1").stdout.readline().strip() == "0,1"


def test_the_lock_says_who_holds_it_and_goes_with_its_holder(tmp_path, monkeypatch):
    lock = tmp_path / "run.lock"
    lock.write_text("process 1 on a machine that was lost")  # killed: the file stays, the lock does not
    monkeypatch.setenv("SLURM_JOB_ID", "77")
    with locked(lock):
        holder = rf"^process {os.getpid()} on {os.uname().nodename}, job 77, since 20\d\d-\d\d-\d\d \d\d:\d\d UTC$"
        with pytest.raises(Busy, match=holder), locked(lock):
            raise AssertionError
    assert not lock.exists()


def test_where_the_system_has_no_locks_a_lock_is_of_no_effect_and_goes_all_the_same(tmp_path, monkeypatch):
    monkeypatch.setattr(locks, "fcntl", None)  # Windows
    with locked(tmp_path / "a.lock"), locked(tmp_path / "a.lock"):
        assert (tmp_path / "a.lock").exists()
    assert not (tmp_path / "a.lock").exists()


def test_where_the_system_has_no_locks_files_are_written_all_the_same(tmp_path, monkeypatch):
    monkeypatch.setattr(locks, "fcntl", None)  # Windows
    write_text(tmp_path / "a.txt", "whole")
    assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [("a.txt", "whole")]
