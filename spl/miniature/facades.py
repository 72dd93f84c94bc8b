"""Façades, the miniature Paris StreetView: one window design on a grid, repeated over the whole house."""

from typing import NamedTuple

import numpy as np

from spl.miniature import outdoor
from spl.miniature.canvas import AnnotatedImage, Canvas, View, arc, repeat
from spl.miniature.palette import (
    ACCENTS,
    FACADE_WALLS,
    GLASS,
    INK,
    LEAF,
    LIT_GLASS,
    ROOFS,
    STONE,
    WHITE,
    Colour,
    choose,
    flip_coins,
    mix,
    shade,
    vary,
)

CLASSES = ("balcony", "shutter", "flowers")
SIZE = (192, 128)  # squashed to a square later, as the real 936x537 are
EXTENT = (64.0, 64.0)
PAVEMENT_TOP = 60.0
GLASSES = (GLASS, shade(GLASS, 0.6))
TINTS = ((1.0, 1.0, 1.0), (1.03, 0.96, 0.88), (0.9, 0.94, 1.0))


class House(NamedTuple):
    """The design that every window of the façade repeats."""

    wall: Colour
    roof: Colour
    accent: Colour
    glass: Colour
    lit: bool  # windows and lamps
    bricks: bool
    pitch: float  # from one column of windows to the next, in logical units
    start: float  # middle of one column
    window_width: float
    roof_bottom: float
    ground_top: float
    floors: int
    arched: bool
    shutters: bool
    balconies: bool
    awnings: bool
    flowers: bool  # in boxes under the windows, where no balcony is
    lamps: bool


def draw_facade(rng: np.random.Generator, *, shadows: float = 0.0) -> AnnotatedImage:
    """Draw one façade: roof, floors of equal windows, a ground floor, the pavement."""
    pitch = rng.uniform(12.0, 18.0)
    lit = rng.random() < 0.25
    wall = vary(rng, choose(rng, FACADE_WALLS))
    house = House(
        wall=wall,
        roof=vary(rng, choose(rng, ROOFS)),
        accent=mix(vary(rng, choose(rng, ACCENTS)), wall, 0.15),
        glass=mix(vary(rng, LIT_GLASS if lit else choose(rng, GLASSES)), wall, 0.15),
        lit=lit,
        bricks=bool(rng.integers(2)),
        pitch=pitch,
        start=rng.uniform(0, pitch),
        window_width=pitch * rng.uniform(0.38, 0.48),
        roof_bottom=rng.uniform(7.0, 13.0),
        ground_top=rng.uniform(45.0, 50.0),
        floors=choose(rng, (2, 3, 3)),
        **flip_coins(rng, "arched", "shutters", "balconies", "awnings", "flowers", "lamps"),
    )
    view = View.draw(
        rng, keystone_x=(-0.06, 0.06), keystone_y=(-0.1, 0.1), shear=(-0.03, 0.03), zoom=(0.96, 1.06), shift_y=(-2, 2)
    )
    canvas = Canvas(SIZE, EXTENT, view)
    canvas.band(-8, 72, wall)
    if house.bricks:
        canvas.bands(repeat(house.roof_bottom, 3.0, 50), 1.2, shade(wall, 0.8))
    _roof(canvas, house)
    for floor in range(house.floors):
        _floor(canvas, house, floor)
    _ground_floor(canvas, house)
    _pavement(canvas, house)
    return canvas.finish(rng, (rng.uniform(-0.25, 0.25), rng.uniform(-0.12, 0.12)), choose(rng, TINTS), shadows)


def _roof(canvas: Canvas, house: House) -> None:
    """Cover the house with tiles, a dormer over every column, a cornice under all."""
    bottom, shadow = house.roof_bottom, shade(house.wall, 0.8)
    canvas.band(-8, bottom, house.roof)
    canvas.bands(repeat(bottom - 2.4, 3.2, bottom), 1.2, shade(house.roof, 0.72))
    for x in repeat(house.start, house.pitch):
        top = bottom - 7
        canvas.polygon(((x - 3.4, top + 0.4), (x, top - 3.4), (x + 3.4, top + 0.4)), shadow)
        outdoor.window(canvas, x, top, 5.0, 5.6, house.glass)
    canvas.band(bottom - 1.2, bottom + 0.6, WHITE)
    canvas.band(bottom + 0.6, bottom + 1.4, shade(house.wall, 0.62))


def _floor(canvas: Canvas, house: House, floor: int) -> None:
    """Fill one floor with equal windows."""
    height = (house.ground_top - house.roof_bottom) / house.floors
    top = house.roof_bottom + height * floor
    canvas.band(top + height - 0.9, top + height, mix(house.wall, WHITE, 0.6))
    canvas.band(top + height, top + height + 0.6, shade(house.wall, 0.66))
    for x in repeat(house.start, house.pitch):
        _window(canvas, house, x, top + height * 0.24, height * 0.58)


def _window(canvas: Canvas, house: House, x: float, y: float, height: float) -> None:
    """Set one window with what this house gives to all of them."""
    width = house.window_width
    if house.arched:
        canvas.polygon(arc(x, y + 0.6, width / 2 + 0.7, 2.4, 180, 360), WHITE)
        canvas.polygon(arc(x, y + 0.7, width / 2 - 0.2, 1.5, 180, 360), house.accent)
    else:
        canvas.rectangle(x - width / 2 - 0.8, y - 1.1, x + width / 2 + 0.8, y + 0.2, WHITE)
    outdoor.window(canvas, x, y, width, height, house.glass)
    if house.shutters:
        leaf, groove = width * 0.36, shade(house.accent, 0.7)
        for left in (x - width / 2 - leaf, x + width / 2):
            canvas.rectangle(left, y, left + leaf, y + height, house.accent)
            canvas.rectangle(left + leaf * 0.3, y + height * 0.15, left + leaf * 0.7, y + height * 0.85, groove)
        canvas.mark("shutter", x - width / 2 - leaf, y, x + width / 2 + leaf, y + height)
    if house.balconies:
        _balcony(canvas, x, y + height, width * 0.92)
    elif house.flowers:
        _flower_box(canvas, x, y + height, width / 2 + 1.2, house.accent)
    else:
        canvas.rectangle(x - width / 2 - 0.9, y + height, x + width / 2 + 0.9, y + height + 0.8, STONE)


def _flower_box(canvas: Canvas, x: float, sill: float, reach: float, colour: Colour) -> None:
    """Hang a box of flowers in the house's accent colour under a window."""
    canvas.rectangle(x - reach, sill - 1.6, x + reach, sill + 0.2, LEAF)
    for flower in (-0.66, 0.0, 0.66):
        canvas.ellipse(x + flower * reach, sill - 1.3, 0.95, 0.95, mix(colour, WHITE, 0.25))
    canvas.rectangle(x - reach, sill, x + reach, sill + 1.4, shade(STONE, 0.7))
    canvas.mark("flowers", x - reach, sill - 2.2, x + reach, sill + 1.4)


def _balcony(canvas: Canvas, x: float, floor: float, reach: float) -> None:
    """Hang a railing in front of a window that stands on `floor`."""
    top = floor - 3.4
    canvas.rectangle(x - reach, floor, x + reach, floor + 1.0, STONE)
    canvas.rectangle(x - reach, top, x + reach, top + 0.9, INK)
    bars = max(3, 2 * round(reach / 2.6) + 1)  # fewer than three units between two bars would blur at 64x64
    lefts = (x - reach + (2 * reach - 0.9) * bar / (bars - 1) for bar in range(bars))
    canvas.columns(lefts, 0.9, top, floor, INK)
    canvas.mark("balcony", x - reach, top, x + reach, floor + 1.0)


def _ground_floor(canvas: Canvas, house: House) -> None:
    """Alternate doors and shop windows, under awnings or a plain ledge."""
    pitch, top = house.pitch, house.ground_top
    canvas.band(top, PAVEMENT_TOP, shade(house.wall, 0.72))
    for position, x in enumerate(repeat(house.start, pitch)):
        if position % 2:
            outdoor.door(canvas, x, PAVEMENT_TOP, pitch * 0.38, 8.2, house.accent)
        else:
            outdoor.window(canvas, x, PAVEMENT_TOP - 8, pitch * 0.66, 6.2, house.glass, shade(house.accent, 0.7))
        if house.awnings:
            outdoor.awning(canvas, x - pitch * 0.44, x + pitch * 0.44, top + 0.6, 3.8, house.accent)
    if not house.awnings:
        canvas.band(top + 0.4, top + 2.6, house.accent)
        canvas.band(top + 1.1, top + 1.8, WHITE)


def _pavement(canvas: Canvas, house: House) -> None:
    """Pave the street in front, slab by slab."""
    pitch = house.pitch
    canvas.band(PAVEMENT_TOP, 80, STONE)
    slabs = (left for x in repeat(house.start, pitch) for left in (x - pitch / 2, x))
    canvas.columns(slabs, pitch / 4, PAVEMENT_TOP, 80, shade(STONE, 0.78))
    canvas.band(PAVEMENT_TOP, PAVEMENT_TOP + 0.7, shade(STONE, 0.55))
    if house.lamps:
        for x in repeat(house.start + pitch / 2, 2 * pitch):
            outdoor.lamp(canvas, x, 62.5, 15, lights_on=house.lit)
