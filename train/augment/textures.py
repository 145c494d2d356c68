"""Pictures that show no face: parts of photos between the faces, scikit-image's pictures, drawn patterns."""

from __future__ import annotations

import importlib.util
import math
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from startrack.tracker.crop import crop_affine, cut_crop
from startrack.tracker.types import FloatArray, ImageArray, Roi
from startrack.train.sets.backgrounds import Background, background_square, shows_face
from startrack.train.sets.sample import read_picture

SKIMAGE_PICTURES = (
    "brick.png", "cell.png", "chelsea.png", "clock_motion.png", "coffee.png", "coins.png", "grass.png", "gravel.png",
    "horse.png", "hubble_deep_field.jpg", "ihc.png", "logo.png", "moon.png", "motorcycle_left.png", "page.png",
    "retina.jpg", "rocket.jpg", "text.png",
)  # fmt: skip
"""Those that come with the package and show no human face."""
SPECK = 0.03
"""Smaller faces, in sides of a faceless picture, may show in it: nobody could see them."""


def skimage_pictures() -> list[Background]:
    """Empty if scikit-image is not installed (extra demo)."""
    package = importlib.util.find_spec("skimage")
    if package is None or package.origin is None:
        return []
    folder = Path(package.origin).parent / "data"
    nowhere = np.zeros((0, 4))
    return [Background(_at_most(read_picture(folder / name), 480), nowhere) for name in SKIMAGE_PICTURES]


def _at_most(image: ImageArray, side: int) -> ImageArray:
    zoom = min(1.0, side / max(image.shape[:2]))
    return cv2.resize(image, None, fx=zoom, fy=zoom, interpolation=cv2.INTER_AREA)  # type: ignore[return-value]


def background_picture(backgrounds: Sequence[Background], size: int, rng: np.random.Generator) -> ImageArray:
    """(size, size, 3) RGB: mostly a square of a photo without a face in it, anywhere or beside a face, else a drawn
    pattern."""
    if backgrounds and rng.random() < 0.85:
        background = backgrounds[int(rng.integers(len(backgrounds)))]
        square = square_near_face(background, rng) if rng.random() < 0.5 else None
        if square is None:
            square = background_square(background, rng, speck=SPECK)
        if square is not None:
            roi = Roi(square[:2], float(square[2]), float(rng.normal(0, 0.3)))
            return cut_crop(background.image, crop_affine(roi, size), size)
    return drawn_pattern(size, rng)


def square_near_face(background: Background, rng: np.random.Generator) -> FloatArray | None:
    """(3,) centre x, y and side in pixels of a square without a face, of a face's size and below or beside one: hands,
    arms, clothes. None if there is no face or no room."""
    if not len(background.faces):
        return None
    for _ in range(6):
        left, top, right, bottom = background.faces[int(rng.integers(len(background.faces)))]
        face = max(right - left, bottom - top)
        side = max(face * math.exp(rng.uniform(-0.5, 1.3)), 40.0)
        away = np.array([rng.uniform(-2.5, 2.5), rng.uniform(0.3, 4.0)]) * face
        middle = np.array([left + right, top + bottom]) / 2 + away
        size = background.image.shape[1::-1]
        if (
            (middle >= 0).all()
            and (middle <= size).all()
            and not shows_face(background.faces, np.array([*middle, side]), SPECK)
        ):
            return np.array([*middle, side])
    return None


def drawn_pattern(size: int, rng: np.random.Generator) -> ImageArray:
    """(size, size, 3): a slope of two colours, clouds of noise, or flat shapes and strokes as in a cartoon."""
    colours = rng.integers(0, 256, (2, 3)).astype(np.float32)
    angle = rng.uniform(0, 2 * math.pi)
    y, x = np.mgrid[:size, :size] / size - 0.5
    share = (0.5 + x * math.cos(angle) + y * math.sin(angle)).clip(0, 1)[..., None]
    picture = (colours[0] * share + colours[1] * (1 - share)).astype(np.float32)
    if rng.random() < 0.5:
        cells = int(rng.integers(2, 40))
        clouds = rng.uniform(0, 255, (cells, cells, 3)).astype(np.float32)
        picture = (picture + np.asarray(cv2.resize(clouds, (size, size), interpolation=cv2.INTER_CUBIC))) / 2
    image = np.ascontiguousarray(picture.clip(0, 255).astype(np.uint8))
    for _ in range(int(rng.integers(0, 25))):
        _draw_shape(image, rng)
    return image


def _draw_shape(image: ImageArray, rng: np.random.Generator) -> None:
    size = image.shape[0]
    colour = tuple(int(value) for value in rng.integers(0, 256, 3))
    x, y = (int(value) for value in rng.integers(0, size, 2))
    width, height = (int(size * math.exp(rng.uniform(-4, -1))) + 1 for _ in range(2))
    thickness = -1 if rng.random() < 0.6 else int(rng.integers(1, 5))
    match int(rng.integers(4)):
        case 0:
            cv2.ellipse(image, (x, y), (width, height), float(rng.uniform(0, 180)), 0, 360, colour, thickness)
        case 1:
            cv2.rectangle(image, (x, y), (x + width, y + height), colour, thickness)
        case 2:
            cv2.line(image, (x, y), (x + width - height, y + height), colour, abs(thickness))
        case _:
            cv2.putText(image, "aB3&"[: 1 + x % 4], (x, y), x % 8, max(width / 60, 0.3), colour, abs(thickness))
