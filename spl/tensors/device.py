"""Choice of the device."""

import torch

from spl.common.errors import SPLError


def pick_device(name: str | None = None) -> torch.device:
    """Return the named device, or the GPU if there is one.

    Raises: SPLError if this machine has no such device.
    """
    gpus = [f"cuda:{i}" for i in range(torch.cuda.device_count())]
    here = ["cpu", *(["cuda", *gpus] if gpus else []), *(["mps"] if torch.backends.mps.is_available() else [])]
    name = name or ("cuda" if gpus else "cpu")
    if name not in here:
        raise SPLError(f"--device {name}: not here; this machine has: {', '.join(here)}")
    return torch.device(name)
