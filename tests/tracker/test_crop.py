"""The crop convention: round trips of points, and pictures whose every pixel is known."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from startrack.tracker.crop import (
    average_blocks,
    crop_affine,
    cut_crop,
    eye_angle,
    invert_affine,
    roi_from_box,
    roi_from_landmarks,
    roi_from_points,
    transform_covariance,
    transform_points,
)
from startrack.tracker.schemes import IBUG_68, plain_scheme
from startrack.tracker.types import FaceBox, Roi

PLACES = st.floats(-4000, 4000)
POINTS = npst.arrays(np.float64, st.tuples(st.integers(2, 20), st.just(2)), elements=PLACES)
ANGLES = st.floats(-math.pi, math.pi)
ROIS = st.builds(
    lambda x, y, side, angle: Roi(np.array([x, y]), side, angle), PLACES, PLACES, st.floats(1, 5000), ANGLES
)
SIZES = st.integers(1, 512)


def _turn(points: np.ndarray, angle: float) -> np.ndarray:
    """Clockwise on the screen, about the origin."""
    cos, sin = math.cos(angle), math.sin(angle)
    return points @ np.array([[cos, sin], [-sin, cos]])


@given(ROIS, SIZES, POINTS)
def test_points_come_back(roi: Roi, size: int, points: np.ndarray) -> None:
    affine = crop_affine(roi, size)
    there = transform_points(affine, points)
    np.testing.assert_allclose(transform_points(invert_affine(affine), there), points, atol=1e-6)
    np.testing.assert_allclose(invert_affine(invert_affine(affine)), affine, rtol=1e-6, atol=1e-6)


@given(ROIS, SIZES)
def test_the_roi_is_the_crops_square(roi: Roi, size: int) -> None:
    """Centre on centre; the square's corners on the outer corners of the corner pixels, half a pixel outside."""
    half = _turn(np.array([[-0.5, -0.5], [0.5, -0.5], [0.5, 0.5], [-0.5, 0.5]]) * roi.side, roi.angle_rad)
    affine = crop_affine(roi, size)
    end = size - 0.5
    np.testing.assert_allclose(transform_points(affine, roi.centre), [(size - 1) / 2] * 2, atol=1e-6)
    corners = transform_points(affine, roi.centre + half)
    np.testing.assert_allclose(corners, [[-0.5, -0.5], [end, -0.5], [end, end], [-0.5, end]], atol=1e-6)


@given(POINTS, ANGLES)
def test_landmarks_of_unknown_place_do_not_count(points: np.ndarray, angle: float) -> None:
    expected = roi_from_points(points, 1.25, angle)
    unknown = np.array([[np.nan, np.nan], [np.nan, 5.0], [5.0, np.nan]])
    found = roi_from_points(np.concatenate([unknown[:1], points, unknown[1:]]), 1.25, angle)
    np.testing.assert_array_equal(found.centre, expected.centre)
    assert (found.side, found.angle_rad) == (expected.side, expected.angle_rad)
    with pytest.raises(ValueError, match="none of 3 landmarks has a place; expected one or more"):
        roi_from_points(unknown, 1.25, angle)


def test_the_unturned_affine_by_hand() -> None:
    # a square of 512 around (300, 200) into 256 pixels: half the size, 127.5 in the middle
    affine = crop_affine(Roi(np.array([300.0, 200.0]), 512.0), 256)
    np.testing.assert_allclose(affine, [[0.5, 0, -22.5], [0, 0.5, 27.5]])


@given(ROIS, SIZES, st.floats(0.01, 50), st.floats(0.01, 50), st.floats(-0.99, 0.99))
def test_covariance_turns_and_scales_with_the_points(
    roi: Roi, size: int, spread_x: float, spread_y: float, correlation: float
) -> None:
    xy = correlation * spread_x * spread_y
    covariance = np.array([[spread_x**2, xy], [xy, spread_y**2]])
    affine = crop_affine(roi, size)
    # the corners of a rhombus whose own covariance this is
    root = np.linalg.cholesky(covariance)
    offsets = np.concatenate([root.T, -root.T]) * math.sqrt(2)
    moved = transform_points(affine, roi.centre + offsets)
    expected = np.cov(moved.T, bias=True)
    there = transform_covariance(affine, covariance)
    np.testing.assert_allclose(there, expected, rtol=1e-6, atol=1e-6 * np.trace(expected))
    back = transform_covariance(invert_affine(affine), there)
    np.testing.assert_allclose(back, covariance, rtol=1e-6, atol=1e-6 * np.trace(covariance))


def test_batches_of_points_and_covariances_keep_their_shape() -> None:
    affine = crop_affine(Roi(np.array([3.0, 4.0]), 50.0, 0.3), 64)
    assert transform_points(affine, np.zeros((5, 68, 2))).shape == (5, 68, 2)
    assert transform_covariance(affine, np.zeros((5, 68, 2, 2))).shape == (5, 68, 2, 2)


@given(POINTS, st.floats(1, 2), ANGLES, PLACES, PLACES)
def test_the_roi_turns_and_moves_with_the_face(
    points: np.ndarray, scale: float, angle: float, x: float, y: float
) -> None:
    still = roi_from_points(points, scale)
    moved = roi_from_points(_turn(points, angle) + np.array([x, y]), scale, angle)
    np.testing.assert_allclose(moved.centre, _turn(still.centre, angle) + np.array([x, y]), atol=1e-6)
    assert moved.side == pytest.approx(still.side, abs=1e-6)
    assert moved.angle_rad == angle


@given(POINTS, st.floats(1, 2), ANGLES, SIZES)
def test_the_roi_holds_every_landmark(points: np.ndarray, scale: float, angle: float, size: int) -> None:
    affine = crop_affine(roi_from_points(points, scale, angle), size)
    there = transform_points(affine, points)
    assert there.min() >= -0.5 - 1e-6 * size
    assert there.max() <= size - 0.5 + 1e-6 * size


def test_roi_by_hand() -> None:
    roi = roi_from_points(np.array([[10.0, 20.0], [110.0, 60.0], [50.0, 30.0]]), 1.25)
    assert (roi.centre.tolist(), roi.side, roi.angle_rad) == ([60.0, 40.0], 125.0, 0.0)
    box = FaceBox(np.array([10.0, 20.0, 110.0, 60.0]), 1.0)
    assert roi_from_box(box, 1.25).centre.tolist() == [60.0, 40.0]
    assert roi_from_box(box, 1.25).side == 125.0
    turned = FaceBox(box.xyxy, 1.0, eyes=np.array([[40.0, 30.0], [50.0, 40.0]]))
    assert roi_from_box(turned, 1.0).angle_rad == pytest.approx(math.pi / 4)


@given(ANGLES)
def test_the_next_crop_is_upright(angle: float) -> None:
    face = np.random.default_rng(0).uniform(-10, 10, (68, 2))
    face[36:42], face[42:48] = [-30.0, 0.0], [30.0, 0.0]
    affine = crop_affine(roi_from_landmarks(_turn(face, angle) + 500, IBUG_68, 1.4), 128)
    eyes = transform_points(affine, _turn(face, angle) + 500)[[36, 45]]
    assert eyes[0, 1] == pytest.approx(eyes[1, 1], abs=1e-6)
    assert eyes[0, 0] < eyes[1, 0]


def test_eye_angle_is_clockwise_on_the_screen() -> None:
    assert eye_angle(np.array([0.0, 0.0]), np.array([1.0, 1.0])) == pytest.approx(math.pi / 4)


def test_coinciding_landmarks_still_give_a_crop() -> None:
    affine = crop_affine(roi_from_points(np.full((68, 2), 7.0), 1.25), 64)
    assert np.isfinite(invert_affine(affine)).all()


@pytest.mark.parametrize("factor", range(1, 8))
def test_blocks_are_averaged(factor: int) -> None:
    image = np.random.default_rng(factor).integers(0, 256, (5 * factor, 7 * factor, 3), np.uint8)
    means = image.reshape(5, factor, 7, factor, 3).mean(axis=(1, 3))
    # to the nearest grey level; OpenCV rounds a half up, or to the even number
    assert np.abs(average_blocks(image, factor) - means).max() <= 0.5


def _scene(points: np.ndarray, period: float) -> np.ndarray:
    """(..., 3) what the lens sees at (..., 2) frame pixels: waves of `period` pixels in three directions."""
    x, y = points[..., 0] * 2 * np.pi / period, points[..., 1] * 2 * np.pi / period
    return 127.5 + 110 * np.stack([np.sin(x), np.sin(0.6 * x + 0.7 * y), np.cos(y)], axis=-1)


def _grid(width: int, height: int) -> np.ndarray:
    return np.stack(np.meshgrid(np.arange(width), np.arange(height)), axis=-1).astype(np.float64)


def _picture(width: int, height: int, period: float) -> np.ndarray:
    return np.round(_scene(_grid(width, height), period)).astype(np.uint8)


def _displacement(crop: np.ndarray, affine: np.ndarray, period: float, inside: np.ndarray) -> np.ndarray:
    """(2,) crop pixels by which the crop's content lies off its place: least squares on the scene's slope."""
    back, grid = invert_affine(affine), _grid(*crop.shape[1::-1])
    expected = _scene(transform_points(back, grid), period)
    steps = [np.array([0.01, 0.0]), np.array([0.0, 0.01])]
    slopes = [
        (_scene(transform_points(back, grid + s), period) - _scene(transform_points(back, grid - s), period)) / 0.02
        for s in steps
    ]
    equations = np.stack([slope[inside].ravel() for slope in slopes], axis=-1)
    shift: np.ndarray = np.linalg.lstsq(equations, (crop - expected)[inside].ravel(), rcond=None)[0]
    return shift


@pytest.mark.parametrize("angle", [0.0, 0.6, -2.5])
@pytest.mark.parametrize("side", [20.0, 64.0, 100.3, 127.9, 128.0, 130.0, 191.0, 256.0, 301.7, 512.0])
def test_every_pixel_shows_its_place(side: float, angle: float) -> None:
    """Also at 2, 3, 4 … 8 frame pixels per crop pixel, where the picture is averaged down first."""
    period = max(side / 2, 40.0)
    image = _picture(760, 740, period)
    affine = crop_affine(Roi(np.array([380.3, 369.6]), side, angle), 64)
    crop = cut_crop(image, affine, 64)
    assert crop.shape == (64, 64, 3)
    assert crop.dtype == np.uint8
    everywhere = np.ones((64, 64), bool)
    expected = _scene(transform_points(invert_affine(affine), _grid(64, 64)), period)
    # averaging, blur and bilinear reading flatten a wave of 32 crop pixels by under 2 %
    assert np.abs(crop - expected).max() < 3.5
    assert np.abs(_displacement(crop.astype(np.float64), affine, period, everywhere)).max() < 0.02


@pytest.mark.parametrize("centre", [(0.0, 0.0), (299.0, 0.0), (299.0, 219.0), (0.0, 219.0), (150.0, -15.0)])
@pytest.mark.parametrize("side", [50.0, 160.0, 333.0])
def test_outside_the_picture_it_is_black(side: float, centre: tuple[float, float]) -> None:
    image = np.maximum(_picture(300, 220, 90.0), 1)
    affine = crop_affine(Roi(np.array(centre), side), 64)
    crop = cut_crop(image, affine, 64).astype(np.float64)
    places = transform_points(invert_affine(affine), _grid(64, 64))
    # over the picture's edge the crop fades to black within one pixel of the picture or three of the crop
    margin = max(1.0, 3 * side / 64)
    edge = np.minimum(places, [299, 219] - places).min(axis=-1)
    assert (crop[edge < -margin] == 0).all()
    inside = edge > margin
    assert inside.any()
    assert np.abs(crop - _scene(places, 90.0))[inside].max() < 6
    assert np.abs(_displacement(crop, affine, 90.0, inside)).max() < 0.06


@pytest.mark.parametrize("factor", [2, 3, 5, 7])
def test_the_cut_off_block_at_the_pictures_edge_is_kept(factor: int) -> None:
    """101 columns are no multiple of any of these factors; the last ones must still be in the crop."""
    image = np.full((101, 101, 3), 200, np.uint8)
    # a crop pixel is exactly one block, and the crop reaches past the picture
    size = 101 // factor + 3
    crop = cut_crop(image, crop_affine(Roi(np.full(2, (size * factor - 1) / 2), size * factor), size), size)
    whole, rest = divmod(101, factor)
    # the blur carries a part of it one or two pixels on, and nothing is lost
    assert (crop[: whole - 2, : whole - 2] == 200).all()
    assert crop[0, :, 0].sum(dtype=float) == pytest.approx(200 * (whole + rest / factor), abs=0.1 * 200)
    assert (crop[:, whole + 3 :] == 0).all()
    assert (crop[whole + 3 :] == 0).all()


@pytest.mark.parametrize("centre", [(-500.0, 50.0), (1e6, 1e6), (-1e9, 0.0), (50.0, 1e12)])
@pytest.mark.parametrize("side", [1e-3, 10.0, 700.0])
def test_a_roi_fully_outside_is_black(centre: tuple[float, float], side: float) -> None:
    image = np.full((100, 120, 3), 255, np.uint8)
    crop = cut_crop(image, crop_affine(Roi(np.array(centre), side), 32), 32)
    assert crop.shape == (32, 32, 3)
    assert not crop.any()


@pytest.mark.parametrize("side", [1e-6, 1e-3, 0.4])
def test_a_tiny_roi_shows_one_pixel(side: float) -> None:
    image = _picture(50, 40, 30.0)
    crop = cut_crop(image, crop_affine(Roi(np.array([20.0, 30.0]), side), 16), 16)
    assert crop.shape == (16, 16, 3)
    near = 1 if side < 0.01 else 12
    assert np.abs(crop.astype(int) - image[30, 20].astype(int)).max() <= near


@pytest.mark.parametrize("side", [1e4, 1e7, 1e12])
def test_a_huge_roi_is_almost_black(side: float) -> None:
    image = np.full((100, 120, 3), 255, np.uint8)
    crop = cut_crop(image, crop_affine(Roi(np.array([60.0, 50.0]), side), 32), 32)
    assert crop.shape == (32, 32, 3)
    assert np.count_nonzero(crop.any(axis=-1)) <= 4


@pytest.mark.parametrize("side", [1e-3, 0.5, 1.0, 3.0, 64.0, 1000.0])
def test_pictures_of_one_pixel(side: float) -> None:
    image = np.full((1, 1, 3), 200, np.uint8)
    crop = cut_crop(image, crop_affine(Roi(np.zeros(2), side), 33), 33)
    assert crop.shape == (33, 33, 3)
    assert crop[16, 16].tolist() == [200, 200, 200]


def test_one_row_or_one_column() -> None:
    for shape in ((1, 90, 3), (90, 1, 3)):
        crop = cut_crop(np.full(shape, 90, np.uint8), crop_affine(Roi(np.zeros(2), 80.0), 16), 16)
        assert crop.shape == (16, 16, 3)


@pytest.mark.parametrize("side", [60.0, 200.0, 333.3])
def test_the_picture_is_not_written_to_and_may_be_a_view(side: float) -> None:
    image = _picture(301, 223, 60.0)
    image.setflags(write=False)
    affine = crop_affine(Roi(np.array([250.0, 180.0]), side, 0.2), 48)
    mirrored = cut_crop(image[:, ::-1], affine, 48)
    np.testing.assert_array_equal(mirrored, cut_crop(np.ascontiguousarray(image[:, ::-1]), affine, 48))


def _tremble(side: float, size: int) -> float:
    """RMS change of a crop of fine texture, grey levels, when its square moves by 0.37 frame pixels."""
    texture = np.random.default_rng(1).normal(128, 20, (400, 400, 3)).clip(0, 255).astype(np.uint8)
    first, second = (
        cut_crop(texture, crop_affine(Roi(np.array([199.5 + shift, 199.5]), side), size), size) for shift in (0, 0.37)
    )
    return float((first.astype(float) - second).std())


def test_a_face_of_four_times_the_crop_is_read_without_its_noise() -> None:
    """Bilinear sampling alone would pass half of the sensor's noise on, the average of 16 pixels a quarter; the blur
    leaves less still."""
    noise = np.random.default_rng(1).normal(128, 20, (400, 400, 3)).clip(0, 255).astype(np.uint8)
    crop = cut_crop(noise, crop_affine(Roi(np.array([199.5, 199.5]), 256.0), 64), 64)
    assert 2.5 < crop.std() < 4


def test_the_larger_the_face_the_less_a_crop_depends_on_its_place_between_pixels() -> None:
    # also just below and just above a scale of 2, where pixels begin to be averaged two by two
    trembling = [_tremble(side, 64) for side in (64.0, 96.0, 127.0, 129.0, 250.0)]
    assert trembling[0] > 7
    assert trembling[2] < 0.75 * trembling[1] < 0.5 * trembling[0]
    assert trembling[3] < 1.2 * trembling[2]
    assert trembling[4] < 0.7 * trembling[2]


def test_a_face_no_larger_than_the_crop_is_not_blurred() -> None:
    image = _picture(100, 100, 12.0)
    crop = cut_crop(image, crop_affine(Roi(np.array([49.5, 49.5]), 64.0), 64), 64)
    np.testing.assert_array_equal(crop, image[18:82, 18:82])


def test_two_calls_give_the_same_crop() -> None:
    image = _picture(300, 200, 50.0)
    affine = crop_affine(Roi(np.array([140.2, 99.9]), 170.0, 0.1), 64)
    np.testing.assert_array_equal(cut_crop(image, affine, 64), cut_crop(image, affine, 64))


def test_a_markup_without_eyes_is_cut_out_upright() -> None:
    points = np.random.default_rng(0).uniform(0, 90, (7, 2))
    roi, plain = roi_from_landmarks(points, plain_scheme(7), 1.3), roi_from_points(points, 1.3)
    assert (roi.centre.tolist(), roi.side, roi.angle_rad) == (plain.centre.tolist(), plain.side, 0)
