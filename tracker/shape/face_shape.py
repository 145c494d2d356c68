"""A point-distribution model of faces (Cootes et al., CVIU 1995): how far a set of landmarks is from any face's shape.

Fitted on training faces by benchmarks/fits/fit_face_shape.py. Turn and size in the picture are no part of a shape.
"""

# K landmarks, M modes; a point x, y is the complex number x + iy

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal, Self

import numpy as np
from numpy.typing import NDArray

from startrack.tracker.schemes import LandmarkScheme
from startrack.tracker.types import FloatArray

ComplexArray = NDArray[np.complex128]
Float64Array = NDArray[np.float64]
MOST_MODES, MOST_REST = 8.0, 10.0
"""What FaceShape.distance takes for 1, see there. The largest are 5.2 and 6.6 on 300W's training faces, 4.2 and 3.8 on
six real clips with profiles and grimaces; landmarks read from a crop without a face reach hundreds."""


@dataclass(frozen=True, slots=True, eq=False)
class FaceShape:
    """Mean and principal components of aligned shapes."""

    mean: ComplexArray
    """(K,) centred, of RMS distance 1 from its middle."""
    modes: Float64Array
    """(M, 2K) orthonormal, first all x, then all y."""
    variances: Float64Array
    """(M,) along the modes."""
    rest: float
    """Total variance beyond them."""

    @classmethod
    def fit(cls, shapes_NK2: FloatArray, scheme: LandmarkScheme, modes: int) -> Self:
        """From the landmarks of faces, any unit, and of their mirror images where the scheme has flip pairs."""
        shapes = _centred(shapes_NK2)
        if scheme.flip_pairs:
            shapes = np.concatenate([shapes, -shapes.conj()[:, scheme.flip_order]])
        mean = shapes[0]
        for _ in range(10):
            mean = _aligned(shapes, mean).mean(axis=0)
            mean = mean / np.sqrt((np.abs(mean) ** 2).mean())
        away = _flat(_aligned(shapes, mean) - mean)
        _, strength, components = np.linalg.svd(away, full_matrices=False)
        variances = strength**2 / len(away)
        return cls(mean, components[:modes], variances[:modes], float(variances[modes:].sum()))

    def distance(self, points_K2: FloatArray) -> float:
        """0 for the mean face; above 1 no face looks like that. (K, 2) landmarks, any unit.

        The larger of two: the mean squared deviation along the modes in their standard deviations, over MOST_MODES,
        and the squared deviation that no mode explains, in units of its mean over the faces, over MOST_REST.
        """
        shape = _aligned(_centred(points_K2)[None], self.mean)
        away = _flat(shape - self.mean)[0]
        along = self.modes @ away
        squared = along * along
        modes = float((squared / self.variances).sum()) / len(squared)
        rest = float(away @ away - squared.sum()) / self.rest
        return max(modes / MOST_MODES, rest / MOST_REST)

    def save(self, path: Path) -> None:
        """Write the model; the inverse of load."""
        np.savez_compressed(
            path,
            mean=np.stack([self.mean.real, self.mean.imag], axis=-1).astype(np.float32),
            modes=self.modes.astype(np.float32),
            variances=self.variances.astype(np.float32),
            rest=np.float32(self.rest),
        )

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read a model that `save` wrote."""
        with np.load(path, allow_pickle=False) as stored:
            mean = stored["mean"].astype(np.float64)
            variances = stored["variances"].astype(np.float64)
            return cls(
                mean[:, 0] + 1j * mean[:, 1], stored["modes"].astype(np.float64), variances, float(stored["rest"])
            )


SHAPE_FILES: dict[Literal["research", "free"], str] = {"research": "{}.npz", "free": "{}-rendered.npz"}
"""Licence of a model of faces → its file, by the markup's name."""


@cache
def shape_of(scheme_name: str, licence: Literal["research", "free"] = "research") -> FaceShape | None:
    """The shipped model of a markup's faces, None where there is none. licence: "free" for that of rendered faces."""
    path = Path(__file__).parent / SHAPE_FILES[licence].format(scheme_name)
    return FaceShape.load(path) if path.is_file() else None


def _centred(points: FloatArray) -> ComplexArray:
    """(..., K, 2) → (..., K) around their middle, of RMS distance 1 from it."""
    numbers = np.ascontiguousarray(points, np.float64).view(np.complex128)[..., 0]
    numbers = numbers - numbers.mean(axis=-1, keepdims=True)
    size = np.sqrt((numbers.real**2 + numbers.imag**2).mean(axis=-1, keepdims=True))
    centred: ComplexArray = numbers / np.maximum(size, 1e-9)
    return centred


def _aligned(shapes_NK: ComplexArray, mean_K: ComplexArray) -> ComplexArray:
    """Each shape turned as near to the mean as it goes."""
    turn_N = shapes_NK.conj() @ mean_K
    aligned: ComplexArray = shapes_NK * (turn_N / np.maximum(np.abs(turn_N), 1e-12))[:, None]
    return aligned


def _flat(shapes_NK: ComplexArray) -> Float64Array:
    return np.concatenate([shapes_NK.real, shapes_NK.imag], axis=-1)
