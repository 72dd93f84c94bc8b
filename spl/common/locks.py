"""Locks between processes, also of several machines; a process that is killed gives its locks back.

Several machines: their shared file system has to pass `flock` on, as NFS, Lustre with `-o flock` and GPFS do.
"""

import os
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import IO, Any

try:
    import fcntl
except ImportError:  # Windows, where images are filled, and no workflow runs
    fcntl = None

JOB_IDS = ("SLURM_JOB_ID", "LSB_JOBID", "PBS_JOBID", "JOB_ID")
"""Variables in which Slurm, LSF, PBS and SGE tell a job its number."""


class Busy(Exception):
    """Another process holds the lock; the text says which."""


@contextmanager
def locked(path: Path, *, waiting: str = "") -> Iterator[None]:
    """Hold the lock of a name; its file is there as long as somebody holds it, and says who.

    Another process that holds it is waited for with a message, if there is one.
    Raises: Busy if another process holds it and there is no message.
    """
    while True:
        with path.open("a+", encoding="utf-8") as file:
            if not take_lock(file):
                file.seek(0)
                holder = file.read() or "another process"
                if not waiting:
                    raise Busy(holder)
                print(f"{waiting}: {holder}", file=sys.stderr)
                take_lock(file, wait=True)
            if _is_at(path, file):  # its holder may have removed it
                file.truncate(0)
                file.write(_this_process())
                file.flush()
                try:
                    yield
                finally:
                    if fcntl is None:
                        file.close()  # or it cannot be removed
                    with suppress(PermissionError):  # another process has it open
                        path.unlink(missing_ok=True)
                return


def holder_of(path: Path) -> str | None:
    """Return what the holder of a lock says about itself; None if nobody holds it."""
    try:
        with path.open(encoding="utf-8") as file:
            if take_lock(file, shared=True):
                return None
            return file.read() or "another process"
    except OSError:
        return None


def _is_at(path: Path, file: IO[Any]) -> bool:
    """Tell whether an open file still is the one of that name; NFS keeps a removed one under another."""
    try:
        return os.path.samestat(path.stat(), os.fstat(file.fileno()))
    except OSError:
        return False


def _this_process() -> str:
    """Describe this process to those who wait for it."""
    jobs = [f"job {number}" for number in map(os.environ.get, JOB_IDS) if number]
    since = f"since {datetime.now(UTC):%Y-%m-%d %H:%M} UTC"
    return ", ".join([f"process {os.getpid()} on {socket.gethostname()}", *jobs[:1], since])


def take_lock(file: IO[Any] | int, *, wait: bool = False, shared: bool = False) -> bool:
    """Lock an open file until it is closed; return False if another process has locked it.

    Where the file system has no locks, warn once and return True; so on Windows, without a warning.
    """
    if fcntl is None:
        return True
    kind = fcntl.LOCK_SH if shared else fcntl.LOCK_EX
    try:
        fcntl.flock(file, kind if wait else kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError as error:
        _warn(error.strerror)
    return True


@cache
def _warn(reason: str) -> None:
    print(f"warning: files cannot be locked here ({reason}): run one command at a time", file=sys.stderr)
