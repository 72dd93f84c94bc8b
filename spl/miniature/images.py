"""One image by its name: every one has a generator of its own, so order and number of workers do not matter."""

from collections.abc import Callable
from zlib import crc32

import numpy as np

from spl.common.errors import DataError
from spl.miniature import facades, faces, outdoor
from spl.miniature.canvas import AnnotatedImage
from spl.miniature.facades import draw_facade
from spl.miniature.faces import draw_face
from spl.miniature.scenes import draw_scene

DRAW: dict[str, Callable[..., AnnotatedImage]] = {
    "places2": draw_scene,
    "celeba": lambda rng, _, **light: draw_face(rng, **light),
    "paris": lambda rng, _, **light: draw_facade(rng, **light),
}
SETS = tuple(DRAW)
PRETEXT = "pretext"

OBJECT_CLASSES = (*outdoor.CLASSES, *facades.CLASSES, *faces.CLASSES)


def generator(name: str, *, seed: int, split: str, index: int) -> np.random.Generator:
    """Return the random generator that belongs to one drawing alone."""
    return np.random.default_rng([seed, crc32(name.encode()), crc32(split.encode()), index])


def draw_image(name: str, *, seed: int, split: str, index: int, shadows: float = 0.0) -> AnnotatedImage:
    """Draw one image of a set in memory; "pretext" takes turns between the three kinds. `Canvas.finish` has `shadows`.

    Raises: DataError if no set has this name.
    """
    kind, position = (SETS[index % 3], index // 3) if name == PRETEXT else (name, index)
    if kind not in DRAW:
        raise DataError(f"No miniature image set is called {name!r}. Expected one of: {', '.join((*SETS, PRETEXT))}.")
    return DRAW[kind](generator(name, seed=seed, split=split, index=index), position, shadows=shadows)
