"""Seconds and memory that work takes on this machine."""

import statistics
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch

MIB = 2**20


class Meter:
    """A stopwatch for pieces of equal work; on a GPU a piece has to wait for its result."""

    def __init__(self) -> None:
        self.seconds: list[float] = []

    @contextmanager
    def piece(self) -> Iterator[None]:
        """Measure what happens in the block."""
        began = time.perf_counter()
        yield
        self.seconds.append(time.perf_counter() - began)

    def typical(self) -> float:
        """Return the median seconds of a piece, without the first, which is slower."""
        return statistics.median(self.seconds[1:] or self.seconds)


def reset_peak(device: torch.device) -> int:
    """Forget earlier peaks and return the bytes in use."""
    if device.type == "cuda":
        torch.cuda.init()
        torch.cuda.reset_peak_memory_stats(device)
        return torch.cuda.memory_allocated(device)
    Path("/proc/self/clear_refs").write_bytes(b"5")
    return _status("VmRSS")


def peak_memory(device: torch.device) -> int:
    """Return the most bytes that this process has had in use: on a GPU there, else altogether."""
    return torch.cuda.max_memory_allocated(device) if device.type == "cuda" else _status("VmHWM")


def _status(entry: str) -> int:
    """Return an entry of Linux's process status, in bytes."""
    lines = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text(encoding="utf-8").splitlines())
    return int(lines[entry].split()[0]) * 1024
