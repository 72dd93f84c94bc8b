"""Choice of the device, and of the thread that uses it."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import torch
from torch import Tensor
from torch.backends import cudnn

from spl.common.errors import SPLError
from spl.common.gpus import take_gpu


def arithmetic(device: torch.device, precision: str = "fp32") -> dict[str, str | bool]:
    """Return what rounds numbers on a device, for a record; there convolutions in fp32 may be made in TF32."""
    return {"device": device.type, "precision": precision, "tf32": device.type == "cuda" and cudnn.allow_tf32}


def pick_device(name: str | None = None) -> torch.device:
    """Return the named device, or the GPU if there is one: where jobs share several, one that is free.

    Raises: SPLError if this machine has no such device.
    """
    if name is None:
        take_gpu()
    gpus = [f"cuda:{i}" for i in range(torch.cuda.device_count())]
    here = ["cpu", *(["cuda", *gpus] if gpus else []), *(["mps"] if torch.backends.mps.is_available() else [])]
    name = name or ("cuda" if gpus else "cpu")
    if name not in here:
        raise SPLError(f"--device {name}: not here; this machine has: {', '.join(here)}")
    return torch.device(name)


def in_one_thread(network: Callable[..., Tensor], threads: int) -> Callable[..., Tensor]:
    """Let a network work on one batch at a time, with `threads` of arithmetic, whichever thread asks.

    PyTorch's number of threads holds for the thread that has set it: elsewhere convolutions would take all cores.
    """
    one = ThreadPoolExecutor(1, initializer=torch.set_num_threads, initargs=(threads,))
    return lambda *batch: one.submit(torch.no_grad()(network), *batch).result()
