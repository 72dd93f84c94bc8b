"""Colours: few, and shared within a picture, so that what is seen tells the colour of what is hidden."""

from collections.abc import Iterable, Sequence
from typing import TypeVar

import numpy as np

Colour = tuple[int, int, int]
T = TypeVar("T")

WHITE: Colour = (245, 243, 236)
INK: Colour = (38, 36, 46)
GLASS: Colour = (58, 78, 108)
LIT_GLASS: Colour = (255, 216, 112)
GOLD: Colour = (240, 196, 70)
GRASS: Colour = (96, 160, 78)
LEAF: Colour = (48, 112, 66)
TRUNK: Colour = (104, 70, 48)
ASPHALT: Colour = (86, 86, 98)
STONE: Colour = (190, 184, 174)

WALL_PAIRS: tuple[tuple[Colour, Colour], ...] = (
    ((196, 86, 66), (240, 222, 184)),
    ((232, 178, 84), (244, 240, 228)),
    ((112, 150, 190), (240, 226, 200)),
    ((140, 186, 150), (244, 236, 214)),
    ((226, 150, 140), (244, 232, 216)),
    ((176, 128, 166), (238, 222, 196)),
)
ROOFS: tuple[Colour, ...] = ((150, 58, 46), (76, 82, 104), (112, 76, 60))
ACCENTS: tuple[Colour, ...] = (
    (204, 56, 52),
    (46, 96, 176),
    (40, 132, 96),
    (228, 156, 44),
    (126, 70, 148),
    (36, 136, 156),
)
FACADE_WALLS: tuple[Colour, ...] = (
    (226, 206, 170),
    (214, 148, 116),
    (236, 204, 112),
    (186, 200, 206),
    (192, 108, 88),
    (170, 196, 160),
    (236, 228, 214),
    (222, 172, 172),
)
SKINS: tuple[Colour, ...] = ((250, 220, 196), (236, 190, 154), (206, 150, 110), (158, 104, 72), (112, 72, 52))
HAIRS: tuple[Colour, ...] = ((44, 34, 34), (104, 62, 38), (170, 84, 40), (226, 184, 96), (176, 172, 172))
EYES: tuple[Colour, ...] = ((64, 112, 168), (70, 128, 80), (104, 68, 40))


def shade(colour: Colour, factor: float) -> Colour:
    """Make a colour darker (factor < 1) or lighter (factor > 1, towards white)."""
    if factor <= 1:
        return _rounded(channel * factor for channel in colour)
    return mix(colour, (255, 255, 255), factor - 1)


def mix(first: Colour, second: Colour, share: float) -> Colour:
    """Blend two colours; `share` in [0, 1] is that of the second."""
    return _rounded(a + (b - a) * share for a, b in zip(first, second, strict=True))


def choose(rng: np.random.Generator, options: Sequence[T]) -> T:
    """Draw one of the options, each equally likely."""
    return options[int(rng.integers(len(options)))]


def vary(rng: np.random.Generator, colour: Colour, amount: float = 22.0) -> Colour:
    """Move a colour a little, so that no two pictures have quite the same palette."""
    return _rounded(min(max(channel + rng.uniform(-amount, amount), 0), 255) for channel in colour)


def _rounded(channels: Iterable[float]) -> Colour:
    red, green, blue = (round(channel) for channel in channels)
    return red, green, blue
