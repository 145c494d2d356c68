"""Eyes of the faces that `startrack render` made: everything is known of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from startrack.outside import LARGEST_FACTS, read_json, reason
from startrack.tracker.eyes.crop import EYES
from startrack.tracker.types import FloatArray
from startrack.train.sets import rendered
from startrack.train.sets.eyes.eye_truth import EyeTruth, FaceEyes
from startrack.train.sets.sample import DatasetError, Sample

IRIS_RADIUS_CM = 0.59
"""Of a grown person's (train/synthetic/surface/eyes.py); a child's eyeball is up to 14 % larger against its head."""
GROWN_YEARS, CHILD_GROWTH = 18.0, 0.14
LID_SHAPES_CM = {
    "eyeBlink": -0.747,
    "eyeLookDown": -0.42,
    "eyeWide": 0.262,
    "cheekSquint": -0.238,
    "cheekRaiser": -0.238,
    "eyeSquint": -0.204,
    "eyeLookUp": 0.163,
    "noseSneer": -0.112,
    "mouthSmile": -0.05,
    "browOuterUp": 0.029,
    "browDown": -0.02,
    "mouthUpperUp": -0.02,
}
"""Shape of the head model → its addition at full strength to the opening between the lids' landmarks, along the head's
upward axis. Shapes add up, so the opening of the same person without an expression follows from any picture."""
MARGIN_CM = 0.06
"""Part of that opening that is skin: the landmarks lie on the lids' outer edges."""
SIDES = ("R", "L")


def load(root: Path, split: str) -> list[FaceEyes]:
    """The faces of a split, "all", "train" or "validation", as train.sets.rendered parts them, with their eyes. Raises
    DatasetError as it does."""
    return [_eyes_of(rendered.read_sample(path)) for path in rendered.split_paths(root, split)]


def _eyes_of(sample: Sample) -> FaceEyes:
    path = sample.path.with_suffix(rendered.FACTS_SUFFIX)
    try:
        facts: Any = read_json(path, LARGEST_FACTS)
        truths = [_eye(sample, facts, side) for side in (0, 1)]
        turn = float(facts["turn_deg"])
    except (OSError, ValueError, KeyError, TypeError, IndexError, AttributeError) as error:
        raise DatasetError(f"{path}: not the facts of a rendered face's eyes: {reason(error)}") from error
    return FaceEyes(sample, truths[0], truths[1], turn_deg=turn, domain="rendered")


def _eye(sample: Sample, facts: dict[str, Any], side: int) -> EyeTruth:
    points = sample.landmarks[list(EYES[side])]
    iris, ray = np.array(facts["iris"][side], np.float64), np.array(facts["iris_cm"][side], np.float64)
    gaze = np.array(facts["gaze"], np.float64)
    places = np.array(facts["landmarks_cm"], np.float64)[list(EYES[side])]
    if iris.shape != (2,) or ray.shape != (3,) or gaze.shape != (3,) or places.shape != (6, 3):
        raise ValueError("iris, iris_cm, gaze or landmarks_cm of another shape")
    weights: dict[str, float] = facts["blendshapes"]
    opened, (gap, normal) = openness(places, _upward(facts), weights, SIDES[side])
    return EyeTruth(
        lids=_annotated(points, opened * normal / max(gap, 1e-3)),
        iris=iris,
        radius=iris_radius_px(facts, ray),
        visible=float(facts["iris_visible"][side]),
        openness=opened,
        gaze=gaze / np.linalg.norm(gaze),
        ray=ray,
        lid_weight=1.0 if np.mean([facts["visible"][k] for k in EYES[side]]) >= 0.5 else 0.2,
    )


def _upward(facts: dict[str, Any]) -> FloatArray:
    """(3,) the head's upward axis in the camera's axes."""
    rotation = np.array(facts["rotation"], np.float64)
    if rotation.shape != (3, 3):
        raise ValueError("rotation of another shape")
    return rotation[:, 1]


def openness(
    lids_cm: FloatArray, up: FloatArray, weights: dict[str, float], side: str
) -> tuple[float, tuple[float, float]]:
    """Openness of an eye, and the opening between its landmarks, now and without an expression, cm.

    lids_cm: (6, 3) landmarks; up: (3,) the head's upward axis, both in the camera's axes. weights: of the head model's
    shapes. side: "R" or "L".
    """
    now = float((lids_cm[[1, 2]] - lids_cm[[5, 4]]).mean(axis=0) @ up)
    change = sum(factor * weights.get(f"{name}_{side}", 0.0) for name, factor in LID_SHAPES_CM.items())
    normal = max(now - change, 0.3)
    opened = (now - MARGIN_CM) / (normal - MARGIN_CM)
    return float(np.clip(opened, 0.0, 1.5)), (now, normal)


def _annotated(lids: FloatArray, share: float) -> FloatArray:
    """The lids (6, 2) as 300W's annotators set them: on one line where the eye is shut. share: of the opening between
    the landmarks that is left then."""
    share = min(max(share, 0.0), 1.0)
    out = np.array(lids, np.float64)
    for upper, lower in ((1, 5), (2, 4)):
        close = (1 - share) * (out[upper] - out[lower])
        out[lower] += close / 2
        out[upper] -= close / 2
    return out


def iris_radius_px(facts: dict[str, Any], ray: FloatArray) -> float:
    """Radius of the iris's disc, seen at its distance."""
    child = float(np.clip((GROWN_YEARS - float(facts["age_years"])) / (GROWN_YEARS - 3.0), 0, 1) ** 1.3)
    return IRIS_RADIUS_CM * (1 + CHILD_GROWTH * child) * float(facts["focal_px"]) / max(float(ray[2]), 1e-3)
