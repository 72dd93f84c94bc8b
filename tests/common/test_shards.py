"""Long work is done once, in order, by any number of processes, and goes on after a kill."""

import os
import signal
import subprocess
import sys
import textwrap
import time

import pytest

from spl.common.errors import DataError
from spl.common.shards import SHARD_ROWS, resumable_folder, run_shards

COUNT = 5 * SHARD_ROWS + 7
ROWS = [(i,) for i in range(COUNT)]
SHOWN = {"total": COUNT, "what": "work", "unit": "row"}


def square(shard):
    """Work whose calls leave a trace."""
    for row in shard.rows:
        if row[0] == "bad":
            raise DataError("row is bad")
    (shard.table.parent.parent / f"did-{shard.first}-{time.monotonic_ns()}").touch()
    return [(row[0], row[0] ** 2) for row in shard.rows]


def fall(shard):
    os.kill(os.getpid(), signal.SIGKILL)


def results(folder, rows, *, workers=1, work=square):
    return [row for part in run_shards(rows, work, folder, workers=workers, **SHOWN) for row in part]


def done(folder):
    return sorted(int(path.name.split("-")[1]) for path in folder.glob("did-*"))


@pytest.mark.parametrize("workers", [0, 1, 2, 3])
def test_results_come_in_order_whatever_the_number_of_processes(tmp_path, workers):
    assert results(tmp_path, ROWS, workers=workers) == [[str(i), str(i * i)] for i in range(COUNT)]


def test_only_shards_whose_rows_changed_are_done_again(tmp_path):
    first = results(tmp_path, ROWS)
    assert results(tmp_path, ROWS) == first
    assert done(tmp_path) == list(range(0, COUNT, SHARD_ROWS))
    changed = ROWS.copy()
    changed[2 * SHARD_ROWS + 5] = (-1,)
    assert results(tmp_path, changed)[2 * SHARD_ROWS + 5] == ["-1", "1"]
    assert done(tmp_path).count(2 * SHARD_ROWS) == 2
    assert len(done(tmp_path)) == 6 + 1


@pytest.mark.parametrize("workers", [1, 2])
def test_an_error_stops_the_work_and_keeps_what_was_finished(tmp_path, workers):
    with pytest.raises(DataError, match="row is bad"):
        results(tmp_path, [*ROWS[:-1], ("bad",)], workers=workers)
    assert len(results(tmp_path, ROWS, workers=workers)) == COUNT
    assert len(done(tmp_path)) == 6


def test_a_killed_worker_is_reported_not_waited_for(tmp_path):
    with pytest.raises(DataError, match="a worker process was killed, perhaps for lack of memory"):
        results(tmp_path, ROWS, workers=2, work=fall)


def test_a_folder_appears_when_the_block_ends_and_remembers_until_then_unless_the_key_changes(tmp_path):
    folder = tmp_path / "folder"

    def interrupt(key, name):
        with pytest.raises(RuntimeError), resumable_folder(folder, key) as temporary:
            (temporary / name).touch()
            raise RuntimeError

    interrupt(1, "kept")
    assert not folder.exists()
    with resumable_folder(folder, 1):
        pass
    assert [path.name for path in folder.iterdir()] == ["kept"]
    interrupt(1, "half")
    with resumable_folder(folder, 2) as temporary:
        assert not (temporary / "half").exists()
        assert (folder / "kept").exists()  # the old folder stays until the end
    assert list(folder.iterdir()) == []


def test_workers_end_when_their_parent_is_killed(tmp_path):
    program = textwrap.dedent("""
        import sys, time
        from pathlib import Path
        from spl.common.shards import run_shards
        from tests.common.test_shards import ROWS, linger
        if __name__ == "__main__":
            list(run_shards(ROWS, linger, Path(sys.argv[1]), workers=2, what="work", unit="row"))
    """)
    (tmp_path / "program.py").write_text(program)
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    parent = subprocess.Popen([sys.executable, tmp_path / "program.py", tmp_path], env=environment)
    deadline = time.monotonic() + 60
    while len(pids := [int(path.name[4:]) for path in tmp_path.glob("pid-*")]) < 2:
        assert time.monotonic() < deadline, "no workers"
        time.sleep(0.05)
    parent.kill()
    parent.wait()
    while any(is_running(pid) for pid in pids):
        assert time.monotonic() < deadline, "workers are left behind"
        time.sleep(0.05)


def linger(shard):
    (shard.table.parent.parent / f"pid-{os.getpid()}").touch()
    time.sleep(300)


def is_running(pid):
    try:
        return "State:\tZ" not in open(f"/proc/{pid}/status").read()
    except FileNotFoundError:
        return False
