"""Cut-outs laid over a background, the far ones first: a picture of several people, and where their faces are."""

# S side of a cut-out, H W of the picture

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from startrack.tracker.crop import eye_angle, roi_from_points
from startrack.tracker.schemes import IBUG_68
from startrack.train.synthetic.backgrounds import Backdrops
from startrack.train.synthetic.camera import develop, draw_development
from startrack.train.synthetic.crowd.cut_out import FACE, MIDDLE, SIDE, CutOut
from startrack.train.synthetic.geometry.mesh import Floats
from startrack.train.synthetic.light import Environment, draw_environment
from startrack.train.synthetic.person import generator

WIDTH, HEIGHT = 640, 480
"""Of the pictures, px; half of them are as high as wide."""
SMALLEST, LARGEST = 9.0, 190.0
"""Sides of faces, px."""
TORSO = 8.0
"""Length of the body below a cut-out, in sides of the face."""


@dataclass(frozen=True, slots=True, eq=False)
class PlacedFace:
    """A face in a picture."""

    square: NDArray[np.float64]
    """(3,) centre x, y and side, px (tracker.types.FaceBox)."""
    points: NDArray[np.float64]
    """(5, 2) px: the face's own right eye, left eye, nose tip, right and left mouth corner."""
    visible: float
    """Share of the landmarks' hull that lies in the picture and before which nobody stands."""
    turn_deg: float


@dataclass(frozen=True, slots=True, eq=False)
class Group:
    """A picture of several people."""

    image: NDArray[np.uint8]
    """(H, W, 3) RGB."""
    faces: tuple[PlacedFace, ...]
    """Of everybody whose face turns to the camera's side, however small and hidden."""
    jpeg_quality: int


@dataclass(frozen=True, slots=True, eq=False)
class _Stand:
    """Somebody's place in the picture."""

    number: int
    """Of the cut-out."""
    side: float
    """Of the face, px."""
    middle: NDArray[np.float64]
    """(2,) px, of the face."""
    roll_rad: float
    mirrored: bool
    brightness: float


def make_group(
    cut_outs: Callable[[int], CutOut],
    pool: int,
    environments: tuple[Floats, ...],
    seed: int,
    index: int,
    *,
    backdrops: Backdrops,
) -> Group:
    """Picture number `index` of a series. cut_outs: number → cut-out, of `pool` numbers."""
    rng = generator(seed, index, "group")
    size = (WIDTH, WIDTH if rng.random() < 0.5 else HEIGHT)
    environment: Environment = draw_environment(environments, rng)
    exposure = float(np.exp(rng.normal(math.log(0.25), 0.4)))
    light = backdrops.draw(environment, size, exposure, rng)
    shown: list[tuple[PlacedFace, NDArray[np.uint8]]] = []
    for stand in _stands(size, pool, rng):
        cut_out = cut_outs(stand.number)
        affine = _affine(stand)
        opacity = _lay(light, cut_out, affine, stand)
        # the earlier ones are farther away
        shown = [(face, hull & (opacity < 0.5)) for face, hull in shown]
        if cut_out.landmarks is not None:
            shown.append(_face(cut_out, affine, stand, size))
    settings = draw_development(rng)
    faces = tuple(_with_share(face, hull) for face, hull in shown)
    return Group(develop(light, settings), faces, settings.jpeg_quality)


def _stands(size: tuple[int, int], pool: int, rng: np.random.Generator) -> list[_Stand]:
    """One to two dozen people, the far ones first: alone, in a group of like size, or near and far."""
    kind = rng.random()
    count = 1 if kind < 0.12 else int(rng.integers(2, 7)) if kind < 0.55 else int(rng.integers(6, 25))
    usual = math.exp(rng.uniform(math.log(16), math.log(LARGEST / math.sqrt(count))))
    spread = rng.uniform(0.05, 0.7)
    height = rng.uniform(0.2, 0.8)
    stands = []
    for _ in range(count):
        side = float(np.clip(usual * math.exp(rng.normal(0, spread)), SMALLEST, LARGEST))
        # the nearer, the lower the eyes may be: everybody stands on one floor, more or less
        level = size[1] * (height + 0.25 * (side / usual - 1) * rng.uniform(0, 1) + rng.normal(0, 0.15))
        x = rng.uniform(-0.02, 1.02) * size[0]
        y = float(np.clip(level, -0.1 * side, size[1] + 0.1 * side))
        roll = float(rng.normal(0, 0.12)) if rng.random() < 0.9 else float(rng.uniform(-1.2, 1.2))
        brightness = float(np.exp(rng.normal(0, 0.3)))
        mirrored = bool(rng.random() < 0.5)
        stands.append(_Stand(int(rng.integers(pool)), side, np.array([x, y]), roll, mirrored, brightness))
    return sorted(stands, key=lambda stand: stand.side)


def _affine(stand: _Stand) -> NDArray[np.float64]:
    """(2, 3) cut-out → picture."""
    zoom = stand.side / (FACE * SIDE)
    cos, sin = zoom * math.cos(stand.roll_rad), zoom * math.sin(stand.roll_rad)
    linear = np.array([[-cos if stand.mirrored else cos, -sin], [-sin if stand.mirrored else sin, cos]])
    home = np.array(MIDDLE) * SIDE
    return np.column_stack([linear, stand.middle - linear @ home])


def _lay(light: Floats, cut_out: CutOut, affine: NDArray[np.float64], stand: _Stand) -> Floats:
    """Draw somebody over the picture in place; gives (H, W) the opacity there."""
    height, width = light.shape[:2]
    zoom = stand.side / (FACE * SIDE)
    tall, opacity = _with_torso(cut_out)
    matrix = affine
    if zoom < 1:  # averaged down first: warping alone would skip pixels
        small = (max(round(tall.shape[1] * zoom), 1), max(round(tall.shape[0] * zoom), 1))
        exact = np.array([tall.shape[1] / small[0], tall.shape[0] / small[1]])
        tall = cv2.resize(tall, small, interpolation=cv2.INTER_AREA)  # type: ignore[assignment]
        opacity = cv2.resize(opacity, small, interpolation=cv2.INTER_AREA)  # type: ignore[assignment]
        shift = affine[:, :2] @ (0.5 * exact - 0.5) + affine[:, 2]
        matrix = np.column_stack([affine[:, :2] * exact, shift])
    there = np.asarray(cv2.warpAffine(opacity, matrix, (width, height)), np.float32)
    colours = np.asarray(cv2.warpAffine(tall, matrix, (width, height)), np.float32)
    light *= (1 - there)[..., None]
    light += colours * np.float32(stand.brightness)
    return there


def _with_torso(cut_out: CutOut) -> tuple[Floats, Floats]:
    """Light and opacity with the lowest rows drawn out downwards: nobody ends at the shoulders."""
    rows = np.flatnonzero(cut_out.opacity.max(axis=1) > 0.9)
    last = int(rows[-1]) - 4 if len(rows) > 8 else SIDE - 1
    below = int(TORSO * FACE * SIDE)
    light = np.concatenate([cut_out.light[:last], np.repeat(cut_out.light[last : last + 1], below, 0)])
    opacity = np.concatenate([cut_out.opacity[:last], np.repeat(cut_out.opacity[last : last + 1], below, 0)])
    return light.astype(np.float32), opacity.astype(np.float32)


def _face(
    cut_out: CutOut, affine: NDArray[np.float64], stand: _Stand, size: tuple[int, int]
) -> tuple[PlacedFace, NDArray[np.uint8]]:
    """The face, as it were alone, and (H, W) where its landmarks' hull is."""
    assert cut_out.landmarks is not None
    points = cut_out.landmarks @ affine[:, :2].T + affine[:, 2]
    if stand.mirrored:
        points = points[IBUG_68.flip_order]
    right, left = points[36:42].mean(axis=0), points[42:48].mean(axis=0)
    roi = roi_from_points(points, 1.0, eye_angle(right, left))
    square = np.array([*roi.centre, roi.side])
    five = np.stack([right, left, points[30], points[48], points[54]])
    hull = np.zeros((size[1], size[0]), np.uint8)
    outline = cv2.convexHull(points.astype(np.float32)).round().astype(np.int32)
    cv2.fillConvexPoly(hull, outline, 1)
    area = max(float(cv2.contourArea(cv2.convexHull(points.astype(np.float32)))), 1.0)
    turn = -cut_out.turn_deg if stand.mirrored else cut_out.turn_deg
    return PlacedFace(square, five, area, turn), hull


def _with_share(face: PlacedFace, hull: NDArray[np.uint8]) -> PlacedFace:
    """visible: so far the hull's area, then the share of it that is left."""
    share = min(float(hull.sum()) / face.visible, 1.0)
    return PlacedFace(face.square, face.points, share, face.turn_deg)
