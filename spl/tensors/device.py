"""Choice of the device."""

import torch


def pick_device(name: str | None = None) -> torch.device:
    """Return the named device, or the GPU if there is one."""
    return torch.device(name or ("cuda" if torch.cuda.is_available() else "cpu"))
