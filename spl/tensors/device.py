"""Choice of the device."""

import torch
from torch.backends import cudnn

from spl.common.errors import SPLError


def arithmetic(device: torch.device, precision: str = "fp32") -> dict[str, str | bool]:
    """Return what rounds numbers on a device, for a record; there convolutions in fp32 may be made in TF32."""
    return {"device": device.type, "precision": precision, "tf32": device.type == "cuda" and cudnn.allow_tf32}


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
