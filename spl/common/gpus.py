"""GPUs of one machine, each for one process at a time."""

import os
import subprocess
import sys
import tempfile
import time
from itertools import count
from pathlib import Path

from spl.common.locks import take_lock

SLOTS = "SPL_GPU_SLOTS"
"""Variable with the GPUs to choose from, as CUDA_VISIBLE_DEVICES names them; without it nothing is chosen."""


def list_gpus() -> list[str]:
    """Return the names of the GPUs that this machine has, or that CUDA_VISIBLE_DEVICES leaves of them."""
    if "CUDA_VISIBLE_DEVICES" in os.environ:
        return list(filter(None, os.environ["CUDA_VISIBLE_DEVICES"].split(",")))
    try:
        command = ["nvidia-smi", "--query-gpu=index", "--format=csv,noheader"]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
    except (OSError, subprocess.CalledProcessError):
        return []


def take_gpu() -> None:
    """Show this process only a GPU that no other process of this user has taken, and keep that to the process's end.

    Waits for one. The locks are files in the machine's own temporary folder, so a killed process gives its GPU back.
    """
    slots = list(filter(None, os.environ.pop(SLOTS, "").split(",")))
    folder = Path(tempfile.gettempdir(), f"spl-gpus-{os.getuid()}")
    folder.mkdir(exist_ok=True)
    for attempt in count() if slots else ():
        for gpu in slots:
            lock = os.open(folder / gpu, os.O_WRONLY | os.O_CREAT)  # open, and so locked, until the process ends
            if take_lock(lock):
                os.environ["CUDA_VISIBLE_DEVICES"] = gpu
                print(f"on GPU {gpu}", file=sys.stderr)
                return
            os.close(lock)
        if not attempt:
            print(f"waiting for one of the GPUs {', '.join(slots)}; their locks are in {folder}", file=sys.stderr)
        time.sleep(1)
