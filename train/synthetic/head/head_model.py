"""The head: one mesh whose vertices are the mean head plus weighted identity and expression shapes."""

# V model vertices, R render vertices (a model vertex once per texture place), F triangles

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from startrack.train.sets.sample import DatasetError
from startrack.train.synthetic.geometry.mesh import Floats, Indices
from startrack.train.synthetic.head.ict_folder import IctArrays

SKIN, EYE_RIGHT, EYE_LEFT, TEETH, GUMS, MOUTH = range(6)
"""Materials of the head's triangles; a scene's own materials follow them."""
HEAD_MATERIALS = 6
FACE_VERTICES = 9409
"""Vertices of the face, before those of the skull and neck, in the published numbering."""
MOUTH_SOCKET = (11248, 13294)
EYE_SOCKETS = (13294, 14062)
EYE_RADIUS_CM = 1.2
"""Radius of a human eyeball; the published mesh has 1.5, which is only the window that the eye is seen through."""
IRIS_DEPTH_CM = 1.07
"""Distance of the iris from the eyeball's centre."""


@dataclass(frozen=True, slots=True, eq=False)
class HeadModel:
    """The head as arrays. Right and left are the subject's."""

    neutral: Floats
    """(V, 3) cm, the mean head in the published frame."""
    identity: Floats
    """(S, 3 V) cm per standard deviation."""
    expression: Floats
    """(E, V, 3) cm at full strength."""
    expression_names: tuple[str, ...]
    faces: Indices
    """(F, 3) model vertices."""
    material: Indices
    """(F,) SKIN, EYE_RIGHT, …"""
    render_faces: Indices
    """(F, 3) render vertices."""
    source: Indices
    """(R,) model vertex of each render vertex."""
    uv: Floats
    """(R, 2) in the skin's texture."""
    number: dict[int, int]
    """Published vertex number → model vertex."""
    eye_windows: tuple[Indices, Indices]
    """Model vertices of the right and the left eye's window."""
    eye_centres: Floats
    """(2, 3) centre of the right and left eyeball on the mean head, cm."""

    @property
    def skin_faces(self) -> Indices:
        """(F', 3) model vertices of the outer skin: neither the mouth's inside nor the eye sockets."""
        result: Indices = self.faces[self.material == SKIN]
        return result

    def shape(self, weights: Floats) -> Floats:
        """(V, 3) offset of identity weights (S',), at most S; further shapes are at 0."""
        return (weights @ self.identity[: len(weights)]).reshape(-1, 3)

    def express(self, weights: Floats) -> Floats:
        """(V, 3) offset of expression weights (E,)."""
        used = np.flatnonzero(weights)
        total = np.zeros_like(self.neutral)
        for shape in used:
            total += weights[shape] * self.expression[shape]
        return total


def make_head_model(arrays: IctArrays) -> HeadModel:
    """The parts of the published model that are rendered. Raises DatasetError if a part is missing."""
    parts = {"Face": SKIN, "BackHead": SKIN, "ScleraRight": EYE_RIGHT, "ScleraLeft": EYE_LEFT, "Teeth": TEETH}
    parts["GumsTongue"] = GUMS
    missing = [name for name in parts if name not in arrays.materials]
    if missing:
        raise DatasetError(f"head model: no material {missing[0]!r}; expected those of ICT-FaceKit")
    slot = np.array([parts.get(name, -1) for name in arrays.materials], np.int32)[arrays.face_material]
    kept = slot >= 0
    faces, textures, material = arrays.faces[kept], arrays.face_textures[kept], slot[kept].copy()
    first = faces.min(1)
    material[(material == SKIN) & (first >= MOUTH_SOCKET[0]) & (first < MOUTH_SOCKET[1])] = MOUTH
    material[(material == SKIN) & (first >= EYE_SOCKETS[0]) & (first < EYE_SOCKETS[1])] = GUMS
    used, flat = np.unique(faces, return_inverse=True)
    faces = flat.reshape(-1, 3).astype(np.int32)
    pairs, render = np.unique(np.stack([faces.ravel(), textures.ravel()], 1), axis=0, return_inverse=True)
    neutral = arrays.vertices[used]
    windows = tuple(np.unique(faces[material == slot_]).astype(np.int32) for slot_ in (EYE_RIGHT, EYE_LEFT))
    centres = np.stack([_eye_centre(neutral[window]) for window in windows])
    return HeadModel(
        neutral=neutral,
        identity=np.ascontiguousarray(arrays.identity[:, used].reshape(len(arrays.identity), -1)),
        expression=np.ascontiguousarray(arrays.expression[:, used]),
        expression_names=arrays.expression_names,
        faces=faces,
        material=material,
        render_faces=render.reshape(-1, 3).astype(np.int32),
        source=pairs[:, 0].astype(np.int32),
        uv=(arrays.texture_places[pairs[:, 1]] / np.array([2, 1])).astype(np.float32),
        number={int(old): new for new, old in enumerate(used)},
        eye_windows=(windows[0], windows[1]),
        eye_centres=centres.astype(np.float32),
    )


def _eye_centre(window: NDArray[np.floating]) -> NDArray[np.floating]:
    """Centre of an eyeball of true size that touches the window from inside at its front."""
    middle = (window.min(0) + window.max(0)) / 2
    return np.array([middle[0], middle[1], window[:, 2].max() - 0.08 - EYE_RADIUS_CM])
