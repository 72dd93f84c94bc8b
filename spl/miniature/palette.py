"""Colours: few, and shared within an image, so that what is seen tells the colour of what is hidden."""

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


def _colours(listed: str) -> tuple[Colour, ...]:
    """Read hexadecimal colours that are separated by blanks."""
    return tuple((int(colour[1:3], 16), int(colour[3:5], 16), int(colour[5:7], 16)) for colour in listed.split())


DARK_WALLS = _colours("#c45642 #e8b254 #7096be #8cba96 #e2968c #b080a6")
LIGHT_WALLS = _colours("#f0deb8 #f4f0e4 #f0e2c8 #f4ecd6 #f4e8d8 #eedec4")
WALL_PAIRS = tuple(zip(DARK_WALLS, LIGHT_WALLS, strict=True))
FACADE_WALLS = _colours("#e2ceaa #d69474 #eccc70 #bac8ce #c06c58 #aac4a0 #ece4d6 #deacac")
ROOFS = _colours("#963a2e #4c5268 #704c3c")
ACCENTS = _colours("#cc3834 #2e60b0 #288460 #e49c2c #7e4694 #24889c")
WALLS = _colours("#d8a0a0 #7c8ca0 #a8cce0 #98a890 #d8c898")
SKINS = _colours("#fadcc4 #ecbe9a #ce966e #9e6848 #704834")
HAIRS = _colours("#2c2222 #683e26 #aa5428 #e2b860 #b0acac")
EYES = _colours("#4070a8 #468050 #684428")
SCHEMES = tuple(zip(WALL_PAIRS, 2 * ROOFS, ACCENTS, strict=True))  # walls, roof and accent of a scene


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


def flip_coins(rng: np.random.Generator, *names: str) -> dict[str, bool]:
    """Draw a truth value for every name, in the order given."""
    return {name: bool(rng.integers(2)) for name in names}


def vary(rng: np.random.Generator, colour: Colour, amount: float = 8.0) -> Colour:
    """Move a colour a little, so that no two images have quite the same palette."""
    return _rounded(min(max(channel + rng.uniform(-amount, amount), 0), 255) for channel in colour)


def _rounded(channels: Iterable[float]) -> Colour:
    red, green, blue = (round(channel) for channel in channels)
    return red, green, blue
