"""Pictures under light that few photos show: coloured lamps, exchanged channels, turned hues, deep darkness.

A colour change is one 3×3 matrix of the channels: hue turned about the grey axis, saturation, a lamp's colour, channels
exchanged. Darkness scales the values down, to a few grey levels in the end, with a sensor's noise on the rest.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from startrack.tracker.types import ImageArray

LUMA = (0.299, 0.587, 0.114)
"""Weights of red, green and blue in a grey value (ITU-R BT.601)."""
DARKEST, DIMMEST = 0.03, 0.4
"""Range of the factor that darkness scales values by."""
MOST_NOISE = 0.12
"""Standard deviation of a dark picture's noise, as a share of its brightest value."""


@dataclass(frozen=True, slots=True)
class StrongLight:
    """Probabilities of each change."""

    colour: float = 0.2
    darkness: float = 0.08


def change_light(picture: ImageArray, light: StrongLight, rng: np.random.Generator) -> ImageArray:
    """A changed copy of an (H, W, 3) uint8 RGB picture, or the picture itself where nothing is drawn."""
    chance = rng.random(2)
    if chance[0] < light.colour:
        picture = recolour(picture, colour_matrix(rng))
    if chance[1] < light.darkness:
        gain = math.exp(rng.uniform(math.log(DARKEST), math.log(DIMMEST)))
        picture = darken(picture, gain, noise=rng.uniform(0, MOST_NOISE), rng=rng)
    return picture


def recolour(picture: ImageArray, matrix: NDArray[np.float64]) -> ImageArray:
    """(H, W, 3) uint8 whose pixels are matrix (3, 3) times those of the picture, cut at 0 and 255."""
    return cv2.transform(picture, matrix)  # type: ignore[return-value]


def darken(picture: ImageArray, gain: float, *, noise: float, rng: np.random.Generator) -> ImageArray:
    """The picture's values times gain, with normal noise of `noise` times the brightest value, rounded to levels."""
    values = picture.astype(np.float32) * np.float32(gain)
    if noise > 0:
        values += rng.standard_normal(picture.shape, dtype=np.float32) * np.float32(255 * gain * noise)
    # half of all cameras round, the others cut off
    return (values + np.float32(0.5 * (rng.random() < 0.5))).clip(0, 255).astype(np.uint8)


def colour_matrix(rng: np.random.Generator) -> NDArray[np.float64]:
    """(3, 3) a coloured light, exchanged channels, another hue and saturation, or the grey of one tint."""
    match int(rng.integers(8)):
        case 0 | 1 | 2:
            return lamp(rng) @ saturation(float(rng.uniform(0.2, 1.3)))
        case 3 | 4:
            return np.eye(3)[rng.permutation(3)]
        case 5:
            # grey, seen through one colour
            return lamp(rng) @ saturation(0.0)
        case 6:
            return lamp(rng) @ np.eye(3)[rng.permutation(3)]
        case _:
            return saturation(float(rng.uniform(0.5, 3.0))) @ hue_turn(float(rng.uniform(-math.pi, math.pi)))


def lamp(rng: np.random.Generator) -> NDArray[np.float64]:
    """(3, 3) diagonal: one or two channels lit, what reaches the others from nothing up to a half."""
    gains = rng.uniform(0, 1, 3) ** 2 * 0.6
    lit = rng.permutation(3)[: 1 if rng.random() < 0.7 else 2]
    gains[lit] = rng.uniform(0.7, 1.3, len(lit))
    return np.diag(gains)


def saturation(factor: float) -> NDArray[np.float64]:
    """(3, 3): 0 makes grey, 1 changes nothing."""
    return factor * np.eye(3) + (1 - factor) * np.tile(LUMA, (3, 1))


def hue_turn(angle_rad: float) -> NDArray[np.float64]:
    """(3, 3) a rotation about the grey axis, which keeps grey values as they are (Rodrigues' formula)."""
    axis = np.full(3, 1 / math.sqrt(3))
    cross = np.array([[0, -axis[2], axis[1]], [axis[2], 0, -axis[0]], [-axis[1], axis[0], 0]])
    cos, sin = math.cos(angle_rad), math.sin(angle_rad)
    return np.asarray(cos * np.eye(3) + sin * cross + (1 - cos) * np.outer(axis, axis))
