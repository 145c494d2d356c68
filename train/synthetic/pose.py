"""How a head is turned: a rotation that the neck shares out between head and shoulders."""

# V vertices

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from startrack.train.synthetic.geometry.compiled import compiled
from startrack.train.synthetic.geometry.mesh import Floats, Mesh
from startrack.train.synthetic.geometry.noise import smooth_step

PIVOT_CM = np.array([0.0, -8.0, -2.0], np.float32)
"""The neck's joint, about which the head turns."""
SHOULDER_SHARE = 0.3
"""Share of the turn that the shoulders follow."""
NECK_CM = (-16.0, -8.5)
"""Heights between which the turn fades from the head's to the shoulders'."""


@dataclass(frozen=True, slots=True)
class Pose:
    """A head's turn from facing the camera's side."""

    yaw_deg: float
    """Positive to the subject's left, which is the picture's right."""
    pitch_deg: float
    """Positive downwards."""
    roll_deg: float
    """Positive counter-clockwise in the picture."""

    @property
    def rotation(self) -> NDArray[np.float64]:
        """(3, 3) from the head's frame to the world's: x to the right, y up, z to the camera's side."""
        yaw, pitch, roll = np.deg2rad([self.yaw_deg, self.pitch_deg, self.roll_deg])
        turn = np.array([[np.cos(yaw), 0, np.sin(yaw)], [0, 1, 0], [-np.sin(yaw), 0, np.cos(yaw)]])
        nod = np.array([[1, 0, 0], [0, np.cos(pitch), -np.sin(pitch)], [0, np.sin(pitch), np.cos(pitch)]])
        tilt = np.array([[np.cos(roll), -np.sin(roll), 0], [np.sin(roll), np.cos(roll), 0], [0, 0, 1]])
        product: NDArray[np.float64] = tilt @ nod @ turn
        return product


def draw_pose(rng: np.random.Generator) -> Pose:
    """Half of the heads turned as in photos, half of them evenly to any side."""
    yaw = np.clip(rng.normal(0, 22), -90, 90) if rng.random() < 0.45 else rng.uniform(-95, 95)
    pitch, roll = np.clip(rng.normal(0, 13), -40, 40), np.clip(rng.normal(0, 12), -60, 60)
    return Pose(float(yaw), float(pitch), float(roll))


def stiffness(heights: Floats) -> Floats:
    """(V,) 1 on the head, SHOULDER_SHARE on the shoulders, by height on the mean head in cm."""
    return SHOULDER_SHARE + (1 - SHOULDER_SHARE) * smooth_step(*NECK_CM, heights)


def rotation_vector(rotation: NDArray[np.float64]) -> NDArray[np.float64]:
    """(3,) axis times angle of a rotation by less than a half turn."""
    cosine = np.clip((np.trace(rotation) - 1) / 2, -1, 1)
    angle = np.arccos(cosine)
    if angle < 1e-9:
        return np.zeros(3)
    axis = np.array([rotation[2, 1] - rotation[1, 2], rotation[0, 2] - rotation[2, 0], rotation[1, 0] - rotation[0, 1]])
    vector: NDArray[np.float64] = axis * (angle / max(np.linalg.norm(axis), 1e-12))
    return vector


def posed(mesh: Mesh, pose: Pose) -> Mesh:
    """The mesh turned about the neck's joint, each vertex by its stiffness's share of the angle."""
    turn = rotation_vector(pose.rotation).astype(np.float32)
    vertices, normals = _bent(mesh.vertices, mesh.normals, mesh.stiffness, turn, PIVOT_CM)
    return replace(mesh, vertices=vertices, normals=normals)


@compiled
def _bent(vertices, normals, stiffness, turn, pivot):  # type: ignore[no-untyped-def]
    """Rodrigues' formula for each vertex and normal."""
    full = np.sqrt(turn[0] ** 2 + turn[1] ** 2 + turn[2] ** 2)
    if full < 1e-9:
        return vertices.copy(), normals.copy()
    kx, ky, kz = turn[0] / full, turn[1] / full, turn[2] / full
    out, out_normals = np.empty_like(vertices), np.empty_like(normals)
    for i in range(vertices.shape[0]):
        cosine, sine = np.cos(full * stiffness[i]), np.sin(full * stiffness[i])
        for part in range(2):
            if part == 0:
                x, y, z = vertices[i, 0] - pivot[0], vertices[i, 1] - pivot[1], vertices[i, 2] - pivot[2]
            else:
                x, y, z = normals[i, 0], normals[i, 1], normals[i, 2]
            along = (kx * x + ky * y + kz * z) * (1 - cosine)
            nx = x * cosine + (ky * z - kz * y) * sine + kx * along
            ny = y * cosine + (kz * x - kx * z) * sine + ky * along
            nz = z * cosine + (kx * y - ky * x) * sine + kz * along
            if part == 0:
                out[i, 0], out[i, 1], out[i, 2] = nx + pivot[0], ny + pivot[1], nz + pivot[2]
            else:
                out_normals[i, 0], out_normals[i, 1], out_normals[i, 2] = nx, ny, nz
    return out, out_normals
