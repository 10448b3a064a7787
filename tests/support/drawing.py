"""Drawings of digits: in matplotlib's fonts, and with pens of any width."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

FONTS = (
    *("DejaVuSans", "DejaVuSans-Bold", "DejaVuSans-Oblique", "DejaVuSansMono", "DejaVuSerif", "DejaVuSerif-BoldItalic"),
    *("STIXGeneral", "STIXGeneralBol", "STIXGeneralItalic", "cmr10", "cmss10", "cmtt10"),
)
SUPERSAMPLING = 4
"""Pictures are drawn larger by this factor and reduced, which smooths edges."""


def arc(center: tuple[float, float], radii: tuple[float, float], begin: float, end: float) -> list[tuple[float, float]]:
    """Return points of an elliptical arc, x to the right and y down; angles in degrees, clockwise from the right."""
    angles = np.radians(np.linspace(begin, end, 24))
    return list(zip(center[0] + radii[0] * np.cos(angles), center[1] + radii[1] * np.sin(angles), strict=True))


STROKES: tuple[tuple[list[tuple[float, float]], ...], ...] = (
    (arc((0.5, 0.5), (0.32, 0.5), -90, 270),),
    ([(0.35, 0.15), (0.55, 0.0), (0.55, 1.0)],),
    ([*arc((0.5, 0.28), (0.33, 0.28), 190, 390), (0.15, 1.0), (0.85, 1.0)],),
    ([*arc((0.48, 0.25), (0.3, 0.25), 200, 440), *arc((0.48, 0.73), (0.34, 0.27), -80, 160)],),
    ([(0.6, 0.0), (0.12, 0.62), (0.88, 0.62)], [(0.68, 0.3), (0.66, 1.0)]),
    ([(0.8, 0.0), (0.3, 0.0), (0.24, 0.42), *arc((0.47, 0.68), (0.34, 0.32), -125, 150)],),
    ([(0.68, 0.0), *arc((0.5, 0.68), (0.34, 0.32), 200, 560)],),
    ([(0.12, 0.0), (0.86, 0.0), (0.4, 1.0)],),
    (arc((0.5, 0.25), (0.27, 0.25), 90, 450), arc((0.5, 0.74), (0.34, 0.26), -90, 270)),
    (arc((0.5, 0.3), (0.32, 0.3), 0, 360), [(0.82, 0.3), (0.78, 0.6), (0.6, 1.0)]),
)
"""Strokes of each digit, in a box of 1 by 1."""


@dataclass(frozen=True, kw_only=True)
class Drawing:
    """How a digit is drawn."""

    font: str | None = None
    """One of `FONTS`; None for a pen."""
    pen: float = 0.1
    """Width of the pen, as a fraction of the digit's height."""
    canvas: tuple[int, int] = (120, 120)
    """Width and height of the picture, in pixels."""
    height: float = 0.6
    """Height of the digit, as a fraction of the picture's shorter side."""
    at: tuple[float, float] = (0.5, 0.5)
    """Center of the digit, as fractions of width and height."""
    degrees: float = 0
    """Rotation of the digit, counterclockwise."""
    ink: tuple[int, int, int] = (0, 0, 0)
    paper: tuple[int, int, int] = (255, 255, 255)
    slope: float = 0
    """Gray levels by which the light decreases from left to right."""
    shadow: float = 0
    """Gray levels that a sharp shadow removes from the lower right half."""
    noise: float = 0
    """Standard deviation, in gray levels."""
    seed: int = 0

    def draw(self, digit: int) -> Image.Image:
        """Draw a digit, in RGB."""
        width, height = (side * SUPERSAMPLING for side in self.canvas)
        mask = Image.new("L", (width, height))
        pen = ImageDraw.Draw(mask)
        tall = self.height * min(width, height)
        middle = (self.at[0] * width, self.at[1] * height)
        if self.font is None:
            self._strokes(pen, digit, tall, middle)
        else:
            # The height of a digit is about 0.72 of the font size.
            pen.text(middle, str(digit), font=load_font(self.font, round(tall / 0.72)), fill=255, anchor="mm")
        mask = mask.rotate(self.degrees, Image.Resampling.BICUBIC, center=middle).resize(
            self.canvas, Image.Resampling.BOX
        )
        picture = Image.composite(
            Image.new("RGB", self.canvas, self.ink), Image.new("RGB", self.canvas, self.paper), mask
        )
        return Image.fromarray(self._add_light(np.asarray(picture, dtype=np.float64)))

    def _strokes(self, pen: ImageDraw.ImageDraw, digit: int, tall: float, middle: tuple[float, float]) -> None:
        thick = self.pen * tall
        for stroke in STROKES[digit]:
            points = [(middle[0] + (x - 0.5) * tall * 0.8, middle[1] + (y - 0.5) * tall) for x, y in stroke]
            pen.line(points, fill=255, width=round(thick), joint="curve")
            for x, y in points:
                pen.ellipse((x - thick / 2, y - thick / 2, x + thick / 2, y + thick / 2), fill=255)

    def _add_light(self, picture: NDArray[np.float64]) -> NDArray[np.uint8]:
        width, height = self.canvas
        right, down = np.meshgrid(np.linspace(0, 1, width), np.linspace(0, 1, height))
        light = -self.slope * right - self.shadow * (right + down > 1.1)
        grain = np.random.default_rng(self.seed).normal(0, self.noise, picture.shape[:2]) if self.noise else 0
        result: NDArray[np.uint8] = np.clip(np.rint(picture + (light + grain)[:, :, None]), 0, 255).astype(np.uint8)
        return result


@cache
def load_font(name: str, size: int) -> ImageFont.FreeTypeFont:
    """Load one of matplotlib's fonts."""
    import matplotlib

    return ImageFont.truetype(str(Path(matplotlib.get_data_path()) / "fonts" / "ttf" / f"{name}.ttf"), size)
