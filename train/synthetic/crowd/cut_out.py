"""One person on nothing: light, opacity and the facts of the face, to be laid over pictures."""

# S side of the cut-out

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from startrack.outside import LARGEST_FACTS, read_bounded, read_json, reason
from startrack.tracker.schemes import IBUG_68
from startrack.tracker.video.picture_file.header import read_header
from startrack.train.sets.sample import LARGEST_PICTURE, DatasetError
from startrack.train.synthetic.camera import Camera
from startrack.train.synthetic.face_truth import face_truth
from startrack.train.synthetic.geometry.mesh import Floats
from startrack.train.synthetic.head.expression import draw_expression
from startrack.train.synthetic.light import draw_environment, lights_of
from startrack.train.synthetic.person import draw_person, generator
from startrack.train.synthetic.pose import PIVOT_CM, draw_pose
from startrack.train.synthetic.scene import SUPERSAMPLING, Actor, Placed, draw, make_scene, place
from startrack.train.synthetic.studio import Studio
from startrack.train.synthetic.surface.material import encoded, linear
from startrack.whole_file import write_whole

SIDE = 320
FACE = 0.3
"""Larger side of the landmarks' box over the cut-out's side: hair, hats and shoulders have room."""
MIDDLE = (0.5, 0.38)
"""Place of the face's middle in the cut-out."""
NEAREST_CM, FARTHEST_CM = 60.0, 500.0
FROM_BEHIND = 0.12
"""Share of the people who turn their backs."""


@dataclass(frozen=True, slots=True, eq=False)
class CutOut:
    """A rendered person."""

    light: Floats
    """(S, S, 3) linear, times the opacity."""
    opacity: Floats
    """(S, S) 0 to 1."""
    landmarks: NDArray[np.float64] | None
    """(68, 2) px; None for somebody seen from behind."""
    visible: NDArray[np.bool_]
    """(68,) whether hair, things and the head itself let the camera see each."""
    turn_deg: float


def render_cut_out(studio: Studio, seed: int, number: int) -> CutOut:
    """Person `number` of a series, the same whenever it is rendered on one machine."""
    rng = generator(seed, number, "cut-out")
    person = draw_person(studio, seed, number)
    expression = draw_expression(studio.head.expression_names, generator(seed, number, "expression"))
    pose = draw_pose(generator(seed, number, "pose"))
    placed = place(studio, Actor(person, expression, pose, np.zeros(3, np.float32)))
    camera = _camera(studio.landmarks.places(placed.landmark_vertices), rng)
    behind = bool(rng.random() < FROM_BEHIND)
    shown = _turned(placed, float(rng.normal(180, 25))) if behind else placed
    environment = draw_environment(studio.assets.environments, rng)
    exposure = float(np.exp(rng.normal(np.log(0.30 - 0.2 * person.skin.melanin), 0.25)))
    nothing = np.zeros((SIDE * SUPERSAMPLING, SIDE * SUPERSAMPLING, 3), np.float32)
    scene = make_scene([shown])
    drawing = draw(studio, scene, camera, lights_of(environment, rng), nothing, exposure)
    covered = (drawing.raster.triangle >= 0).astype(np.float32)
    opacity = np.asarray(cv2.resize(covered, (SIDE, SIDE), interpolation=cv2.INTER_AREA), np.float32)
    if behind:
        return CutOut(drawing.light, opacity, None, np.zeros(IBUG_68.num_landmarks, bool), 180.0)
    truth = face_truth(studio, scene, 0, camera)
    return CutOut(drawing.light, opacity, truth.landmarks, truth.visible, truth.turn_deg)


def _camera(landmarks: Floats, rng: np.random.Generator) -> Camera:
    distance = float(np.exp(rng.uniform(np.log(NEAREST_CM), np.log(FARTHEST_CM))))
    position = (landmarks.mean(0) + np.array([0, 0, distance])).astype(np.float32)
    unit = Camera(position, 1.0, (0.0, 0.0), (SIDE, SIDE))
    flat = unit.project(unit.seen(landmarks))
    low, high = flat.min(0), flat.max(0)
    focal = FACE * SIDE / float((high - low).max())
    middle = np.array(MIDDLE) * SIDE - focal * (low + high) / 2
    return Camera(position, focal, (float(middle[0]), float(middle[1])), (SIDE, SIDE))


def _turned(placed: Placed, angle_deg: float) -> Placed:
    """The whole person turned about the vertical axis."""
    cos, sin = np.cos(np.deg2rad(angle_deg)), np.sin(np.deg2rad(angle_deg))
    turn = np.array([[cos, 0, sin], [0, 1, 0], [-sin, 0, cos]], np.float32)
    vertices = (placed.mesh.vertices - PIVOT_CM) @ turn.T + PIVOT_CM
    mesh = replace(
        placed.mesh,
        vertices=np.ascontiguousarray(vertices, np.float32),
        normals=np.ascontiguousarray(placed.mesh.normals @ turn.T, np.float32),
    )
    return replace(placed, mesh=mesh)


def write_cut_out(stem: Path, cut_out: CutOut) -> None:
    """Write stem.png, whose colours are not times the opacity, and then stem.json."""
    colours = encoded(cut_out.light / np.maximum(cut_out.opacity, 1e-3)[..., None])
    rgba = np.dstack([colours[..., ::-1], cut_out.opacity]).clip(0, 1)
    _, png = cv2.imencode(".png", (rgba * 255 + 0.5).astype(np.uint8))
    stem.parent.mkdir(parents=True, exist_ok=True)
    write_whole(stem.with_suffix(".png"), png.tobytes())
    points = None if cut_out.landmarks is None else np.round(cut_out.landmarks, 3).tolist()
    facts = {"landmarks": points, "visible": cut_out.visible.astype(int).tolist(), "turn_deg": cut_out.turn_deg}
    write_whole(stem.with_suffix(".json"), json.dumps(facts) + "\n")


def read_cut_out(stem: Path) -> CutOut:
    """The inverse of write_cut_out. Raises DatasetError if the files are not as written."""
    facts_path, picture = stem.with_suffix(".json"), stem.with_suffix(".png")
    try:
        facts: Any = read_json(facts_path, LARGEST_FACTS)
        points, visible, turn = facts["landmarks"], np.array(facts["visible"], bool), float(facts["turn_deg"])
        landmarks = None if points is None else np.array(points, np.float64)
        encoded_png = np.frombuffer(read_bounded(picture, LARGEST_PICTURE), np.uint8)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DatasetError(f"{stem}: cannot be read: {reason(error)}") from error
    header = read_header(encoded_png.data)
    is_small = header is not None and header.sizes == ((SIDE, SIDE),)
    rgba = cv2.imdecode(encoded_png, cv2.IMREAD_UNCHANGED) if is_small else None
    count = IBUG_68.num_landmarks
    whole = rgba is not None and rgba.shape == (SIDE, SIDE, 4) and visible.shape == (count,)
    if not whole or (landmarks is not None and landmarks.shape != (count, 2)):
        raise DatasetError(f"{stem}: not a cut-out of {SIDE} px with {count} landmarks, as startrack render writes it")
    assert rgba is not None
    opacity: Floats = rgba[..., 3].astype(np.float32) / np.float32(255)
    light: Floats = linear(rgba[..., 2::-1].astype(np.float32) / 255) * opacity[..., None]
    return CutOut(light, opacity, landmarks, visible, turn)
