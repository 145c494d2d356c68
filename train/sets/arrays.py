"""Arrays in .npz files: panoramas of light, and what else a renderer's assets hold."""

from __future__ import annotations

import tokenize
import zipfile
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from startrack.outside import check_unpacked
from startrack.train.sets.sample import DatasetError

MAX_UNPACKED = 1 << 28
"""Bytes that an .npz file may unpack to."""


def read_arrays(path: Path) -> dict[str, NDArray[np.generic]]:
    """Every array of an .npz file, none of them Python objects. Raises DatasetError if it is broken or too large."""
    try:
        check_unpacked(path, MAX_UNPACKED)
        with np.load(path, allow_pickle=False) as arrays:
            return {name: arrays[name] for name in arrays.files}
    except (OSError, ValueError, EOFError, zipfile.BadZipFile, tokenize.TokenError, MemoryError) as error:
        raise DatasetError(f"{path}: not an .npz file of plain arrays: {error}") from error


def read_panorama(path: Path) -> NDArray[np.float32]:
    """(H, W, 3) linear light from every direction: latitude from the top, longitude around. Raises DatasetError if the
    file is broken, or no light is in it."""
    arrays = read_arrays(path)
    radiance = next(iter(arrays.values())) if len(arrays) == 1 else arrays.get("a")
    if radiance is None or radiance.dtype.kind != "f" or radiance.ndim != 3 or radiance.shape[2] != 3:
        raise DatasetError(f"{path}: expected one array (height, width, 3) of linear light")
    light = np.nan_to_num(radiance.astype(np.float32), nan=0.0, posinf=1e4, neginf=0.0).clip(0.0, 1e4)
    if not light.any():
        raise DatasetError(f"{path}: no light in it")
    return light
