"""A data set → one file of compact face pictures, to train where the data set itself is too large to go.

The file is a .safetensors: jpegs (all JPEGs one after another), offsets (where each begins, and the end), landmarks,
zooms and weights as in train/packs/packed_faces.py; its metadata says format, version, scheme, size, names and subsets.
The pictures keep the terms of the data set that they come from: the file is not for the repository.
"""

# N faces, K landmarks, P side of a packed picture

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import save

from startrack.tracker.crop import roi_from_points
from startrack.tracker.schemes import SCHEMES, LandmarkScheme
from startrack.tracker.types import ImageArray
from startrack.train.packs.packed_faces import PACK_FORMAT, PACK_VERSION
from startrack.train.sets.sample import DatasetError, Sample
from startrack.whole_file import write_whole

REACH = 2.0
"""Side of a packed picture by the larger side of the landmarks' box: 1.6 times that of a crop of scale 1.25. STAR's
turns, scales and shifts then leave 0.07 % of the crops' area black that the original might have filled, and more than
1 % in one crop of 55 (4000 draws)."""
QUALITY = 92
LARGEST = 8
"""Packed side before shrinking by the longer side of the picture: more is an error of the labels."""


class PackedFace(NamedTuple):
    """One face and its surroundings."""

    picture: ImageArray
    """(P, P, 3) uint8, channels as in the original, black outside it."""
    landmarks: NDArray[np.float64]
    """(K, 2) pixels of the packed picture."""
    zoom: float
    """Packed pixels per original pixel."""


def pack_faces(samples: Sequence[Sample], path: Path, *, size: int = 320) -> int:
    """Write the faces of a data set as a pack; returns its size in bytes. size: side of the packed pictures.

    Raises DatasetError if there is no face, a picture cannot be read, or landmarks are missing.
    """
    scheme = scheme_of(samples)
    landmarks, zooms, jpegs = [], [], []
    for sample in samples:
        if not np.isfinite(sample.landmarks).all():
            raise DatasetError(f"{sample.path}: {sample.name} has landmarks without a place; a pack needs all")
        image = sample.read_image()
        side = REACH * roi_from_points(sample.landmarks, 1).side
        if not 1 <= side <= LARGEST * max(image.shape):
            raise DatasetError(
                f"{sample.path}: landmarks {side / REACH:.3g} pixels wide in {image.shape[1::-1]} pixels"
            )
        face = pack_face(image[..., ::-1], sample.landmarks, size=size)
        jpegs.append(cv2.imencode(".jpg", face.picture, [cv2.IMWRITE_JPEG_QUALITY, QUALITY])[1])
        landmarks.append(face.landmarks)
        zooms.append(face.zoom)
    content = save(
        {
            "jpegs": np.concatenate(jpegs),
            "offsets": np.cumsum([0, *map(len, jpegs)], dtype=np.int64),
            "landmarks": np.stack(landmarks),
            "zooms": np.array(zooms, np.float64),
            "weights": np.array([sample.weight for sample in samples], np.float32),
        },
        metadata={
            "format": PACK_FORMAT,
            "version": PACK_VERSION,
            "scheme": scheme.name,
            "size": str(size),
            "names": json.dumps([sample.name for sample in samples]),
            "subsets": json.dumps([sample.subset for sample in samples]),
        },
    )
    write_whole(path, content)
    return len(content)


def pack_face(image: ImageArray, landmarks_K2: NDArray[np.floating], *, size: int) -> PackedFace:
    """The whole pixels around the landmarks' box, REACH times as wide, averaged down to the size.

    image: (H, W, 3). Nothing is enlarged: a small face stays as it is and shows more of its surroundings.
    """
    box = roi_from_points(landmarks_K2, REACH)
    side = max(math.ceil(box.side), size)
    left, top = (math.floor(value - side / 2 + 1) for value in box.centre)
    square = np.zeros((side, side, 3), np.uint8)
    height, width = image.shape[:2]
    part = image[max(top, 0) : max(min(top + side, height), 0), max(left, 0) : max(min(left + side, width), 0)]
    row, column = max(-top, 0), max(-left, 0)
    square[row : row + part.shape[0], column : column + part.shape[1]] = part
    zoom = size / side
    picture = square if side == size else cv2.resize(square, (size, size), interpolation=cv2.INTER_AREA)
    # pixel u of the packed picture shows original pixel left + (u + 0.5) / zoom - 0.5
    landmarks = (np.asarray(landmarks_K2, np.float64) - np.array([left, top]) + 0.5) * zoom - 0.5
    return PackedFace(picture, landmarks, zoom)  # type: ignore[arg-type]


def scheme_of(samples: Sequence[Sample]) -> LandmarkScheme:
    """The scheme that all samples are marked in, by their number of landmarks. Raises DatasetError for none."""
    counts = sorted({len(sample.landmarks) for sample in samples})
    schemes = [scheme for scheme in SCHEMES.values() if [scheme.num_landmarks] == counts]
    if len(schemes) != 1:
        raise DatasetError(f"faces of {counts} landmarks; expected one scheme of {', '.join(SCHEMES)}")
    return schemes[0]
