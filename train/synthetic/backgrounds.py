"""What lies behind a face: a user's photos, the light's own environment, or shapes and colours made by program."""

# H W pixels

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from startrack.train.sets.pts import PICTURE_SUFFIXES
from startrack.train.sets.sample import DatasetError, read_picture
from startrack.train.synthetic.geometry.mesh import Floats
from startrack.train.synthetic.geometry.noise import salt_of, value_noise
from startrack.train.synthetic.light import Environment, background_of
from startrack.train.synthetic.surface.material import linear

LIKE_SKIN = (0.2, 0.0, -0.2)
"""Logarithm of a wall's colour in linear RGB where it is like skin."""


@dataclass(frozen=True, slots=True)
class Backdrops:
    """Where backgrounds come from."""

    photos: tuple[Path, ...] = ()
    """Pictures without faces."""

    def draw(
        self, environment: Environment, size: tuple[int, int], exposure: float, rng: np.random.Generator
    ) -> Floats:
        """(H, W, 3) linear light, 1 is white. size: width and height. exposure: mean light of the skin before it."""
        chance = rng.random()
        light: NDArray[Any]
        if self.photos and chance < 0.55:
            light = _photo(self.photos[int(rng.integers(len(self.photos)))], size, rng)
        elif chance < 0.62:
            light = background_of(environment, size, rng)
            light = light * np.float32(rng.uniform(0.5, 1.5) * exposure / max(float(light.mean()), 1e-4))
        elif chance < 0.75:
            light = _wall_like_skin(size, exposure, rng)
        else:
            light = _made(size, rng)
        if rng.random() < 0.5:
            light = _blurred(light, rng.uniform(2, 16))
        return np.clip(light, 0, 4).astype(np.float32)


def read_backdrops(folder: Path | None) -> Backdrops:
    """The photos below a folder. Raises DatasetError if it holds none."""
    if folder is None:
        return Backdrops()
    photos = tuple(sorted(path for path in folder.rglob("*") if path.suffix.lower() in PICTURE_SUFFIXES))
    if not photos:
        raise DatasetError(f"{folder}: no picture below it; expected photos without faces")
    return Backdrops(photos)


def _photo(path: Path, size: tuple[int, int], rng: np.random.Generator) -> Floats:
    """A square of a photo, mirrored in half of the cases, brighter or darker."""
    image = read_picture(path)
    height, width = image.shape[:2]
    side = max(int(min(height, width) * rng.uniform(0.4, 1.0)), 2)
    top, left = int(rng.integers(height - side + 1)), int(rng.integers(width - side + 1))
    piece = image[top : top + side, left : left + side]
    piece = piece[:, ::-1] if rng.random() < 0.5 else piece
    resized = cv2.resize(piece, size, interpolation=cv2.INTER_AREA if side > size[0] else cv2.INTER_LINEAR)
    return linear(resized.astype(np.float32) / 255) * np.float32(np.exp(rng.normal(0, 0.35)))


def _blurred(light: NDArray[Any], sigma_px: float) -> NDArray[Any]:
    """A Gaussian blur; a wide one of a smaller picture, which is enlarged again."""
    factor = 2 ** max(int(np.log2(sigma_px / 1.5)), 0)
    height, width = light.shape[:2]
    small = (max(width // factor, 1), max(height // factor, 1))
    reduced = cv2.resize(light, small, interpolation=cv2.INTER_AREA) if factor > 1 else light
    blurred = cv2.GaussianBlur(reduced, (0, 0), sigma_px / factor)
    return cv2.resize(blurred, (width, height), interpolation=cv2.INTER_LINEAR) if factor > 1 else blurred


def _wall_like_skin(size: tuple[int, int], exposure: float, rng: np.random.Generator) -> Floats:
    """A smooth wall about as bright as the skin and nearly of its colour, where a cheek's edge hardly shows."""
    colour = exposure * np.exp(rng.normal(0, 0.3) + rng.normal(LIKE_SKIN, 0.18))
    rows, columns = np.mgrid[: size[1], : size[0]].astype(np.float32) / np.float32(max(size)) - np.float32(0.5)
    slope = rng.normal(0, 0.35, 2).astype(np.float32)
    shade = np.exp(slope[0] * columns + slope[1] * rows)[..., None]
    wall: Floats = shade * colour.astype(np.float32)
    return wall


def _made(size: tuple[int, int], rng: np.random.Generator) -> Floats:
    """A wall with a gradient and mottles, or a clutter of boxes, discs and stripes."""
    width, height = size
    coarse = (max(width // 2, 1), max(height // 2, 1))  # enough for what is so smooth
    rows, columns = np.mgrid[: coarse[1], : coarse[0]].astype(np.float32) / np.float32(max(coarse))
    slope, first, second = rng.normal(0, 1, 2).astype(np.float32), _colour(rng), _colour(rng)
    share = np.clip(0.5 + slope[0] * (columns - 0.5) + slope[1] * (rows - 0.5), 0, 1)[..., None]
    wall = first * (1 - share) + second * share
    places = np.stack([columns, rows, np.zeros_like(rows)], -1).reshape(-1, 3) / np.float32(rng.uniform(0.02, 0.4))
    mottles = np.exp(np.float32(rng.uniform(0, 0.5)) * value_noise(places, salt_of(rng)))
    wall = wall * mottles.reshape(coarse[1], coarse[0], 1)
    light: Floats = np.asarray(cv2.resize(wall, size, interpolation=cv2.INTER_LINEAR), np.float32)
    for _ in range(int(rng.integers(0, 14)) if rng.random() < 0.7 else 0):
        colour = tuple(float(v) for v in _colour(rng))
        x, y = (int(v) for v in rng.uniform(-0.1, 1.1, 2) * max(size))
        w, h = (int(v) for v in np.exp(rng.uniform(-3, -0.3, 2)) * max(size))
        kind = rng.integers(3)
        if kind == 0:
            cv2.rectangle(light, (x, y), (x + w, y + h), colour, -1)
        elif kind == 1:
            cv2.ellipse(light, (x, y), (w // 2 + 1, h // 2 + 1), float(rng.uniform(0, 180)), 0, 360, colour, -1)
        else:
            cv2.line(light, (x, y), (x + w - h, y + h), colour, int(rng.uniform(2, 30)))
    return light


def _colour(rng: np.random.Generator) -> Floats:
    return np.exp(rng.uniform(-3.5, 0.0) + rng.normal(0, 0.35, 3)).clip(0, 1).astype(np.float32)
