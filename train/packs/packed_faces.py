"""Faces of a pack file, decoded once into one tensor, where the augmentation of a whole batch reads them."""

# N faces, K landmarks, P side of a packed picture

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from torch import Tensor

from startrack.outside import check_ordinary, parse_json, reason
from startrack.tracker.schemes import SCHEMES, LandmarkScheme
from startrack.tracker.video.picture_file.header import read_header
from startrack.train.sets.sample import DatasetError

PACK_FORMAT = "startrack-faces"
PACK_VERSION = "1"


@dataclass(frozen=True, slots=True, eq=False)
class PackedFaces:
    """Pictures of faces, all of one size, with the facts that a training needs of each."""

    scheme: LandmarkScheme
    pictures: Tensor
    """(N, P, P, 3) uint8 BGR."""
    landmarks: Tensor
    """(N, K, 2) float64 x, y in pixels of the packed picture; moved there as the data set gives them."""
    zooms: Tensor
    """(N,) float64 packed pixels per pixel of the original picture, at most 1."""
    weights: Tensor
    """(N,) float32, weight of the face in the loss."""
    names: tuple[str, ...]
    """Of the original pictures, unique within a data set."""
    subsets: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.names)

    @property
    def size(self) -> int:
        """Side of the packed pictures."""
        return int(self.pictures.shape[1])


def load_packed_faces(path: Path) -> PackedFaces:
    """Read and decode a file of train/packs/pack.py. Raises DatasetError if it is missing, damaged or another kind."""
    try:
        check_ordinary(path)
        with safe_open(path, framework="np") as file:
            metadata = file.metadata() or {}
            stored = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (OSError, SafetensorError, AttributeError, TypeError, ValueError, MemoryError) as error:
        # AttributeError: a type that NumPy does not have
        raise DatasetError(f"{path}: not a readable pack of faces: {reason(error)}") from error
    if (metadata.get("format"), metadata.get("version")) != (PACK_FORMAT, PACK_VERSION):
        written_as = f"{metadata.get('format')!r} version {metadata.get('version')!r}"
        raise DatasetError(f"{path}: {written_as}; expected {PACK_FORMAT!r} version {PACK_VERSION!r} of startrack pack")
    try:
        return _faces(stored, metadata)
    except (KeyError, TypeError, ValueError, OverflowError, IndexError) as error:
        raise DatasetError(f"{path}: damaged pack of faces: {reason(error)}") from error


def _faces(stored: dict[str, NDArray[Any]], metadata: dict[str, str]) -> PackedFaces:
    """Raises ValueError, TypeError or KeyError where anything is not as pack.py writes it."""
    if metadata["scheme"] not in SCHEMES:
        raise ValueError(f"scheme {metadata['scheme']!r}; expected one of {', '.join(SCHEMES)}")
    scheme, size = SCHEMES[metadata["scheme"]], int(metadata["size"])
    if not 1 <= size <= 4096:
        raise ValueError(f"size {size}; expected a side of 1 to 4096")
    names, subsets = (tuple(map(str, parse_json(metadata[key]))) for key in ("names", "subsets"))
    count = len(names)
    if not count or len(subsets) != count:
        raise ValueError(f"{count} names and {len(subsets)} subsets; expected one of each per face")
    shapes: dict[str, tuple[tuple[int, ...], type]] = {
        "offsets": ((count + 1,), np.int64),
        "landmarks": ((count, scheme.num_landmarks, 2), np.float64),
        "zooms": ((count,), np.float64),
        "weights": ((count,), np.float32),
        "jpegs": ((stored["jpegs"].size,), np.uint8),
    }
    for name, (shape, kind) in shapes.items():
        if stored[name].shape != shape or stored[name].dtype != kind:
            raise ValueError(f"{name}: {stored[name].dtype} {stored[name].shape}; expected {kind.__name__} {shape}")
        if not np.isfinite(stored[name]).all():
            raise ValueError(f"{name}: expected finite numbers")
    if not (stored["zooms"] > 0).all() or np.ptp(stored["landmarks"], axis=1).max(axis=1).min() <= 0:
        raise ValueError("expected positive zooms, and landmarks in more than one place")
    tensors = {name: torch.from_numpy(stored[name].copy()) for name in ("landmarks", "zooms", "weights")}
    pictures = _decode(stored["jpegs"], stored["offsets"], size)
    return PackedFaces(scheme=scheme, pictures=pictures, names=names, subsets=subsets, **tensors)


def _decode(jpegs: NDArray[np.uint8], offsets: NDArray[np.int64], size: int) -> Tensor:
    """(N, P, P, 3) uint8 BGR."""
    if offsets[0] != 0 or offsets[-1] != jpegs.size or (np.diff(offsets) <= 0).any():
        raise ValueError(f"offsets: expected to rise from 0 to {jpegs.size}")
    pictures = np.empty((len(offsets) - 1, size, size, 3), np.uint8)
    for index, picture in enumerate(pictures):
        encoded = jpegs[offsets[index] : offsets[index + 1]]
        header = read_header(encoded.data)
        found = header.sizes[0] if header is not None and len(header.sizes) == 1 else None
        decoded = cv2.imdecode(encoded, cv2.IMREAD_COLOR) if found == (size, size) else None
        if decoded is None or decoded.shape != picture.shape:
            decoded_as = "no picture" if found in (None, (size, size)) else f"{found[0]}×{found[1]} pixels"
            raise ValueError(f"picture {index}: {decoded_as}; expected {size}×{size} pixels")
        picture[:] = decoded
    return torch.from_numpy(pictures)
