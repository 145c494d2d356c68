"""Drawn letters of random fonts, colours and outlines, straight, arched or waving: titles are often taken for faces."""

from __future__ import annotations

import importlib.util
import math
from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from startrack.tracker.types import ImageArray

LETTERS = "ABCDEFGHJKMOPQRSUWXYabcdegkmopqsu0368&@?!"
"""Mostly round ones and those with holes."""
FONT_NAMES = ("DejaVuS*.ttf", "STIXGeneral*.ttf", "cm[brst]*10.ttf")
"""Of the fonts that come with matplotlib, those of letters and one of symbols (cmsy10)."""
HEIGHTS = (12.0, 130.0)
"""Of a letter's type size, pixels; longer words are shrunk to fit."""


@lru_cache(maxsize=1)
def font_files() -> tuple[Path, ...]:
    """Empty if matplotlib is not installed; PIL's own font is always there."""
    package = importlib.util.find_spec("matplotlib")
    if package is None or package.origin is None:
        return ()
    folder = Path(package.origin).parent / "mpl-data" / "fonts" / "ttf"
    return tuple(path for pattern in FONT_NAMES for path in sorted(folder.glob(pattern)))


@lru_cache(maxsize=256)
def _font(number: int, height: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    files = font_files()
    return ImageFont.truetype(str(files[number]), height) if number < len(files) else ImageFont.load_default(height)


def draw_word(max_width: int, rng: np.random.Generator) -> tuple[ImageArray, NDArray[np.float32]]:
    """(h, w, 3) RGB and (h, w) opacity 0..1 of a word of one to eight letters; w is about max_width at most."""
    count = int(rng.integers(1, 9))
    height = math.exp(rng.uniform(*np.log(HEIGHTS)))
    # in steps of four pixels, so that few fonts are opened
    size = max(int(min(height, 1.3 * max_width / count)) // 4 * 4, 8)
    font = _font(int(rng.integers(len(font_files()) + 1)), size)
    letters = [LETTERS[i] for i in rng.integers(0, len(LETTERS), count)]
    stroke = int(rng.uniform(0.0, 0.14) * size) if rng.random() < 0.6 else 0
    gap = rng.uniform(-0.1, 0.15) * size
    widths = [font.getlength(letter) + gap + stroke for letter in letters]
    canvas = Image.new("RGBA", (int(sum(widths) + 2 * stroke + size), 2 * size))
    pen = ImageDraw.Draw(canvas)
    fill, edge = _colour(rng), _colour(rng)
    has_own_colours, jump = rng.random() < 0.25, rng.uniform(0, 0.2) * (rng.random() < 0.4)
    x = size / 2
    for letter, width in zip(letters, widths, strict=True):
        y = 0.35 * size + rng.normal(0, 1) * jump * size
        colour = _colour(rng) if has_own_colours else fill
        pen.text((x, y), letter, fill=colour, font=font, stroke_width=stroke, stroke_fill=edge)
        x += width
    return _bent(np.array(canvas), rng)


def _colour(rng: np.random.Generator) -> tuple[int, int, int]:
    """Any colour, often one of the warm ones or nearly black or white."""
    draw = rng.random()
    if draw < 0.3:
        return tuple(int(value) for value in rng.integers((180, 80, 20), (256, 220, 150)))  # type: ignore[return-value]
    if draw < 0.6:
        value = int(rng.integers(0, 40)) if rng.random() < 0.5 else int(rng.integers(215, 256))
        return value, value, value
    return tuple(int(value) for value in rng.integers(0, 256, 3))  # type: ignore[return-value]


def _bent(rgba: NDArray[np.uint8], rng: np.random.Generator) -> tuple[ImageArray, NDArray[np.float32]]:
    """Arched or waved, sheared, shaded from top to bottom."""
    height, width = rgba.shape[:2]
    x, y = np.meshgrid(np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32))
    across = x / width * 2 - 1
    match int(rng.integers(4)):
        case 0:
            y = y + np.float32(rng.uniform(-0.25, 0.25) * height) * across**2
        case 1:
            y = y + np.float32(rng.uniform(0, 0.12) * height) * np.sin(across * np.float32(rng.uniform(2, 8)))
        case 2:
            # larger towards one end
            y = (y - height / 2) * (1 + np.float32(rng.uniform(-0.4, 0.4)) * across) + height / 2
        case _:
            x = x + np.float32(rng.uniform(-0.5, 0.5)) * (y - height / 2)
    bent = cv2.remap(rgba, x.astype(np.float32), y.astype(np.float32), cv2.INTER_LINEAR).astype(np.float32)
    shade = np.linspace(rng.uniform(0.6, 1.2), rng.uniform(0.6, 1.2), height, dtype=np.float32)[:, None, None]
    return (bent[..., :3] * shade).clip(0, 255).astype(np.uint8), bent[..., 3] / np.float32(255)
