"""Mixed precision: the context of the forward passes."""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from typing import Literal

import torch

Autocast = Callable[[], AbstractContextManager]


def autocast(precision: Literal["fp32", "bf16"], device: torch.device) -> Autocast:
    """Return what makes the context; gradients are not scaled, which bfloat16 does not need."""
    return partial(torch.autocast, device.type, torch.bfloat16) if precision == "bf16" else nullcontext
