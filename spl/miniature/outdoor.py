"""The things that stand outdoors: each function draws one and annotates it."""

from typing import NamedTuple

from spl.miniature.canvas import Canvas, arc, repeat
from spl.miniature.palette import GLASS, GOLD, INK, LEAF, LIT_GLASS, STONE, TRUNK, WHITE, Colour, mix, shade

CLASSES = ("house", "window", "door", "awning", "tree", "fence", "lamp", "car", "boat", "cloud", "sun", "moon")


class Mood(NamedTuple):
    """The hour of the day: colours of sky and air, and whether lights are on."""

    zenith: Colour
    horizon: Colour
    cloud: Colour
    tint: tuple[float, float, float]
    lights_on: bool

    @property
    def glass(self) -> Colour:
        """Colour of a window pane at this hour."""
        return LIT_GLASS if self.lights_on else GLASS


MOODS = (
    Mood((92, 156, 224), (196, 226, 244), (252, 252, 252), (1.0, 1.0, 1.0), False),
    Mood((236, 140, 104), (255, 218, 150), (255, 236, 206), (1.04, 0.95, 0.86), False),
    Mood((132, 148, 168), (206, 212, 214), (236, 238, 238), (0.94, 0.96, 0.98), False),
    Mood((34, 44, 92), (92, 88, 140), (140, 140, 186), (0.80, 0.82, 0.98), True),
)


def sky(canvas: Canvas, mood: Mood, bottom: float) -> None:
    """Paint horizontal bands from the zenith down to `bottom`."""
    for band in range(8):
        top = bottom * band / 8
        canvas.band(top - 8 * (band == 0), bottom + 8, mix(mood.zenith, mood.horizon, band / 7))


def sun(canvas: Canvas, mood: Mood, x: float, y: float) -> None:
    """Hang the sun, or at night the moon."""
    if mood.lights_on:
        canvas.ellipse(x, y, 3.4, 3.4, (244, 240, 214))
        canvas.ellipse(x + 1.5, y - 0.8, 2.7, 2.7, mood.zenith)
        canvas.mark("moon", x - 3.4, y - 3.4, x + 3.4, y + 3.4)
    else:
        canvas.ellipse(x, y, 5.0, 5.0, mix(mood.zenith, (255, 232, 130), 0.5))
        canvas.ellipse(x, y, 3.6, 3.6, (255, 232, 110))
        canvas.mark("sun", x - 3.6, y - 3.6, x + 3.6, y + 3.6)


def cloud(canvas: Canvas, mood: Mood, x: float, y: float) -> None:
    """Float a cloud of three puffs with a flat, darker base."""
    canvas.polygon(arc(x, y + 1.2, 5.0, 1.6, 0, 360), shade(mood.cloud, 0.86))
    for dx, dy, radius in ((-2.6, 0.3, 1.9), (2.4, 0.2, 2.1), (0, -0.7, 2.6)):
        canvas.ellipse(x + dx, y + dy, radius, radius, mood.cloud)
    canvas.mark("cloud", x - 5, y - 3.3, x + 5, y + 2.8)


def hills(canvas: Canvas, top: float, bottom: float, period: float, phase: float, colour: Colour) -> None:
    """Roll a chain of equal hills, striped by fields."""
    for stripe in range(4):
        tone = colour if stripe % 2 == 0 else shade(colour, 0.82)
        lower = (bottom - top) * stripe / 4
        for x in repeat(phase, period):
            canvas.polygon(arc(x, bottom + lower, period * 0.72, bottom - top, 180, 360), tone)


def tree(canvas: Canvas, x: float, base: float, height: float, width: float, *, conifer: bool) -> None:
    """Plant a round or a pointed tree on the ground at (x, base)."""
    canvas.rectangle(x - width * 0.12, base - height * 0.4, x + width * 0.12, base, TRUNK)
    top = base - height
    if conifer:
        for level in range(3):
            y = top + height * 0.22 * level
            reach = width * (0.26 + 0.12 * level)
            tone = shade(LEAF, 1.12 - 0.16 * level if level < 2 else 0.8)
            canvas.polygon(((x, y), (x + reach, y + height * 0.4), (x - reach, y + height * 0.4)), tone)
    else:
        canvas.ellipse(x, top + height * 0.38, width / 2, height * 0.38, LEAF)
        canvas.ellipse(x - width * 0.12, top + height * 0.3, width * 0.28, height * 0.22, shade(LEAF, 1.2))
    canvas.mark("tree", x - width / 2, top, x + width / 2, base)


def window(
    canvas: Canvas, x: float, y: float, width: float, height: float, glass: Colour, frame: Colour = WHITE
) -> None:
    """Set a framed window with a cross; (x, y) is the middle of its top edge."""
    canvas.rectangle(x - width / 2, y, x + width / 2, y + height, frame)
    bar = 0.32
    for left, right in ((x - width / 2 + 0.5, x - bar), (x + bar, x + width / 2 - 0.5)):
        canvas.rectangle(left, y + 0.5, right, y + height - 0.5, glass)
    canvas.rectangle(x - width / 2, y + height * 0.42, x + width / 2, y + height * 0.42 + 0.6, frame)
    canvas.mark("window", x - width / 2, y, x + width / 2, y + height)


def windows(canvas: Canvas, x: float, offset: float, y: float, width: float, height: float, glass: Colour) -> None:
    """Set two equal windows, `offset` to the left and to the right of x."""
    for middle in (x - offset, x + offset):
        window(canvas, middle, y, width, height, glass)


def door(canvas: Canvas, x: float, base: float, width: float, height: float, colour: Colour) -> None:
    """Hang a door with a frame and a knob on the ground at (x, base)."""
    canvas.rectangle(x - width / 2 - 0.5, base - height - 0.5, x + width / 2 + 0.5, base, WHITE)
    canvas.rectangle(x - width / 2, base - height, x + width / 2, base, colour)
    canvas.rectangle(x - width * 0.28, base - height * 0.85, x + width * 0.28, base - height * 0.5, shade(colour, 0.75))
    canvas.ellipse(x + width * 0.3, base - height * 0.4, 0.45, 0.45, GOLD)
    canvas.mark("door", x - width / 2, base - height, x + width / 2, base)


def awning(canvas: Canvas, x0: float, x1: float, y: float, height: float, colour: Colour) -> None:
    """Stretch a striped awning from x0 to x1 with its upper edge at y."""
    stripes = max(3, 2 * round((x1 - x0) / 5.2) + 1)
    step = (x1 - x0) / stripes
    for stripe in range(stripes):
        left = x0 + stripe * step
        tone = colour if stripe % 2 == 0 else WHITE
        canvas.rectangle(left, y, left + step, y + height - 0.7, tone)
        canvas.ellipse(left + step / 2, y + height - 0.8, step / 2, 0.8, tone)
    canvas.rectangle(x0, y - 0.4, x1, y + 0.4, shade(colour, 0.7))
    canvas.mark("awning", x0, y, x1, y + height)


def cottage(canvas: Canvas, x: float, base: float, width: float, wall: Colour, roof: Colour, mood: Mood) -> None:
    """Build a gabled house with a door between two windows on the ground at (x, base)."""
    eaves, ridge = base - 11.5, base - 20.5
    canvas.rectangle(x + width * 0.22, ridge + 0.5, x + width * 0.36, eaves, shade(roof, 0.7))
    canvas.rectangle(x - width / 2, eaves - 0.5, x + width / 2, base, wall)
    for course in range(5):
        top, bottom = ridge + (eaves - ridge) * course / 5, ridge + (eaves - ridge) * (course + 1) / 5
        narrow, wide = (width / 2 + 1.4) * course / 5, (width / 2 + 1.4) * (course + 1) / 5
        tiles = ((x - narrow, top), (x + narrow, top), (x + wide, bottom), (x - wide, bottom))
        canvas.polygon(tiles, roof if course % 2 == 0 else shade(roof, 0.78))
    canvas.rectangle(x - width / 2, eaves, x + width / 2, eaves + 0.9, shade(wall, 0.72))
    windows(canvas, x, width * 0.31, base - 8.8, width * 0.24, 4.6, mood.glass)
    door(canvas, x, base, width * 0.2, 6.4, shade(roof, 0.85))
    canvas.mark("house", x - width / 2 - 1, ridge, x + width / 2 + 1, base)


def fence(canvas: Canvas, base: float, height: float, period: float, phase: float, colour: Colour) -> None:
    """Run a picket fence across the image; every period of it is one post."""
    canvas.bands((base - height * 0.72, base - height * 0.3), 0.9, shade(colour, 0.82))
    for x in repeat(phase, period):
        half, top = period * 0.26, base - height
        picket = ((x - half, base), (x - half, top + 0.9), (x, top), (x + half, top + 0.9), (x + half, base))
        canvas.polygon(picket, colour)
    canvas.mark("fence", 0, base - height, 64, base)


def lamp(canvas: Canvas, x: float, base: float, height: float, *, lights_on: bool) -> None:
    """Put up a street lamp with a lantern."""
    top = base - height
    if lights_on:
        canvas.ellipse(x, top + 1.6, 3.6, 3.6, (214, 186, 110))
    canvas.rectangle(x - 0.55, top + 3, x + 0.55, base, INK)
    canvas.rectangle(x - 1.3, base - 1.4, x + 1.3, base, INK)
    canvas.polygon(((x - 2.1, top), (x + 2.1, top), (x + 1.4, top + 3.4), (x - 1.4, top + 3.4)), (255, 236, 160))
    canvas.polygon(((x - 2.5, top + 0.3), (x, top - 1.3), (x + 2.5, top + 0.3)), INK)
    canvas.mark("lamp", x - 2.5, top - 1.3, x + 2.5, base)


def car(canvas: Canvas, x: float, base: float, colour: Colour, mood: Mood) -> None:
    """Park a car with its wheels on the ground at (x, base), heading right."""
    cabin = ((x - 4.6, base - 3.8), (x - 3.2, base - 6.8), (x + 1.6, base - 6.8), (x + 3.6, base - 3.8))
    canvas.rectangle(x - 6.4, base - 0.6, x + 6.4, base + 0.4, (60, 60, 70))
    canvas.polygon(cabin, shade(colour, 0.86))
    for left, right in ((-3.4, -1.1), (-0.5, 2.2)):
        canvas.rectangle(x + left, base - 6.1, x + right - 0.4, base - 3.8, mix(mood.glass, (255, 255, 255), 0.25))
    canvas.rectangle(x - 6.2, base - 4.1, x + 6.2, base - 1.2, colour)
    canvas.rectangle(x - 6.2, base - 2.0, x + 6.2, base - 1.2, shade(colour, 0.72))
    canvas.ellipse(x + 5.6, base - 3.1, 0.8, 0.7, (255, 240, 170))
    for wheel in (-3.6, 3.6):
        canvas.ellipse(x + wheel, base - 1.3, 1.7, 1.7, INK)
        canvas.ellipse(x + wheel, base - 1.3, 0.8, 0.8, STONE)
    canvas.mark("car", x - 6.4, base - 6.8, x + 6.4, base + 0.4)


def boat(canvas: Canvas, x: float, base: float, hull: Colour, sail: Colour) -> None:
    """Moor a sailing boat whose hull floats at (x, base)."""
    canvas.rectangle(x - 0.4, base - 20, x + 0.4, base - 3, TRUNK)
    canvas.polygon(((x - 0.9, base - 19), (x - 0.9, base - 5), (x - 6, base - 5)), sail)
    canvas.polygon(((x + 0.9, base - 17), (x + 0.9, base - 5), (x + 5.2, base - 5)), shade(sail, 0.84))
    canvas.polygon(((x - 6.8, base - 4), (x + 6.8, base - 4), (x + 4.8, base), (x - 5, base)), hull)
    canvas.polygon(((x - 6.8, base - 4), (x + 6.8, base - 4), (x + 6.2, base - 2.9), (x - 6.3, base - 2.9)), WHITE)
    canvas.mark("boat", x - 6.8, base - 20, x + 6.8, base)
