"""The curves of a face that move as one, and the part that each landmark plays: lid, lip, steady or none of these."""

# K landmarks, G curves

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from startrack.tracker.schemes import LandmarkScheme

Float64Array = NDArray[np.float64]
Number = TypeVar("Number", np.float64, np.complex128)
REST, LID, LIP, STEADY = range(4)


@dataclass(frozen=True, slots=True)
class PerPart:
    """One number for each kind of landmark."""

    rest: float
    """Jaw, brows, and every landmark that the markup says nothing of."""
    lids: float
    lips: float
    steady: float
    """Corners of the eyes and nose."""


@dataclass(frozen=True, slots=True, eq=False)
class Curves:
    """The curves of one markup. The steady landmarks are one curve, so that the corners of an eye stay at rest when its
    lids move; a landmark on no curve is a curve of its own."""

    weights: Float64Array
    """(G, K) of the landmarks in the mean of each curve."""
    members: NDArray[np.bool_]
    """(G, K) whether a landmark is on the curve."""
    curve: NDArray[np.intp]
    """(K,) number of each landmark's curve."""
    part: NDArray[np.intp]
    """(K,) Number = TypeVar("Number", np.float64, np.complex128)
REST, LID, LIP or STEADY."""

    def values(self, numbers: PerPart) -> Float64Array:
        """(K,) each landmark's number."""
        by_part = np.array([numbers.rest, numbers.lids, numbers.lips, numbers.steady])
        chosen: Float64Array = by_part[self.part]
        return chosen

    def means(self, values_K: NDArray[Number]) -> NDArray[Number]:
        """(K,) for each landmark the mean of its curve."""
        of_curves: NDArray[Number] = self.weights.astype(values_K.dtype, copy=False).dot(values_K)
        return of_curves[self.curve]


def curves_of(scheme: LandmarkScheme) -> Curves:
    """The curves of a markup: the steady landmarks, and the other points of each edge."""
    steady = set(scheme.steady)
    left = set(range(scheme.num_landmarks)) - steady
    groups = [scheme.steady] if scheme.steady else []
    for edge in scheme.edges:
        moving = tuple(index for index in edge.indices if index in left)
        if moving:
            groups.append(moving)
        left -= set(moving)
    groups += [(index,) for index in sorted(left)]
    members = np.zeros((len(groups), scheme.num_landmarks), np.bool_)
    for row, indices in enumerate(groups):
        members[row, list(indices)] = True
    curve = members.argmax(axis=0)
    part = np.full(scheme.num_landmarks, REST)
    part[[*scheme.left_eye, *scheme.right_eye]] = LID
    part[[index for edge in scheme.edges if "lip" in edge.name for index in edge.indices]] = LIP
    part[list(scheme.steady)] = STEADY
    return Curves(members / members.sum(axis=1, keepdims=True), members, curve, part)
