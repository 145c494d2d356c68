"""The numberings hold together: flips, edges and eyes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from startrack.tracker.schemes import IBUG_68, SCHEMES, WFLW_98, LandmarkScheme, find_scheme, plain_scheme

EVERY_SCHEME = pytest.mark.parametrize("scheme", list(SCHEMES.values()), ids=list(SCHEMES))


@EVERY_SCHEME
def test_flip_order_is_its_own_inverse(scheme: LandmarkScheme) -> None:
    order = scheme.flip_order
    assert order.shape == (scheme.num_landmarks,)
    np.testing.assert_array_equal(order[order], np.arange(scheme.num_landmarks))


@EVERY_SCHEME
def test_no_landmark_is_in_two_flip_pairs(scheme: LandmarkScheme) -> None:
    flat = [index for pair in scheme.flip_pairs for index in pair]
    assert len(flat) == len(set(flat))


@EVERY_SCHEME
def test_a_flip_swaps_the_eyes(scheme: LandmarkScheme) -> None:
    assert {int(scheme.flip_order[index]) for index in scheme.left_eye} == set(scheme.right_eye)
    if scheme.inter_ocular is None:  # a body
        assert not scheme.left_eye
        return
    first, second = scheme.inter_ocular
    assert int(scheme.flip_order[first]) == second
    assert first in scheme.left_eye
    assert second in scheme.right_eye


@EVERY_SCHEME
def test_a_flip_maps_edges_onto_edges(scheme: LandmarkScheme) -> None:
    segments = {frozenset(pair) for edge in scheme.edges for pair in _segments(edge.indices, edge.closed)}
    flipped = {frozenset(int(scheme.flip_order[index]) for index in segment) for segment in segments}
    assert flipped == segments


@EVERY_SCHEME
def test_edges_name_existing_landmarks(scheme: LandmarkScheme) -> None:
    indices = {index for edge in scheme.edges for index in edge.indices}
    assert indices <= set(range(scheme.num_landmarks))
    assert len({edge.name for edge in scheme.edges}) == len(scheme.edges)


@EVERY_SCHEME
def test_pupils_lie_between_the_eyes_they_belong_to(scheme: LandmarkScheme) -> None:
    if scheme.pupils is None:
        return
    first, second = scheme.pupils
    assert int(scheme.flip_order[first]) == second


@EVERY_SCHEME
def test_ibugs_landmarks_keep_their_meaning(scheme: LandmarkScheme) -> None:
    own = np.array(scheme.ibug_68, int)
    if scheme not in (IBUG_68, WFLW_98):
        assert not len(own)
        return
    assert len(set(own.tolist())) == 68
    # partners are partners, eyes are eyes, and each curve runs along one of its own curves
    np.testing.assert_array_equal(scheme.flip_order[own], own[IBUG_68.flip_order])
    assert scheme.inter_ocular == tuple(own[list(IBUG_68.inter_ocular or ())])
    assert set(own[list(IBUG_68.left_eye)]) <= set(scheme.left_eye)
    assert set(own[list(IBUG_68.right_eye)]) <= set(scheme.right_eye)
    assert set(own[list(IBUG_68.steady)]) == set(scheme.steady)
    curves = {edge.name: edge.indices for edge in scheme.edges}
    for edge in IBUG_68.edges:
        along = [curves[edge.name].index(index) for index in own[list(edge.indices)]]
        assert along == sorted(along)
        assert along[0] == 0


def test_half_a_body_is_its_own_mirror_image() -> None:
    for scheme in SCHEMES.values():
        assert scheme.is_body == bool(scheme.upper_body)
        assert {int(scheme.flip_order[index]) for index in scheme.upper_body} == set(scheme.upper_body)


def test_a_scheme_by_its_name() -> None:
    for name, scheme in SCHEMES.items():
        assert find_scheme(name) is scheme
    plain = find_scheme("points_12")
    assert plain == plain_scheme(12)
    np.testing.assert_array_equal(plain.flip_order, np.arange(12))


@pytest.mark.parametrize("name", ["", "ibug", "points_", "points_0", "points_-3", "points_1.5", "points_x", "12"])
def test_an_unknown_scheme_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match=r"expected points_N or one of ibug_68"):
        find_scheme(name)


def _segments(indices: tuple[int, ...], closed: bool) -> list[tuple[int, int]]:
    following = (*indices[1:], indices[0]) if closed else indices[1:]
    return list(zip(indices, following, strict=False))


@pytest.mark.data
def test_the_mean_face_is_its_own_mirror_image(data_dir: Path) -> None:
    """Mirrored, every landmark of the mean face lies nearest to its flip partner."""
    faces = []
    for path in sorted((data_dir / "300w" / "lfpw" / "testset").glob("*.pts")):
        x, y = np.loadtxt(path, comments=("version", "n_points", "{", "}")).T
        points = x + 1j * y
        # upright, one inter-ocular distance wide
        faces.append((points - points.mean()) / (points[45] - points[36]))
    mean = np.mean(faces, axis=0)
    mirrored = -mean.conj()
    nearest = np.abs(mirrored[:, None] - mean).argmin(axis=1)
    np.testing.assert_array_equal(nearest, IBUG_68.flip_order)
