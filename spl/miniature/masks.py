"""Irregular masks in the spirit of Liu et al. (2018): a few thick strokes and blobs, white = hole."""

import math

import numpy as np
from PIL import Image, ImageDraw

from spl.miniature.images import generator

SIZE = 512
BIN_EDGES = ((0.01, 0.1), (0.1, 0.2), (0.2, 0.3), (0.3, 0.4), (0.4, 0.5), (0.5, 0.6))
THICKNESS = (56, 136)  # pixels of 512, that is 7 to 17 of 64: thin strokes are what diffusion is good at
FREE_MARGIN = 24  # pixels of 512 along the border that masks without border contact leave alone
EDGE_GAP = 0.004  # ratios keep this distance from the edges of their bin


def draw_mask(*, seed: int, index: int, size: int = SIZE) -> Image.Image:
    """Draw one mask, size x size, 8 bit, 255 = hole, with its hole ratio inside its bin.

    Bins take turns; in every other turn all masks touch the border.
    """
    rng = generator("masks", seed=seed, split="test", index=index)
    turn, ratio_bin = divmod(index, len(BIN_EDGES))
    touches_border, (low, high) = turn % 2 == 0, BIN_EDGES[ratio_bin]
    target = rng.uniform(low + EDGE_GAP, high - EDGE_GAP)
    mask = Image.new("L", (size, size))
    while True:
        candidate = mask.copy()
        first = mask.getbbox() is None
        room = high - EDGE_GAP - _ratio(mask)
        margin = None if touches_border else FREE_MARGIN * size / SIZE
        thickness = _thickness(rng, room, size)
        _stroke(candidate, rng, thickness=thickness, from_border=touches_border and first, margin=margin)
        ratio = _ratio(candidate)
        if ratio > high - EDGE_GAP or (touches_border and not _touches_border(candidate)):
            continue
        mask = candidate
        if ratio >= target:
            return mask


def _thickness(rng: np.random.Generator, room: float, size: int) -> float:
    """Draw a thickness in pixels; thick strokes only where there is room for them."""
    thinnest, thickest = THICKNESS
    return rng.uniform(thinnest, min(thickest, max(thinnest + 8, SIZE * math.sqrt(room)))) * size / SIZE


def _stroke(
    mask: Image.Image, rng: np.random.Generator, *, thickness: float, from_border: bool, margin: float | None
) -> None:
    """Paint one meandering stroke of a slowly changing thickness, off the margin if there is one."""
    draw = ImageDraw.Draw(mask)
    size = mask.width
    thinnest, thickest = (pixels * size / SIZE for pixels in THICKNESS)
    x, y = rng.uniform(0, size, 2)
    if from_border:
        x, y = ((x, 0), (x, size), (0, y), (size, y))[int(rng.integers(4))]
    heading = rng.uniform(0, 2 * math.pi)
    radius, step = thickness / 2, thickness / 6
    for _ in range(max(1, round(thickness * rng.uniform(0.2, 2.5) / step))):
        if margin is not None:
            x, y = (min(max(centre, margin + radius), size - margin - radius) for centre in (x, y))
        draw.ellipse((x - radius, y - radius, x + radius, y + radius), fill=255)
        heading += rng.normal(0, 0.35)
        radius = min(max(radius * rng.uniform(0.93, 1.07), thinnest / 2), thickest / 2)
        x, y = x + step * math.cos(heading), y + step * math.sin(heading)


def _touches_border(mask: Image.Image) -> bool:
    """Tell whether a hole reaches the outermost pixels."""
    box = mask.getbbox()
    return box is not None and (min(box[:2]) == 0 or max(box[2:]) == mask.width)


def _ratio(mask: Image.Image) -> float:
    """Return the share of hole pixels in [0, 1]."""
    return np.count_nonzero(np.asarray(mask)) / (mask.width * mask.height)
