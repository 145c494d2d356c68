"""Similarities found again, and one fit for each face and frame of the whole tracker."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from startrack.tracker.look_ahead import LookAhead, look_ahead
from startrack.tracker.motion import identity, similarity
from startrack.tracker.motion.similarity import (
    MeanShape,
    as_complex,
    as_points,
    fit_similarity,
    log_near,
    relative,
    rigid_weights,
)
from startrack.tracker.pipeline import track_frames
from startrack.tracker.schemes import IBUG_68, SCHEMES
from startrack.tracker.smooth.kalman import Kalman
from startrack.tracker.smooth.none import NoSmoothing
from startrack.tracker.types import Similarity
from tests.tracker.disc_world import DiscDetector, disc_engine, disc_frame
from tests.tracker.motion.test_crop_motion import FACE, posed


def test_complex_numbers_and_points_round_trip() -> None:
    np.testing.assert_array_equal(as_points(as_complex(FACE)), FACE)


@given(st.floats(0.3, 3), st.floats(-3, 3), st.floats(-300, 300), st.floats(-300, 300))
def test_a_similarity_is_found_again_in_spite_of_an_open_mouth(s: float, angle: float, x: float, y: float) -> None:
    moved = posed(s, angle, x, y)
    shape = FACE.copy()
    shape[55:60, 1] -= 15.0  # closed where it is open now
    shape[65:68, 1] -= 15.0
    found = fit_similarity(as_complex(shape), as_complex(moved), rigid_weights(IBUG_68), rounds=6)
    assert abs(found.factor - s * np.exp(1j * angle)) < 0.02 * s
    whole = fit_similarity(as_complex(FACE), as_complex(moved), rigid_weights(IBUG_68))
    assert abs(whole.factor - s * np.exp(1j * angle)) < 1e-9
    assert abs(found.factor * complex(*FACE[30]) + found.offset - complex(*moved[30])) < 0.5 * s


@pytest.mark.parametrize("scheme", SCHEMES.values(), ids=SCHEMES)
def test_every_scheme_has_a_rigid_part(scheme) -> None:
    assert (rigid_weights(scheme) == 1).sum() >= 8
    assert len(rigid_weights(scheme)) == scheme.num_landmarks


@given(st.floats(-20, 20), st.floats(-20, 20))
def test_a_logarithm_near_an_angle(angle: float, near: float) -> None:
    found = log_near(1.5 * np.exp(1j * angle), near)
    assert abs(found.imag - near) <= math.pi + 1e-9
    assert abs(np.exp(found) - 1.5 * np.exp(1j * angle)) < 1e-9


@given(st.floats(0.3, 3), st.floats(-3, 3), st.floats(-300, 300), st.floats(-300, 300))
def test_what_leads_from_one_place_to_another(s: float, angle: float, x: float, y: float) -> None:
    first = Similarity(0.5 - 0.25j, 20 + 30j)
    then = Similarity(s * np.exp(1j * angle), complex(x, y))
    between, point = relative(then, first), 3 - 4j
    place = first.factor * point + first.offset
    assert abs(between.factor * place + between.offset - (then.factor * point + then.offset)) < 1e-9
    assert relative(then, Similarity()) == then


def test_a_mean_shape_follows_a_lasting_change_and_knows_a_picture_again(monkeypatch: pytest.MonkeyPatch) -> None:
    opened = FACE.copy()
    opened[55:60, 1] += 15.0
    mean_shape = MeanShape(IBUG_68)
    assert mean_shape.fit(FACE, 0.0) == Similarity()
    moved = mean_shape.fit(posed(1.2, 0.5, 7.0, 9.0), 0.1)
    assert moved.factor == pytest.approx(1.2 * np.exp(0.5j))
    fits = counted(monkeypatch, similarity, "fit_similarity")
    assert mean_shape.fit(posed(1.2, 0.5, 7.0, 9.0), 0.2) is moved
    assert not fits
    for t in range(1, 151):
        mean_shape.fit(opened + np.array([0, t / 1e6]), 0.2 + t / 15)
    assert np.abs(as_points(mean_shape.shape) - FACE)[:48].max() < 0.2
    assert np.abs(as_points(mean_shape.shape) - opened).max() < 1.0


def counted(monkeypatch: pytest.MonkeyPatch, module: object, name: str) -> list[object]:
    """The results of a function of a module from now on."""
    results: list[object] = []
    function = getattr(module, name)

    def count(*values: object, **options: object) -> object:
        results.append(function(*values, **options))
        return results[-1]

    monkeypatch.setattr(module, name, count)
    return results


@pytest.mark.parametrize("ahead", [0, 5])
def test_the_tracker_fits_one_similarity_for_each_face_and_frame(monkeypatch: pytest.MonkeyPatch, ahead: int) -> None:
    """Crop, identity and smoother all read it, with look-ahead too; the first frame of a face needs none."""
    fits = counted(monkeypatch, similarity, "fit_similarity")
    angles = counted(monkeypatch, identity, "procrustes_angle")
    frames = [disc_frame([(60 + t, 60, 30), (160, 170 - t, 25), (250 - t, 80, 20)], t) for t in range(40)]
    stream = track_frames(frames, DiscDetector(), disc_engine(), make_smoother=NoSmoothing if ahead else Kalman)
    tracked = list(look_ahead(stream, LookAhead(IBUG_68, ahead)) if ahead else stream)
    seen = [track for each in tracked for track in each.tracks]
    assert len(seen) == 3 * 40
    assert len(fits) == sum(not track.is_first for track in seen) == 3 * 39
    assert not angles
    assert len({track.landmarks.similarity for track in seen}) == 3 * 39 + 1
