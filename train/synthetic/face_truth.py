"""The truth of a face in a scene: projected landmarks with 300W's outline, their visibility, iris, gaze and pose."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from startrack.train.synthetic.camera import TO_CAMERA, Camera
from startrack.train.synthetic.geometry.mesh import Floats
from startrack.train.synthetic.geometry.visibility import Rays, visible
from startrack.train.synthetic.head.head_model import EYE_LEFT, EYE_RIGHT
from startrack.train.synthetic.head.jaw import slide_outline
from startrack.train.synthetic.scene import Placed, Scene, closed_triangles
from startrack.train.synthetic.studio import Studio
from startrack.train.synthetic.truth import FaceTruth


def face_truth(studio: Studio, scene: Scene, number: int, camera: Camera) -> FaceTruth:
    """Facts of the face of the scene's actor with this number."""
    one = scene.placed[number]
    actor, person = one.actor, one.actor.person
    seen = camera.seen(one.landmark_vertices)
    places, turn = _landmarks(studio, one, camera, seen)
    iris = camera.seen(one.moved(one.head.iris))
    projected, heads = camera.seen(scene.mesh.vertices), closed_triangles(scene)
    hides = scene.hides & ~_window(scene, number)

    def reached(points: Floats, among: NDArray[np.bool_], rays: Rays) -> NDArray[np.bool_]:
        return visible(points, scene.mesh, projected, scene.textures, hides & among, rays)

    # on an outline a ray that lies a millimetre inside meets skin a centimetre before it
    own = [reached(places[:17], heads, Rays(2.0, 0.0)), reached(places[17:], heads, Rays(spread_cm=0.0))]
    shown = np.concatenate(own) & reached(places, ~heads, Rays())
    # an iris lies below the cornea, and a lid right before it
    front = iris - np.float32(0.1) * iris / np.linalg.norm(iris, axis=1, keepdims=True)
    shown_iris = reached(front, heads, Rays(tolerance_cm=0.02)) & reached(front, ~heads, Rays())
    weights = dict(zip(studio.head.expression_names, map(float, actor.expression.weights), strict=True))
    return FaceTruth(
        landmarks=camera.project(places),
        landmarks_cm=places,
        visible=shown,
        iris=camera.project(iris),
        iris_cm=iris,
        iris_visible=shown_iris,
        gaze_deg=actor.expression.gaze_deg,
        gaze=(one.head.gaze @ actor.pose.rotation.T * TO_CAMERA).astype(np.float32),
        yaw_deg=actor.pose.yaw_deg,
        pitch_deg=actor.pose.pitch_deg,
        roll_deg=actor.pose.roll_deg,
        turn_deg=turn,
        rotation=np.diag(TO_CAMERA).astype(np.float64) @ actor.pose.rotation,
        blendshapes=weights,
        expression=actor.expression.kind,
        identity=person.identity.weights,
        age_years=person.identity.age_years,
        melanin=person.skin.melanin,
        attributes=person.attributes,
        distance_cm=float(np.linalg.norm(places.mean(0))),
        focal_px=camera.focal_px,
    )


def face_landmarks(studio: Studio, one: Placed, camera: Camera) -> NDArray[np.float64]:
    """(68, 2) px, as FaceTruth.landmarks."""
    return camera.project(_landmarks(studio, one, camera, camera.seen(one.landmark_vertices))[0])


def _landmarks(studio: Studio, one: Placed, camera: Camera, seen: Floats) -> tuple[Floats, float]:
    """(68, 3) in the camera's frame, and the face's angle to the camera in degrees."""
    places = studio.landmarks.places(seen)
    to_head = one.actor.pose.rotation.T
    middle = places.mean(0)
    towards = to_head @ (-middle * TO_CAMERA)
    turn = float(np.rad2deg(np.arctan2(towards[0], towards[2])))
    up = one.actor.pose.rotation[:, 1] * TO_CAMERA
    # the head's upward direction in the picture at the face's middle, in perspective
    flat = (up[:2] - up[2] * middle[:2] / middle[2]).astype(np.float64)
    focal = np.array([camera.focal_px, camera.focal_px])
    places[:17] = slide_outline(studio.outline, seen, focal, turn, flat)
    return places, -turn


def _window(scene: Scene, number: int) -> NDArray[np.bool_]:
    """(F,) triangles of the eye openings of one actor, through which its irises are seen."""
    first = sum(len(p.actor.person.parts.materials) for p in scene.placed[:number])
    return np.isin(scene.mesh.material, (first + EYE_RIGHT, first + EYE_LEFT))
