"""Occlusion of objects by a hole."""

import numpy as np

BOX = ["x_min", "y_min", "x_max", "y_max"]
"""Columns of a table of detections, in pixels."""

HALF_OCCLUDED = 0.5
"""Share of a box that must be missing for its object to count as occluded, in figures and claims."""


def occluded_fraction(hole: np.ndarray, box: np.ndarray) -> float:
    """Return the share of a box's pixels that are missing.

    Shapes: hole (H, W) bool; box (4,) left, top, right, bottom in pixels. A box touches at least one pixel.
    """
    left, top = (int(np.clip(round(edge), 0, side - 1)) for edge, side in zip(box[:2], hole.shape[::-1], strict=True))
    right, bottom = max(left + 1, round(box[2])), max(top + 1, round(box[3]))
    return float(hole[top:bottom, left:right].mean())
