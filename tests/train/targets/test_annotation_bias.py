from __future__ import annotations

import math
from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pytest

from startrack.engines.base import ModelSpec
from startrack.tracker.schemes import IBUG_68
from startrack.tracker.types import FloatArray
from startrack.train.augment.face_augment import Augmentation
from startrack.train.feed.dataset import FaceDataset, ItemKey
from startrack.train.sets import ibug_300w
from startrack.train.targets.annotation_bias import IBUG_300W_BIAS, antisymmetric, with_bias

MIRRORED = replace(Augmentation(**{field.name: 0.0 for field in fields(Augmentation)}), flip=1.0)


def mirrored(landmarks: FloatArray, width: float) -> FloatArray:
    return landmarks[IBUG_68.flip_order] * [-1.0, 1.0] + [width - 1, 0.0]  # type: ignore[no-any-return]


def face(turn_deg: float = 0.0, side: float = 200.0) -> FloatArray:
    """A mirror-symmetric face of 68 points around (300, 250)."""
    half = np.random.default_rng(0).uniform(-0.5, 0.5, (68, 2))
    half[36:42] = [-0.2, -0.1]
    half[42:48] = [0.2, -0.1]
    points = (half + half[IBUG_68.flip_order] * [-1.0, 1.0]) / 2
    cos, sin = math.cos(math.radians(turn_deg)), math.sin(math.radians(turn_deg))
    return points * side @ np.array([[cos, sin], [-sin, cos]]) + [300.0, 250.0]  # type: ignore[no-any-return]


def test_the_bias_of_300w_changes_sides_with_the_picture() -> None:
    assert IBUG_300W_BIAS.shape == (68, 2)
    np.testing.assert_allclose(antisymmetric(IBUG_300W_BIAS, IBUG_68), IBUG_300W_BIAS, atol=1e-12)
    assert 0.004 < IBUG_300W_BIAS[:, 0].mean() < 0.005


@pytest.mark.parametrize("turn_deg", [0.0, 25.0, -40.0])
def test_what_is_taken_twice_comes_back_in_the_mirror(turn_deg: float) -> None:
    truth = face(turn_deg)
    annotated = with_bias(truth, IBUG_68, IBUG_300W_BIAS)
    found = mirrored(with_bias(annotated, IBUG_68, IBUG_300W_BIAS, -2), 640)
    wanted = with_bias(mirrored(truth, 640), IBUG_68, IBUG_300W_BIAS)
    # the axes and the side of the face are those of the biased landmarks
    np.testing.assert_allclose(found, wanted, atol=0.02)


def test_the_bias_grows_with_the_face_and_turns_with_it() -> None:
    moved = [with_bias(one, IBUG_68, IBUG_300W_BIAS) - one for one in (face(0), face(0, 400), face(90))]
    np.testing.assert_allclose(moved[1], 2 * moved[0], atol=1e-9)
    np.testing.assert_allclose(moved[2], moved[0] @ np.array([[0.0, 1.0], [-1.0, 0.0]]), atol=1e-9)


def test_a_mirrored_sample_has_the_bias_of_the_others(made_300w: Path) -> None:
    sample = ibug_300w.load(made_300w, "trainval")[0]
    spec = ModelSpec("tiny", IBUG_68.name, 68, input_size=64, heatmap_size=16, crop_scale=1.25)
    known, unknown = (
        FaceDataset([sample], spec, augmentation=MIRRORED, annotation_bias=bias)[ItemKey(0, 0)].landmarks.numpy()
        for bias in (IBUG_300W_BIAS, None)
    )
    side = 64 / 1.25
    np.testing.assert_allclose((known - unknown).mean(axis=0), 2 * side * IBUG_300W_BIAS.mean(axis=0), atol=0.03)
