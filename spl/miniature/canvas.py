"""A supersampled canvas in logical units, with mild perspective, light and noise, that remembers boxes.

Logical coordinates are about one pixel of a 64x64 network input wide, whatever the size of the image, so
that a drawing says directly how fine its structure will be for the network.
"""

import math
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple, Self

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from spl.miniature.palette import Colour

SUPERSAMPLING = 2
CIRCLE_STEPS = (10, 20)  # corners of a small and of a large circle
SHADOW_GRID = 5  # shadows across an image, and down
NOISE_SIGMA = 2.0  # of 255, the same in the three channels, like film grain
MINIMAL_VISIBLE = 0.4  # share of a box that must lie inside the image for the object to count


Projection = Callable[[float, float], tuple[float, float]]


class Object(NamedTuple):
    """One annotated object: its label and its box (x0, y0, x1, y1) in pixels of the image."""

    label: str
    box: tuple[float, float, float, float]


class AnnotatedImage(NamedTuple):
    """One drawn image with everything annotated on it."""

    image: Image.Image
    objects: list[Object]


class View(NamedTuple):
    """The spectator's perspective, distance and aim.

    Lengths are in logical units, everything else is relative.
    """

    keystone_x: float = 0.0  # wider at the bottom by this share
    keystone_y: float = 0.0  # taller at the right by this share
    shear: float = 0.0  # lower at the right by this many units per unit
    zoom: float = 1.0
    shift_x: float = 0.0
    shift_y: float = 0.0

    @classmethod
    def draw(cls, rng: np.random.Generator, **ranges: tuple[float, float]) -> Self:
        """Draw the named values uniformly, in the order given."""
        return cls(**{name: rng.uniform(*ends) for name, ends in ranges.items()})

    def projection(self, size: tuple[int, int], extent: tuple[float, float]) -> Projection:
        """Return the function from logical (x, y) to pixels of an image of this size."""
        width, height = extent
        per_x, per_y = self.keystone_x / height, self.keystone_y / width
        shear = self.shear
        scale_x, scale_y = self.zoom * size[0] / width, self.zoom * size[1] / height
        origin_x = (width / 2 + self.shift_x) * size[0] / width
        origin_y = (height / 2 + self.shift_y) * size[1] / height

        def project(x: float, y: float) -> tuple[float, float]:
            x, y = x - width / 2, y - height / 2
            return origin_x + scale_x * x * (1 + per_x * y), origin_y + scale_y * (y * (1 + per_y * x) + shear * x)

        return project


class Canvas:
    """Draws polygons given in logical units and ends as an `AnnotatedImage`."""

    def __init__(self, size: tuple[int, int], extent: tuple[float, float], view: View, *, enlarged: int = 1) -> None:
        """Open a canvas of `size` (width, height) pixels that shows `extent` (width, height) logical units.

        `enlarged` times as large as drawings for a network, it is as sharp as these in pixels.
        """
        self.size = (size[0] * enlarged, size[1] * enlarged)
        self._blur = 0.28 * max(size) / 64
        self.extent = extent
        fine = (self.size[0] * SUPERSAMPLING, self.size[1] * SUPERSAMPLING)
        self._project = view.projection(fine, extent)
        self._image = Image.new("RGB", fine)
        self._draw = ImageDraw.Draw(self._image)
        self._objects: list[Object] = []

    def polygon(self, points: Iterable[tuple[float, float]], colour: Colour) -> None:
        """Fill a polygon."""
        self._draw.polygon([self._project(x, y) for x, y in points], fill=colour)

    def rectangle(self, x0: float, y0: float, x1: float, y1: float, colour: Colour) -> None:
        """Fill a rectangle with sides along the axes."""
        self.polygon(((x0, y0), (x1, y0), (x1, y1), (x0, y1)), colour)

    def band(self, y0: float, y1: float, colour: Colour) -> None:
        """Fill a horizontal band across the whole canvas."""
        self.rectangle(-8, y0, 72, y1, colour)

    def columns(self, lefts: Iterable[float], width: float, y0: float, y1: float, colour: Colour) -> None:
        """Fill equal rectangles side by side, given by their left edges."""
        for x in lefts:
            self.rectangle(x, y0, x + width, y1, colour)

    def bands(self, tops: Iterable[float], height: float, colour: Colour) -> None:
        """Fill equal bands, given by their upper edges."""
        for y in tops:
            self.band(y, y + height, colour)

    def ellipse(self, x: float, y: float, rx: float, ry: float, colour: Colour) -> None:
        """Fill an ellipse around (x, y)."""
        self.polygon(arc(x, y, rx, ry, 0, 360), colour)

    def line(self, points: Sequence[tuple[float, float]], width: float, colour: Colour) -> None:
        """Draw a polyline with round joints."""
        pixels = round(width * SUPERSAMPLING * self.size[0] / self.extent[0])
        self._draw.line([self._project(x, y) for x, y in points], fill=colour, width=max(pixels, 1), joint="curve")

    def mark(self, label: str, x0: float, y0: float, x1: float, y1: float) -> None:
        """Annotate an object, unless most of it lies outside the image."""
        across, down = zip(*(self._project(x, y) for x in (x0, x1) for y in (y0, y1)), strict=True)
        left, right, top, bottom = (end / SUPERSAMPLING for end in (min(across), max(across), min(down), max(down)))
        box = (max(left, 0.0), max(top, 0.0), min(right, self.size[0]), min(bottom, self.size[1]))
        visible = max(box[2] - box[0], 0.0) * max(box[3] - box[1], 0.0)
        if visible >= MINIMAL_VISIBLE * (right - left) * (bottom - top):
            self._objects.append(Object(label, box))

    def finish(
        self,
        rng: np.random.Generator,
        light: tuple[float, float],
        tint: tuple[float, float, float],
        shadows: float,
    ) -> AnnotatedImage:
        """Return the image, lit and grainy.

        Shapes/Range: `light` is the relative gain of brightness from left to right and from top to bottom; `tint`
        multiplies the three channels; `shadows` is the standard deviation of the brightness that soft ones take or
        give, relative too. A copy of a distant patch, however well its outlines fit, has another place's shadows.
        """
        width, height = self.size
        # The images will be sampled at 64x64 without a filter: remove what such a grid cannot hold.
        image = self._image.reduce(SUPERSAMPLING).filter(ImageFilter.GaussianBlur(self._blur))
        across = np.linspace(-0.5, 0.5, width, dtype=np.float32)[None, :] * light[0]
        down = np.linspace(-0.5, 0.5, height, dtype=np.float32)[:, None] * light[1]
        brightness = 1 + across + down
        if shadows:
            soft = Image.fromarray(rng.standard_normal((SHADOW_GRID, SHADOW_GRID), dtype=np.float32))
            brightness += shadows * np.asarray(soft.resize((width, height), Image.Resampling.BICUBIC))
        pixels = np.asarray(image, dtype=np.float32) * brightness[..., None]
        pixels *= np.asarray(tint, dtype=np.float32)
        pixels += rng.standard_normal((height, width, 1), dtype=np.float32) * NOISE_SIGMA + 0.5
        np.clip(pixels, 0, 255, out=pixels)
        return AnnotatedImage(Image.fromarray(pixels.astype(np.uint8)), self._objects)


def arc(x: float, y: float, rx: float, ry: float, start: float, stop: float) -> list[tuple[float, float]]:
    """Return points on an ellipse from angle `start` to `stop` in degrees (0 = right, 90 = down)."""
    corners = CIRCLE_STEPS[max(rx, ry) > 2.5]
    steps = max(3, round(corners * abs(stop - start) / 360))
    angles = (math.radians(start + (stop - start) * step / steps) for step in range(steps + 1))
    return [(x + rx * math.cos(angle), y + ry * math.sin(angle)) for angle in angles]


def repeat(start: float, pitch: float, extent: float = 64.0) -> list[float]:
    """Return the positions `start + k * pitch` that reach into [-pitch, extent + pitch], from left to right."""
    first = start - math.ceil((start + pitch) / pitch) * pitch
    count = math.floor((extent + pitch - first) / pitch) + 1
    return [first + k * pitch for k in range(count)]
