"""SPL: context-aware image inpainting with learned semantic priors (IJCAI 2021), reproduced.

>>> import numpy as np
>>> import spl
>>> mask = np.zeros((64, 64), bool)
>>> mask[20:30, 20:30] = True
>>> spl.inpaint(np.full((64, 64, 3), 90, np.uint8), mask, method="navier_stokes")[25, 25].tolist()
[90, 90, 90]
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from spl.filling.inpainter import inpaint as inpaint
    from spl.filling.inpainter import load_inpainter as load_inpainter

__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    """Import what fills holes when it is asked for: a command that does not fill starts without it."""
    if name not in ("inpaint", "load_inpainter"):
        raise AttributeError(f"module 'spl' has no attribute {name!r}")
    from spl.filling import inpainter

    return getattr(inpainter, name)
