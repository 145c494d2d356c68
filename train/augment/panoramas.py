"""Views of panoramas of light: pictures of real places that show nobody, for networks that see no other photo."""

from __future__ import annotations

import math
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from startrack.tracker.types import ImageArray
from startrack.train.sets.arrays import read_panorama
from startrack.train.sets.backgrounds import Background
from startrack.train.sets.sample import DatasetError

VIEWS = 64
"""Of each panorama."""
SIDE = 320
"""Of a view, px."""
FIELD_DEG = (30.0, 95.0)
MOST_PITCH_DEG = 40.0


def panorama_views(folder: Path, rng: np.random.Generator) -> list[Background]:
    """VIEWS pictures (SIDE, SIDE, 3) of each panorama of a folder, in random directions and exposures.

    folder: .npz files of one array (H, W, 3) of linear light each: latitude from the top, longitude around, as the
    `hdri` of the renderer's assets. Raises DatasetError if it holds none, or something else.
    """
    paths = sorted(folder.glob("*.npz"))
    if not paths:
        raise DatasetError(f"{folder}: no panorama in it; expected .npz files of light, as the assets' folder hdri")
    return [
        Background(_view(panorama, rng), np.zeros((0, 4)))
        for panorama in map(read_panorama, paths)
        for _ in range(VIEWS)
    ]


def _view(panorama: NDArray[np.float32], rng: np.random.Generator) -> ImageArray:
    """What a camera without distortion sees, in a random direction."""
    height, width = panorama.shape[:2]
    yaw, pitch = rng.uniform(0, 2 * math.pi), math.radians(rng.uniform(-MOST_PITCH_DEG, MOST_PITCH_DEG))
    reach = math.tan(math.radians(rng.uniform(*FIELD_DEG)) / 2)
    across, down = np.meshgrid(*[np.linspace(-reach, reach, SIDE)] * 2)
    rays = np.stack([across, math.cos(pitch) * -down + math.sin(pitch), math.cos(pitch) + math.sin(pitch) * down], -1)
    latitude = np.arctan2(rays[..., 1], np.hypot(rays[..., 0], rays[..., 2]))
    longitude = (np.arctan2(rays[..., 0], rays[..., 2]) + yaw) % (2 * math.pi)
    columns = (longitude / (2 * math.pi) * width).astype(np.float32)
    rows = ((0.5 - latitude / math.pi) * height - 0.5).astype(np.float32)
    # cubic interpolation would draw dark rims around lamps
    seen = cv2.remap(panorama, columns, rows, cv2.INTER_LINEAR, borderMode=cv2.BORDER_WRAP)
    exposure = 0.25 * math.exp(rng.normal(0, 0.4)) / max(float(np.median(seen.mean(2))), 1e-4)
    encoded = np.clip(seen * exposure, 0, 1) ** (1 / 2.2)
    return np.ascontiguousarray((255 * encoded).round(), np.uint8)
