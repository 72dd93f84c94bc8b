"""Rates of known devices."""

import csv
import os
import shutil
import subprocess
from pathlib import Path
from typing import NamedTuple

from spl.common.errors import SPLError
from spl.config.experiment import Params

FOR_CPU = 128
"""Side of the largest images, in pixels, that an experiment without a GPU is planned for on the CPU."""


class Device(NamedTuple):
    """What a network runs on, a GPU or one thread of a processor."""

    name: str
    kind: str
    tflops: float
    """Floating-point operations a second that training reaches, in 10¹²."""
    microseconds: float
    """Of every call of a kernel."""
    source: str

    def seconds(self, operations: float, calls: int) -> float:
        """Return how long some work takes."""
        return operations / self.tflops / 1e12 + calls * self.microseconds / 1e6


def known_devices() -> dict[str, Device]:
    """Return the devices of the package's table by name."""
    with Path(__file__).with_name("devices.csv").open(newline="", encoding="utf-8") as file:
        return {
            name: Device(name, kind, float(tflops), float(microseconds), source)
            for name, kind, tflops, microseconds, source in list(csv.reader(file))[1:]
        }


def gpu_here() -> str | None:
    """Return the name of this machine's first GPU, if it has one."""
    if not shutil.which("nvidia-smi"):
        return None
    query = ["nvidia-smi", "--query-gpu=name", "--format=csv,noheader"]
    return subprocess.run(query, capture_output=True, text=True, check=False).stdout.partition("\n")[0] or None


def planned_device(params: Params, name: str | None = None) -> Device:
    """Return the device that is named, by default by SPL_DEVICE; else the GPU that is here; else the CPU or a slow GPU.

    Raises: SPLError if the table has no such device.
    """
    known = known_devices()
    if name := name or os.environ.get("SPL_DEVICE"):
        if name not in known:
            raise SPLError(f"no rates of the device {name!r} are known; known are: {', '.join(known)}")
        return known[name]
    if here := gpu_here():
        return next((device for device in known.values() if device.name in here), known["conservative GPU"])
    is_small = max(dataset.image_size for dataset in params.datasets.values()) <= FOR_CPU
    return known["cpu" if is_small else "conservative GPU"]
