"""Aligned faces, the miniature CelebA: symmetric, with clothes that tell the hat and hair that tells the brows."""

from typing import NamedTuple

import numpy as np

from spl.miniature.canvas import AnnotatedImage, Canvas, View, arc, repeat
from spl.miniature.palette import ACCENTS, EYES, GOLD, HAIRS, INK, SKINS, WALLS, WHITE, Colour, choose, mix, shade, vary

CLASSES = ("face", "hair", "hat", "glasses", "beard", "earrings")
SIZE = (178, 218)
EXTENT = (64.0, 64.0 * 218 / 178)  # the centre crop of 178x178 is 64 units high, from unit 7.2 on
MIDDLE = 32.0
TILT = {"keystone_x": (-0.06, 0.06), "keystone_y": (-0.05, 0.05), "shear": (-0.05, 0.05)}
AIM = {"zoom": (0.94, 1.08), "shift_x": (-1.5, 1.5), "shift_y": (-1.5, 1.5)}

# What a person wears tells what else belongs to the head, so that clothes are context for a hidden face.
GLASSES = {"winter": ("",), "formal": ("round",), "summer": ("sun",), "office": ("", "round"), "sailor": ("", "sun")}
BEARDED = ("winter", "sailor")
WALLPAPERS = {
    "winter": ("bricks", WALLS[0]), "formal": ("tiles", WALLS[1]), "summer": ("stripes", WALLS[2]),
    "office": ("bricks", WALLS[3]), "sailor": ("stripes", WALLS[4]),
}  # fmt: skip


class Person(NamedTuple):
    """Everything about one face. The outfit decides hat, glasses and beard; accent and skin come back everywhere."""

    outfit: str
    skin: Colour
    hair: Colour
    eye: Colour
    accent: Colour
    long_hair: bool
    beard: bool
    glasses: str  # "", "round" or "sun"
    smiling: bool


def draw_face(rng: np.random.Generator, *, shadows: float = 0.0) -> AnnotatedImage:
    """Draw one face before a patterned wall."""
    outfit, long_hair = choose(rng, tuple(GLASSES)), bool(rng.integers(2))
    person = Person(
        outfit=outfit,
        skin=vary(rng, choose(rng, SKINS)),
        hair=vary(rng, choose(rng, HAIRS)),
        eye=choose(rng, EYES),
        accent=vary(rng, choose(rng, ACCENTS)),
        long_hair=long_hair,
        beard=not long_hair and outfit in BEARDED,
        glasses=choose(rng, GLASSES[outfit]),
        smiling=bool(rng.integers(2)),
    )
    pattern, wall = WALLPAPERS[outfit]
    canvas = Canvas(SIZE, EXTENT, View.draw(rng, **TILT, **AIM))
    _wallpaper(canvas, pattern, vary(rng, wall), rng)
    _hair_behind(canvas, person)
    _clothes(canvas, person)
    _head(canvas, person)
    _features(canvas, person)
    _hair_before(canvas, person)
    _hat(canvas, person)
    if person.glasses:
        _glasses(canvas, person)
    return canvas.finish(rng, (rng.uniform(-0.2, 0.2), rng.uniform(-0.08, 0.08)), (1.0, 1.0, 1.0), shadows)


def _wallpaper(canvas: Canvas, pattern: str, wall: Colour, rng: np.random.Generator) -> None:
    """Cover the wall with a regular pattern in two tones."""
    dark, bottom = shade(wall, 0.62), 90
    start, side, pitch = rng.uniform(0, 12), rng.uniform(0, 12), rng.uniform(5.0, 7.5)
    canvas.band(-8, bottom, wall)
    if pattern == "stripes":
        canvas.columns(repeat(side, pitch), pitch / 2, -8, bottom, dark)
        return
    for row, y in enumerate(repeat(start, pitch, 80)):
        if pattern == "bricks":
            canvas.band(y, y + 1.5, dark)
        width = pitch if pattern == "tiles" else 1.5
        canvas.columns(repeat(side + pitch * (row % 2), 2 * pitch), width, y, y + pitch, dark)


def _hair_behind(canvas: Canvas, person: Person) -> None:
    """Let long hair fall on both sides of the head."""
    if person.long_hair:
        tone = shade(person.hair, 0.82)
        canvas.polygon((*arc(MIDDLE, 34, 18.5, 18, 180, 360), (51.5, 64), (12.5, 64)), tone)
        for x in (14.5, 18, 46, 49.5):
            canvas.line(((x, 34), (x - 0.5, 64)), 1.0, person.hair)


def _clothes(canvas: Canvas, person: Person) -> None:
    """Dress shoulders in the accent colour, with what belongs to the outfit."""
    shoulders = ((6, 92), (7, 68), (13, 62.5), (25, 59), (39, 59), (51, 62.5), (57, 68), (58, 92))
    cloth = {"formal": INK, "summer": WHITE, "sailor": WHITE}.get(person.outfit, person.accent)
    canvas.polygon(shoulders, cloth)
    if person.outfit in ("summer", "sailor"):
        for y in range(63, 90, 5):
            inset = max(0.0, 66.0 - y) * 1.6
            canvas.rectangle(7.5 + inset, y, 56.5 - inset, y + 2.5, person.accent)
    elif person.outfit == "winter":
        for x in repeat(MIDDLE + 1.5, 6.0):
            if 8 < x < 54:
                canvas.rectangle(x, 64 + abs(x - 30.5) * 0.14, x + 3, 90, shade(person.accent, 0.68))
    canvas.polygon(((26, 50), (38, 50), (39.5, 61), (32, 67), (24.5, 61)), shade(person.skin, 0.84))
    _neckwear(canvas, person)


def _neckwear(canvas: Canvas, person: Person) -> None:
    """Add scarf, bow tie, tie or kerchief."""
    if person.outfit == "winter":
        for stripe in range(9):
            x = 20.5 + stripe * 23 / 9
            canvas.rectangle(x, 57.5, x + 23 / 9, 64.5, WHITE if stripe % 2 else person.accent)
    elif person.outfit in ("formal", "office"):
        canvas.polygon(((24.5, 59), (39.5, 59), (36, 92), (28, 92)), WHITE)
        for side in (-1, 1):
            canvas.polygon(((MIDDLE, 62), (MIDDLE + side * 7.5, 58), (MIDDLE + side * 8.5, 64)), shade(WHITE, 0.86))
        if person.outfit == "formal":
            for side in (-1, 1):
                canvas.polygon(((MIDDLE, 63.5), (MIDDLE + side * 6, 60), (MIDDLE + side * 6, 67)), person.accent)
            canvas.ellipse(MIDDLE, 63.5, 1.5, 1.7, shade(person.accent, 0.7))
        else:
            canvas.polygon(((30, 62), (34, 62), (36, 92), (28, 92)), shade(person.accent, 0.55))
    elif person.outfit == "sailor":
        canvas.polygon(((20, 60), (44, 60), (32, 74)), shade(person.accent, 0.7))
        canvas.polygon(((25, 59), (39, 59), (32, 68)), person.skin)


def _head(canvas: Canvas, person: Person) -> None:
    """Shape ears, face and cheeks; earrings go with long hair."""
    _two_ellipses(canvas, 14, 41, 2.4, 3.6, shade(person.skin, 0.9))
    canvas.ellipse(MIDDLE, 39.5, 14, 18, person.skin)
    _two_ellipses(canvas, 8.4, 46, 2.6, 1.9, mix(person.skin, (226, 96, 96), 0.3))
    if person.long_hair:
        _two_ellipses(canvas, 14.2, 47, 1.6, 1.9, GOLD)
        canvas.mark("earrings", 16, 45, 48, 49)
    canvas.mark("face", 17, 21, 47, 58)


def _features(canvas: Canvas, person: Person) -> None:
    """Set beard, nose, mouth, eyes and brows, mirrored left and right."""
    if person.beard:
        jaw = (*arc(MIDDLE, 40, 14.2, 19, 0, 180), (20.5, 46), (26, 47), (38, 47), (43.5, 46))
        canvas.polygon(jaw, shade(person.hair, 0.9))
        canvas.mark("beard", 18, 44, 46, 59)
    canvas.polygon(((32, 38.5), (34.6, 46), (29.4, 46)), shade(person.skin, 0.78))
    lips = (206, 62, 78) if person.long_hair else (176, 84, 80)
    if person.smiling:
        canvas.polygon(arc(MIDDLE, 49, 5.8, 5, 0, 180), lips)
        canvas.polygon(((27.4, 49.2), (36.6, 49.2), (35.6, 51.2), (28.4, 51.2)), WHITE)
    else:
        canvas.ellipse(MIDDLE, 50.4, 4.8, 1.6, lips)
    for rx, ry, colour in ((3.3, 2.3, WHITE), (1.9, 1.9, person.eye), (0.9, 0.9, INK)):
        _two_ellipses(canvas, 6, 38.4, rx, ry, colour)
    for x in (MIDDLE - 6, MIDDLE + 6):
        canvas.line(((x - 3.4, 34.4), (x, 33.4), (x + 3.4, 34.4)), 1.3, shade(person.hair, 0.8))


def _two_ellipses(canvas: Canvas, offset: float, y: float, rx: float, ry: float, colour: Colour) -> None:
    """Fill equal ellipses on both sides of the middle."""
    for x in (MIDDLE - offset, MIDDLE + offset):
        canvas.ellipse(x, y, rx, ry, colour)


def _hair_before(canvas: Canvas, person: Person) -> None:
    """Comb the hair over the forehead: a fringe when long, short sides otherwise."""
    crown = arc(MIDDLE, 35, 15.4, 16.5, 180, 360)
    if person.long_hair:
        fringe = ((47.4, 42), (44.6, 42), (43, 32), (32, 26), (21, 32), (19.4, 42), (16.6, 42))
        canvas.polygon((*crown, *fringe), person.hair)
        canvas.line(((32, 19), (32, 26)), 0.8, shade(person.hair, 0.7))
        canvas.mark("hair", 13, 18.5, 51, 64)
    else:
        teeth = [(44.5 - 25 * step / 10, 31.5 if step % 2 else 28.5) for step in range(11)]
        canvas.polygon((*crown, (47, 38), (45, 38), *teeth, (19, 38), (17, 38)), person.hair)
        canvas.mark("hair", 17, 18.5, 47, 38)


def _hat(canvas: Canvas, person: Person) -> None:
    """Put on the hat of the outfit, if it has one, in the accent colour."""
    accent = person.accent
    if person.outfit == "winter":
        canvas.polygon(arc(MIDDLE, 29, 16, 17, 180, 360), accent)
        for y, reach in ((25.5, 15.6), (20.5, 13.6), (15.5, 9.2)):
            canvas.rectangle(MIDDLE - reach, y - 2.4, MIDDLE + reach, y, WHITE)
        canvas.rectangle(15.5, 25.6, 48.5, 31, shade(accent, 0.72))
        canvas.ellipse(MIDDLE, 11.5, 3.4, 3.2, WHITE)
        canvas.mark("hat", 15.5, 8, 48.5, 31)
    elif person.outfit == "formal":
        canvas.polygon(((19.5, 10.5), (44.5, 10.5), (46, 28), (18, 28)), INK)
        canvas.rectangle(18, 22, 46, 27, accent)
        canvas.ellipse(MIDDLE, 28.2, 20.5, 2.8, INK)
        canvas.mark("hat", 11.5, 10.5, 52.5, 31)
    elif person.outfit == "summer":
        straw = (236, 208, 136)
        canvas.polygon((*arc(MIDDLE, 22, 14.5, 11.5, 180, 360), (46.5, 28), (17.5, 28)), straw)
        for y in (13.5, 17.5):
            canvas.rectangle(MIDDLE - (y - 6), y, MIDDLE + (y - 6), y + 1.6, shade(straw, 0.78))
        canvas.rectangle(17.5, 22, 46.5, 26.4, accent)
        canvas.ellipse(MIDDLE, 28.4, 25, 3.2, straw)
        canvas.ellipse(MIDDLE, 29.4, 25, 2.0, shade(straw, 0.8))
        canvas.mark("hat", 7, 10.5, 57, 31.6)


def _glasses(canvas: Canvas, person: Person) -> None:
    """Put on glasses: two equal lenses, a bridge, two arms."""
    canvas.line(((18, 38), (46, 38)), 1.0, INK)
    for side in (-1, 1):
        x = MIDDLE + side * 6
        if person.glasses == "sun":
            canvas.polygon((*arc(x, 39, 5, 4.6, 0, 180), (x - 5, 36.4), (x + 5, 36.4)), INK)
            canvas.line(((x - 2.6, 40.5), (x - 0.2, 37.8)), 0.8, (120, 130, 160))
        else:
            canvas.line(arc(x, 38.6, 5, 4.6, 0, 360), 1.2, INK)
    canvas.mark("glasses", 20.5, 33.5, 43.5, 43.8)
