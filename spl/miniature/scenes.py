"""Outdoor scenes, the miniature Places2: rows of things in one rhythm, in the colours of one palette."""

from typing import NamedTuple

import numpy as np

from spl.miniature import outdoor
from spl.miniature.canvas import AnnotatedImage, Canvas, View, repeat
from spl.miniature.outdoor import MOODS, Mood
from spl.miniature.palette import (
    ASPHALT,
    GRASS,
    SCHEMES,
    STONE,
    TRUNK,
    WHITE,
    Colour,
    choose,
    flip_coins,
    mix,
    shade,
    vary,
)

SIZE = (128, 128)
EXTENT = (64.0, 64.0)


class Plan(NamedTuple):
    """Everything that a scene shares: one rhythm, one palette, one hour. Positions in logical units."""

    mood: Mood
    walls: tuple[Colour, Colour]
    roof: Colour
    accent: Colour
    pitch: float  # from one building to the next
    start: float  # position of one of them
    sky_start: float  # position of one cloud
    road_start: float  # position of one mark, one wave, one car
    sun_left: bool
    green: bool  # trees stand in the gaps
    traffic: bool  # cars drive, boats are moored
    fenced: bool  # pickets, railings


def scene_class(index: int) -> str:
    """Return the folder that the image with this index belongs to."""
    return tuple(SCENES)[index % len(SCENES)]


def draw_scene(rng: np.random.Generator, index: int, *, shadows: float = 0.0, enlarged: int = 1) -> AnnotatedImage:
    """Draw one outdoor scene of the class that `scene_class` names, so many times as large."""
    pitch = rng.uniform(15.0, 23.0)
    walls, roof, accent = choose(rng, SCHEMES)
    plan = Plan(
        mood=choose(rng, MOODS),
        walls=(vary(rng, walls[0]), vary(rng, walls[1])),
        roof=vary(rng, roof),
        accent=vary(rng, accent),
        pitch=pitch,
        start=rng.uniform(0, pitch),
        sky_start=rng.uniform(0, pitch),
        road_start=rng.uniform(0, pitch),
        **flip_coins(rng, "sun_left", "green", "traffic", "fenced"),
    )
    view = View.draw(
        rng, keystone_x=(-0.05, 0.05), keystone_y=(-0.06, 0.06), shear=(-0.02, 0.02), zoom=(0.96, 1.1), shift_y=(-3, 3)
    )
    canvas = Canvas(SIZE, EXTENT, view, enlarged=enlarged)
    SCENES[scene_class(index)](canvas, plan)
    brightness = rng.uniform(0.05, 0.25) * (-1 if plan.sun_left else 1)
    return canvas.finish(rng, (brightness, rng.uniform(-0.06, 0.06)), plan.mood.tint, shadows)


def _village(canvas: Canvas, plan: Plan) -> None:
    """Cottages in a row behind a fence, hills behind, a road in front."""
    _sky_with_clouds(canvas, plan, 24, 5.5)
    outdoor.hills(canvas, 14, 34, plan.pitch, plan.start + plan.pitch / 2, mix(GRASS, plan.mood.horizon, 0.35))
    canvas.band(34, 48, GRASS)
    for position, x in enumerate(repeat(plan.start, plan.pitch)):
        if plan.green:
            outdoor.tree(canvas, x + plan.pitch / 2, 41.5, 15, plan.pitch * 0.36, conifer=plan.pitch < 20)
        outdoor.cottage(canvas, x, 42, plan.pitch * 0.72, plan.walls[position % 2], plan.roof, plan.mood)
    if plan.fenced:
        outdoor.fence(canvas, 47.5, 6.5, 4.0, plan.start, WHITE)
    _road(canvas, plan, 48)


def _street(canvas: Canvas, plan: Plan) -> None:
    """Terraced houses wall to wall over shops, lamps before them, a road in front."""
    _sky_with_clouds(canvas, plan, 20, 3.5)
    for position, x in enumerate(repeat(plan.start, plan.pitch)):
        _terraced_house(canvas, plan, x, plan.walls[position % 2], tall=position % 2 == 0)
    canvas.band(44, 48, STONE)
    canvas.columns(repeat(plan.start, 5.33), 2.66, 44, 48, shade(STONE, 0.84))
    for x in repeat(plan.start + plan.pitch / 2, plan.pitch):
        if plan.green:
            outdoor.tree(canvas, x, 47, 14, 5.2, conifer=False)
        elif plan.fenced:
            outdoor.lamp(canvas, x, 47, 21, lights_on=plan.mood.lights_on)
    _road(canvas, plan, 48)


def _harbor(canvas: Canvas, plan: Plan) -> None:
    """Gabled warehouses on a quay, boats on striped water, a pier in front."""
    _sky_with_clouds(canvas, plan, 20, 4)
    width = plan.pitch / 2
    for position, x in enumerate(repeat(plan.start, width)):
        _warehouse(canvas, plan, x, width, (*plan.walls, plan.accent, plan.walls[1])[position % 4])
    canvas.band(33, 37, STONE)
    canvas.columns(repeat(plan.start, 5.33), 2.2, 33.8, 37, shade(STONE, 0.66))
    water = mix((44, 110, 150), plan.mood.horizon, 0.18)
    canvas.band(37, 72, water)
    for row in range(7):
        for x in repeat(plan.road_start + 4 * (row % 2), 8.0):
            canvas.rectangle(x - 2.2, 38.6 + 3 * row, x + 2.2, 39.8 + 3 * row, mix(water, WHITE, 0.5))
    if plan.traffic:
        for x in repeat(plan.start + plan.pitch / 2, plan.pitch):
            outdoor.boat(canvas, x, 49, plan.accent, WHITE)
    canvas.band(57, 72, (170, 126, 84))
    canvas.columns(repeat(plan.start, 5.33), 2.4, 57, 72, (136, 96, 62))
    if plan.fenced:
        outdoor.fence(canvas, 58.5, 6, 5.33, plan.start + 1.2, shade(TRUNK, 0.8))


def _orchard(canvas: Canvas, plan: Plan) -> None:
    """Rows of equal trees that grow towards the spectator, striped by furrows, a barn row behind."""
    _sky_with_clouds(canvas, plan, 22, 5)
    outdoor.hills(canvas, 12, 24, plan.pitch, plan.start + plan.pitch / 2, mix(GRASS, plan.mood.horizon, 0.35))
    canvas.band(24, 72, shade(GRASS, 1.06))
    for position, x in enumerate(repeat(plan.start, plan.pitch)):
        if plan.traffic:
            outdoor.cottage(canvas, x, 30, plan.pitch * 0.66, plan.walls[position % 2], plan.roof, plan.mood)
    soil = mix((150, 108, 72), GRASS, 0.25)
    for row, base in enumerate((36.0, 46.0, 57.0)):
        canvas.band(base - 2.6, base + 1.6, soil)
        for x in repeat(plan.start + 4 * (row % 2), 8.0):
            _fruit_tree(canvas, plan, x, base, 7.6 + 1.6 * row)
    if plan.fenced:
        outdoor.fence(canvas, 62.5, 6.5, 4.0, plan.start, WHITE)


SCENES = {"village": _village, "street": _street, "harbor": _harbor, "orchard": _orchard}


def _sky_with_clouds(canvas: Canvas, plan: Plan, horizon: float, height: float) -> None:
    """Paint the sky; clouds float in the rhythm of the buildings, the sun stands where the light comes from."""
    outdoor.sky(canvas, plan.mood, horizon)
    outdoor.sun(canvas, plan.mood, 8 if plan.sun_left else 56, height + 2.5)
    for x in repeat(plan.sky_start, plan.pitch * 0.8):
        outdoor.cloud(canvas, plan.mood, x, height)


def _road(canvas: Canvas, plan: Plan, top: float) -> None:
    """Lay kerb, asphalt, lane marks and cars from `top` to the lower edge."""
    canvas.band(top + 1.8, 72, ASPHALT)
    for edge in (top, top + 13.6):
        canvas.band(edge, edge + 1.8, WHITE)
        canvas.columns(repeat(plan.road_start, 8.0), 4, edge, edge + 1.8, plan.accent)
    canvas.band(top + 15.4, 80, GRASS)
    canvas.columns(repeat(plan.road_start, 10.67), 6, top + 7.4, top + 8.9, WHITE)
    if plan.traffic:
        for x in repeat(plan.road_start + plan.pitch / 4, plan.pitch):
            outdoor.car(canvas, x, top + 12.4, plan.accent, plan.mood)


def _terraced_house(canvas: Canvas, plan: Plan, x: float, wall: Colour, *, tall: bool) -> None:
    """Build one house of a terrace around x: two windows on each floor over a shop."""
    half, top = plan.pitch / 2, 9.0 if tall else 14.0
    canvas.rectangle(x - half, top, x + half, 45, wall)
    canvas.rectangle(x - half, top - 2.4, x + half, top, plan.roof)
    teeth = (x - half + (tooth + 0.25) * plan.pitch / 4 for tooth in range(4))
    canvas.columns(teeth, plan.pitch / 8, top - 4, top - 2, plan.roof)
    for floor in (16.5, 25.0):
        canvas.rectangle(x - half, floor + 6.2, x + half, floor + 7.0, shade(wall, 0.78))
        outdoor.windows(canvas, x, plan.pitch * 0.23, floor, plan.pitch * 0.22, 5.4, plan.mood.glass)
    canvas.rectangle(x - half, 34, x + half, 45, shade(wall, 0.62))
    outdoor.window(canvas, x - plan.pitch * 0.14, 36.5, plan.pitch * 0.5, 6, plan.mood.glass)
    outdoor.door(canvas, x + plan.pitch * 0.3, 45, plan.pitch * 0.17, 7.2, plan.accent)
    outdoor.awning(canvas, x - half + 0.6, x + half - 0.6, 33.6, 3.6, plan.accent)
    canvas.rectangle(x + half - 0.3, top, x + half + 0.3, 45, shade(wall, 0.6))
    canvas.mark("house", x - half, top - 4, x + half, 45)


def _warehouse(canvas: Canvas, plan: Plan, x: float, width: float, wall: Colour) -> None:
    """Build one narrow gabled warehouse around x with two columns of windows."""
    canvas.polygon(((x - width / 2, 34), (x - width / 2, 17), (x, 9), (x + width / 2, 17), (x + width / 2, 34)), wall)
    canvas.line(((x - width / 2, 17), (x, 9), (x + width / 2, 17)), 1.4, plan.roof)
    canvas.rectangle(x + width / 2 - 0.3, 17, x + width / 2 + 0.3, 34, shade(wall, 0.6))
    for y in (17.5, 23.5):
        outdoor.windows(canvas, x, width * 0.23, y, width * 0.32, 4.0, plan.mood.glass)
    outdoor.door(canvas, x, 34, width * 0.26, 5, shade(plan.roof, 0.85))
    canvas.mark("house", x - width / 2, 9, x + width / 2, 34)


def _fruit_tree(canvas: Canvas, plan: Plan, x: float, base: float, size: float) -> None:
    """Plant a round tree, with fruit in the accent colour when the scene is a green one."""
    outdoor.tree(canvas, x, base, size * 1.2, min(size * 0.72, 7.4), conifer=False)
    if plan.green:
        for dx, dy in ((-1.6, -0.85), (1.5, -0.8), (0.1, -0.6)):
            canvas.ellipse(x + dx, base + dy * size, 0.75, 0.75, plan.accent)
