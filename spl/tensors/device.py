"""Choice of the device."""

import torch

from spl.common.errors import SPLError
from spl.common.gpus import take_gpu


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
