"""Landmarks of drawn persons with known weights of expression shapes: the head model without its pictures."""

# P persons, E expression shapes, N views, 3 x right, y down, z away in centimetres

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from startrack.tracker.schemes import IBUG_68
from startrack.tracker.signals.expression import frontal_shapes, rigid_poses
from startrack.tracker.signals.rendered_faces import RENDERED_HEAD
from startrack.tracker.signals.shapes import Float64Array, face_measures
from startrack.train.synthetic.camera import TO_CAMERA
from startrack.train.synthetic.geometry.rays import Anchors
from startrack.train.synthetic.head.head_model import HeadModel
from startrack.train.synthetic.head.identity import age_offset, draw_identity
from startrack.train.synthetic.head.markup import landmark_anchors

NEAREST_CM, FARTHEST_CM = 40.0, 230.0
TURN_DEG, NEUTRAL_TURN_DEG = (22.0, 12.0, 10.0), (8.0, 6.0, 5.0)
"""Standard deviations of yaw, pitch and roll of a face, and of one that is neutral."""


@dataclass(frozen=True, slots=True, eq=False)
class DrawnHeads:
    """The landmarks of a head model."""

    mean: Float64Array
    """(68, 3) of the mean head."""
    identity: Float64Array
    """(S, 68, 3) for each identity shape."""
    expression: Float64Array
    """(E, 68, 3) for each expression shape."""
    names: tuple[str, ...]
    """Of the expression shapes, as the head model has them."""
    model: HeadModel
    anchors: Anchors
    """The 68 landmarks on the model's vertices."""

    def person(self, weights: NDArray[np.floating], age_years: float) -> Float64Array:
        """(68, 3) of a neutral face."""
        aged = self.anchors.places(age_offset(self.model.neutral, age_years)) * TO_CAMERA
        shaped: Float64Array = self.mean + np.tensordot(weights, self.identity[: len(weights)], 1) + aged
        return shaped


def drawn_heads(model: HeadModel) -> DrawnHeads:
    """The landmarks of a head model's shapes."""
    anchors = landmark_anchors(model)

    def places(offset: NDArray[np.floating]) -> Float64Array:
        return np.asarray(anchors.places(offset.reshape(-1, 3)) * TO_CAMERA, np.float64)

    identity = np.array([places(shape) for shape in model.identity])
    expression = np.array([places(shape) for shape in model.expression])
    return DrawnHeads(places(model.neutral), identity, expression, model.expression_names, model, anchors)


def draw_persons(heads: DrawnHeads, count: int, rng: np.random.Generator) -> Float64Array:
    """(P, 68, 3) neutral faces."""
    drawn = [draw_identity(heads.model, rng) for _ in range(count)]
    return np.array([heads.person(one.weights, one.age_years) for one in drawn])


def views_of(faces_N3: Float64Array, spread_deg: Sequence[float], rng: np.random.Generator) -> Float64Array:
    """(N, 68, 2) faces seen by a camera, each turned and as far away as is drawn."""
    count = len(faces_N3)
    yaw, pitch, roll = (np.radians(rng.normal(0, s, count).clip(-2 * s, 2 * s)) for s in spread_deg)
    turns = _about(roll, 2) @ _about(pitch, 0) @ _about(yaw, 1)
    distance = np.exp(rng.uniform(np.log(NEAREST_CM), np.log(FARTHEST_CM), count))
    turned = (faces_N3 - faces_N3.mean(axis=1, keepdims=True)) @ turns.transpose(0, 2, 1)
    projected: Float64Array = 1000 * turned[..., :2] / (turned[..., 2] + distance[:, None])[..., None]
    return projected


def _about(angles: Float64Array, axis: int) -> Float64Array:
    first, second = (k for k in range(3) if k != axis)
    turn = np.zeros((len(angles), 3, 3))
    turn[:, axis, axis] = 1
    turn[:, first, first] = turn[:, second, second] = np.cos(angles)
    turn[:, first, second], turn[:, second, first] = -np.sin(angles), np.sin(angles)
    return turn


def frontal(views_N2: Float64Array) -> Float64Array:
    """(N, 68, 2) frontal shapes, as tracker.signals measures them in runs of free models: no photo goes in."""
    return frontal_shapes(views_N2, *rigid_poses(views_N2, RENDERED_HEAD), RENDERED_HEAD)


def mirrored(shapes_N2: Float64Array) -> Float64Array:
    """The frontal shapes of the mirrored faces."""
    flipped: Float64Array = shapes_N2[:, IBUG_68.flip_order] * [-1.0, 1.0]
    return flipped


def measures(shapes_N2: Float64Array) -> Float64Array:
    """(N, M + 2) measures of frontal shapes."""
    return np.array([face_measures(shape) for shape in shapes_N2])


def arkit_weights(weights_NE: NDArray[np.floating], names: Sequence[str]) -> dict[str, Float64Array]:
    """ARKit's name → (N,) weights; the head model parts two of ARKit's shapes into a left and a right one."""
    found = {_arkit(name): np.asarray(weights_NE[:, k], np.float64) for k, name in enumerate(names)}
    for name in ("browInnerUp", "cheekPuff"):
        if f"{name}Left" in found:
            found[name] = (found.pop(f"{name}Left") + found.pop(f"{name}Right")) / 2
    return found


def _arkit(name: str) -> str:
    for ending, side in (("_L", "Left"), ("_R", "Right")):
        if name.endswith(ending):
            return name.removesuffix(ending) + side
    return name


def other_side(name: str) -> str:
    """The shape that this one is on the mirrored face."""
    if name.endswith("Left"):
        return name.removesuffix("Left") + "Right"
    return name.removesuffix("Right") + "Left" if name.endswith("Right") else name
