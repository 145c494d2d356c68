"""Smooth noise in space, for pores, cloth, hair and light spots."""

# N places

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from startrack.train.synthetic.geometry.compiled import compiled
from startrack.train.synthetic.geometry.mesh import Floats


@compiled
def _lattice(x: int, y: int, z: int, salt: int) -> float:
    mixed = np.uint32(x * 73856093) ^ np.uint32(y * 19349663) ^ np.uint32(z * 83492791) ^ np.uint32(salt * 2971215073)
    mixed = np.uint32(mixed * np.uint32(2654435761))
    mixed ^= mixed >> np.uint32(15)
    mixed = np.uint32(mixed * np.uint32(2246822519))
    mixed ^= mixed >> np.uint32(13)
    return float(mixed & np.uint32(0xFFFF)) / 32767.5 - 1.0


@compiled
def value_noise(places: NDArray[Any], salt: int) -> Floats:
    """(N,) smooth noise in [-1, 1] whose features are one unit wide.

    places: (N, 3), already divided by the wanted width of a feature. salt: any whole number; another is another noise.
    """
    out = np.empty(places.shape[0], np.float32)
    for i in range(places.shape[0]):
        fx, fy, fz = np.floor(places[i, 0]), np.floor(places[i, 1]), np.floor(places[i, 2])
        x, y, z = int(fx), int(fy), int(fz)
        tx, ty, tz = places[i, 0] - fx, places[i, 1] - fy, places[i, 2] - fz
        tx, ty, tz = tx * tx * (3 - 2 * tx), ty * ty * (3 - 2 * ty), tz * tz * (3 - 2 * tz)
        total = 0.0
        for corner in range(8):
            dx, dy, dz = corner & 1, (corner >> 1) & 1, corner >> 2
            weight = (tx if dx else 1 - tx) * (ty if dy else 1 - ty) * (tz if dz else 1 - tz)
            total += weight * _lattice(x + dx, y + dy, z + dz, salt)
        out[i] = total
    return out


def salt_of(rng: np.random.Generator) -> int:
    """A salt for value_noise."""
    return int(rng.integers(1 << 20))


def smooth_step(low: float, high: float, values: NDArray[np.floating]) -> Floats:
    """0 below low, 1 above high, smooth between (downwards if high < low)."""
    share = np.clip((values - low) / (high - low), 0.0, 1.0).astype(np.float32, copy=False)
    result: Floats = share * share * (3.0 - 2.0 * share)
    return result


def bump(values: NDArray[np.floating], centre: float, width: float) -> Floats:
    """exp(-((values - centre) / width)²)."""
    result: Floats = np.exp(-np.square((values - centre) / width)).astype(np.float32, copy=False)
    return result


@compiled
def vector_noise(places: Floats, salt: int) -> Floats:
    """(N, 3) three independent noises as value_noise makes them, in one pass."""
    out = np.empty((places.shape[0], 3), np.float32)
    for i in range(places.shape[0]):
        fx, fy, fz = np.floor(places[i, 0]), np.floor(places[i, 1]), np.floor(places[i, 2])
        x, y, z = int(fx), int(fy), int(fz)
        tx, ty, tz = places[i, 0] - fx, places[i, 1] - fy, places[i, 2] - fz
        first = second = third = 0.0
        for corner in range(8):
            dx, dy, dz = corner & 1, (corner >> 1) & 1, corner >> 2
            weight = (tx if dx else 1 - tx) * (ty if dy else 1 - ty) * (tz if dz else 1 - tz)
            value = _lattice(x + dx, y + dy, z + dz, salt)
            first += weight * value
            second += weight * (abs(value * 37.0) % 2.0 - 1.0)
            third += weight * (abs(value * 1109.0) % 2.0 - 1.0)
        out[i, 0] = first
        out[i, 1] = second
        out[i, 2] = third
    return out
