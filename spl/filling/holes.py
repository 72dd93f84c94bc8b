"""Holes of an image of any size: the boxes in which they are filled, and what is pasted."""

import math
from collections.abc import Callable, Sequence

import cv2
import numpy as np

from spl.common.errors import DataError
from spl.data.masks import ratio_bin

Fill = Callable[[np.ndarray, np.ndarray], np.ndarray]
"""image (H, W, 3) uint8, blank in the hole, and mask (H, W) bool, True = hole -> filled image (H, W, 3) uint8."""
Box = tuple[slice, slice]
"""Rows and columns."""


def crop_boxes(hole: np.ndarray, *, least: int, context: float) -> list[Box]:
    """Return the boxes in which the holes of an image are filled; every hole lies in one, and none overlap.

    A box is a square around its hole, `context` times as long as the hole's longer side and at least `least` pixels,
    moved inwards at borders, and no longer than the image. Holes whose squares meet share one.
    Shapes: hole (H, W) bool.
    """
    stats = cv2.connectedComponentsWithStats(hole.astype(np.uint8))[2][1:]
    holes = [(top, top + height, left, left + width) for left, top, width, height, _ in stats.tolist()]
    while True:
        boxes = [_square(*sides, hole.shape, least, context) for sides in holes]
        covered = np.zeros(hole.shape, np.uint8)
        for box in boxes:
            covered[box] = 1
        number, labels = cv2.connectedComponents(covered, connectivity=4)
        if number - 1 == len(boxes):
            return boxes
        groups = dict[int, list[tuple[int, int, int, int]]]()
        for (rows, columns), sides in zip(boxes, holes, strict=True):
            groups.setdefault(int(labels[rows.start, columns.start]), []).append(sides)
        edges = (tuple(zip(*group, strict=True)) for group in groups.values())
        holes = [(min(top), max(bottom), min(left), max(right)) for top, bottom, left, right in edges]


def _square(top: int, bottom: int, left: int, right: int, shape: Sequence[int], least: int, context: float) -> Box:
    side = max(least, math.ceil(max(context, 1) * max(bottom - top, right - left)))
    rows, columns = (
        slice(start := min(max((low + high - side) // 2, 0), max(length - side, 0)), start + min(side, length))
        for low, high, length in ((top, bottom, shape[0]), (left, right, shape[1]))
    )
    return rows, columns


def grow_hole(hole: np.ndarray, pixels: int) -> tuple[np.ndarray, np.ndarray]:
    """Return a hole with a ring around it, and how much of the fill is seen: 1 in the hole, less towards the image.

    Shapes: hole, both returned (H, W); bool and float.
    """
    distance = cv2.distanceTransform((~hole).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    return distance <= pixels, np.clip(1 - distance / (pixels + 1), 0, 1)


def fill_boxes(
    image: np.ndarray, hole: np.ndarray, fill: Fill, boxes: Sequence[Box], seen: np.ndarray | None = None
) -> np.ndarray:
    """Fill the holes in each box; outside them the image stays as it is.

    Where all known pixels of a box are grey, so is its fill. `seen` blends fill and image, as `grow_hole` says.
    Shapes: image, returned (H, W, 3) uint8; hole (H, W) bool; seen (H, W).
    """
    result = image.copy()
    for box in boxes:
        missing, visible = hole[box].copy(), image[box].copy()
        visible[missing] = 255
        filled = fill(visible, missing)
        if (visible == visible[..., :1]).all():
            filled = np.repeat(cv2.cvtColor(filled, cv2.COLOR_RGB2GRAY)[..., None], 3, axis=2)
        if seen is not None:
            share = seen[box][..., None]
            filled = np.rint(share * filled + (1 - share) * image[box]).astype(np.uint8)
        result[box][missing] = filled[missing]
    return result


def at_size(fill: Fill, size: int) -> Fill:
    """Return a fill for images of any size by one for squares of `size` pixels: what is larger is shrunk."""

    def fill_any(image: np.ndarray, mask: np.ndarray) -> np.ndarray:
        height, width = mask.shape
        way = cv2.INTER_AREA if min(height, width) >= size else cv2.INTER_LINEAR
        small = cv2.resize(image, (size, size), interpolation=way)
        # What is to be removed must not shine through: every touched pixel counts as missing.
        missing = cv2.resize(mask.astype(np.float32), (size, size), interpolation=way) > 0
        filled = fill(small, missing)  # and `small` around holes, so that their border is enlarged from known pixels
        return cv2.resize(filled, (width, height), interpolation=cv2.INTER_CUBIC)

    return fill_any


def check_share(hole: np.ndarray, name: object, kind: str) -> None:
    """Raise DataError unless a hole is more than none, and at most 60 % of the image."""
    if ratio_bin(hole.mean()) is None:
        share = f"{hole.mean():.1%} of the pixels are a hole ({kind})"
        raise DataError(f"{name}: {share}; expected more than none and at most 60 %")


THIN, BLURRED = 8, 4
"""Width of a scratch in pixels, and how often a network's pixels may be enlarged before it shows."""


def advise(hole: np.ndarray, boxes: Sequence[Box], size: int) -> list[str]:
    """Say, a clause each, where a network for images of `size` pixels is not the fill to choose."""
    clauses = list[str]()
    inside = (cv2.distanceTransform(hole[box].astype(np.uint8), cv2.DIST_L2, 3).max() for box in boxes)
    if 2 * max(inside) <= THIN:
        clauses.append(f"a hole at most {THIN} pixels wide: telea is usually better")
    sides = (max(part.stop - part.start for part in box) for box in boxes)
    if (side := max(sides)) > BLURRED * size:
        clauses.append(f"{side} pixels filled by a network for {size}: blurred; patchmatch stays sharp")
    return clauses
