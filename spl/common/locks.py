"""Locks between processes, also of several machines; a process that is killed gives its locks back."""

import fcntl
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import IO, Any


class Busy(Exception):
    """Another process holds the lock."""


@contextmanager
def locked(path: Path, *, waiting: str = "") -> Iterator[None]:
    """Hold the lock of a name; its file, an empty one, is there as long as somebody holds it.

    Another process that holds it is waited for with a message, if there is one.
    Raises: Busy if another process holds it and there is no message.
    """
    while True:
        with path.open("ab") as file:
            if not take_lock(file):
                if not waiting:
                    raise Busy
                print(waiting, file=sys.stderr)
                take_lock(file, wait=True)
            if os.fstat(file.fileno()).st_nlink:  # its holder may have removed it
                try:
                    yield
                finally:
                    path.unlink(missing_ok=True)
                return


def take_lock(file: IO[Any] | int, *, wait: bool = False, shared: bool = False) -> bool:
    """Lock an open file until it is closed; return False if another process has locked it.

    Where the file system has no locks, warn once and return True.
    """
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
