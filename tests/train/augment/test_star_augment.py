from __future__ import annotations

import math
from dataclasses import fields
from pathlib import Path

import cv2
import numpy as np
import pytest

from startrack.tracker.schemes import COFW_29, IBUG_68, WFLW_98, LandmarkScheme
from startrack.train.augment.star_augment import (
    StarAugmentation,
    augment,
    blend_noise,
    blur,
    change_gamma,
    change_texture,
    geometry_matrix,
    grey,
    mirror,
    occlude,
)
from startrack.train.sets.star_crop import crop_matrix, cut_star_crop, frame_to_crop, roi_from_scale

SCHEMES = {"300W": IBUG_68, "WFLW": WFLW_98, "COFW": COFW_29}
PLAIN = StarAugmentation(**{field.name: 0.0 for field in fields(StarAugmentation)})


def picture(seed: int = 0, shape: tuple[int, ...] = (256, 256, 3)) -> np.ndarray:
    return np.random.default_rng(seed).integers(1, 256, shape, np.uint8)


@pytest.mark.parametrize("scheme", SCHEMES.values(), ids=list(SCHEMES))
def test_mirror_is_its_own_inverse(scheme: LandmarkScheme) -> None:
    image, points = picture(shape=(30, 41, 3)), np.random.default_rng(1).uniform(0, 30, (scheme.num_landmarks, 2))
    roi = roi_from_scale(12, 9, 0.1)
    there = mirror(image, points, roi, scheme)
    assert not np.array_equal(there[0], image)
    back = mirror(*there, scheme)
    np.testing.assert_array_equal(back[0], image)
    np.testing.assert_allclose(back[1], points)
    np.testing.assert_allclose(back[2].centre, roi.centre)


def test_mirrored_landmarks_stay_on_what_they_mark() -> None:
    image, points = picture(shape=(30, 41, 3)), np.full((68, 2), 7.0)
    points[36] = 11, 5
    mirrored, moved, _ = mirror(image, points, roi_from_scale(20, 15, 0.1), IBUG_68)
    x, y = moved[45].astype(int)
    np.testing.assert_array_equal(mirrored[y, x], image[5, 11])


def test_without_chances_and_sigmas_it_is_the_plain_crop() -> None:
    image, points, roi = picture(shape=(200, 180, 3)), np.full((29, 2), 80.0), roi_from_scale(90, 95, 0.6)
    found = augment(image, points, roi, COFW_29, augmentation=PLAIN, rng=np.random.default_rng(0))
    # the scale's mean is 1, so a sigma of 0 leaves it there
    np.testing.assert_array_equal(found.crop, cut_star_crop(image, crop_matrix(roi)))
    np.testing.assert_array_equal(found.landmarks, frame_to_crop(crop_matrix(roi), points))


def test_same_generator_same_crop() -> None:
    image, points, roi = picture(shape=(200, 180, 3)), np.full((29, 2), 80.0), roi_from_scale(90, 95, 0.6)
    first, again, other = (
        augment(image, points, roi, COFW_29, augmentation=StarAugmentation(), rng=np.random.default_rng(seed))
        for seed in (5, 5, 6)
    )
    np.testing.assert_array_equal(first.crop, again.crop)
    np.testing.assert_array_equal(first.landmarks, again.landmarks)
    assert not np.array_equal(first.landmarks, other.landmarks)


def test_geometry_moves_landmarks_with_the_picture() -> None:
    image = np.zeros((220, 220, 3), np.uint8)
    cv2.circle(image, (120, 90), 3, (255, 255, 255), -1)
    turned = StarAugmentation(mirror=1.0, occlusion=0, blur=0, gamma=0, noise=0, grey=0)
    for seed in range(10):
        found = augment(
            image,
            np.full((68, 2), [120.0, 90.0]),
            roi_from_scale(110, 100, 0.8),
            IBUG_68,
            augmentation=turned,
            rng=np.random.default_rng(seed),
        )
        y, x = np.argwhere(found.crop[..., 0] > 100).mean(axis=0)
        np.testing.assert_allclose(found.landmarks[0], [x, y], atol=0.5)


def test_geometry_is_spread_as_stated() -> None:
    image, points, roi = np.zeros((8, 8, 3), np.uint8), np.zeros((68, 2)), roi_from_scale(0, 0, 1.28)
    points[0], points[1] = [-40, 0], [40, 0]
    rng = np.random.default_rng(0)
    still = StarAugmentation(mirror=0, occlusion=0, blur=0, gamma=0, noise=0, grey=0)
    found = np.stack(
        [augment(image, points, roi, IBUG_68, augmentation=still, rng=rng).landmarks[:2] for _ in range(400)]
    )
    across, middle = found[:, 1] - found[:, 0], found.mean(axis=1)
    angles, scales = np.arctan2(across[:, 1], across[:, 0]), np.linalg.norm(across, axis=-1) / 80
    assert angles.std() == pytest.approx(math.radians(18), rel=0.12)
    assert (scales.mean(), scales.std()) == (pytest.approx(1, abs=0.02), pytest.approx(0.1, rel=0.12))
    np.testing.assert_allclose(middle.std(axis=0), 0.05 * 255, rtol=0.12)


def test_chances_of_the_texture() -> None:
    crop = picture(2, (16, 16, 3))
    rng = np.random.default_rng(1)
    only_grey = StarAugmentation(occlusion=0, blur=0, gamma=0, noise=0)
    greys = sum(np.ptp(change_texture(crop, only_grey, rng), axis=2).max() == 0 for _ in range(500))
    assert greys == pytest.approx(100, abs=30)
    np.testing.assert_array_equal(change_texture(crop, PLAIN, rng), crop)


def test_parts_by_hand() -> None:
    crop = picture(3)
    covered = occlude(crop, np.array([0.5, 0.5, 0.5, 0.25]))
    # height and width half of 128, centre at (127, 63)
    expected = crop.copy()
    expected[63 - 32 : 63 + 33, 127 - 32 : 127 + 33] = 0
    np.testing.assert_array_equal(covered, expected)
    assert blur(crop, 0.1) is crop
    np.testing.assert_array_equal(blur(crop, 0.5), cv2.blur(crop, (6, 6)))
    np.testing.assert_array_equal(change_gamma(crop, np.array([0.9, 0.0])), crop)
    assert change_gamma(crop, np.array([0.2, 0.0])).mean() > crop.mean()
    assert change_gamma(crop, np.array([0.7, 0.5])).mean() < crop.mean()
    np.testing.assert_array_equal(blend_noise(crop, 0.0, picture(4)), crop)
    np.testing.assert_allclose(blend_noise(crop, 0.5, picture(4)), (crop.astype(float) + picture(4)) / 2, atol=0.51)
    blue = np.zeros((2, 2, 3), np.uint8)
    blue[..., 0] = 200
    assert grey(blue).tolist() == [[[60, 60, 60]] * 2] * 2


@pytest.mark.data
@pytest.mark.parametrize(("name", "scheme"), SCHEMES.items(), ids=list(SCHEMES))
def test_official_mirror(parity_dir: Path, name: str, scheme: LandmarkScheme) -> None:
    with np.load(parity_dir / "star" / "augment_cv5.npz") as file:
        image, points, moved, centre, flipped = (
            file[key] for key in ("image", f"flip_in_{name}", f"flip_lmk_{name}", f"flip_center_{name}", "flip_image")
        )
    mirrored, landmarks, roi = mirror(image, points, roi_from_scale(70.25, 60.5, 1), scheme)
    np.testing.assert_array_equal(mirrored, flipped)
    np.testing.assert_allclose(landmarks, moved, atol=1e-4)
    np.testing.assert_allclose(roi.centre, centre)


@pytest.mark.data
def test_official_geometry(parity_dir: Path) -> None:
    pixels = "augment_cv5" if cv2.__version__ >= "5" else "augment"
    with np.load(parity_dir / "star" / f"{pixels}.npz") as file:
        for (x, y, angle_rad, scale), matrix in zip(file["geo_normals"], file["geo_matrices"], strict=True):
            np.testing.assert_allclose(
                geometry_matrix(np.array([x, y]), angle_rad, scale), matrix, rtol=1e-6, atol=1e-5
            )
        crop = cut_star_crop(file["image"], file["warp_matrix"])
        assert np.abs(crop.astype(int) - file["warp_image"]).max() <= 1
        np.testing.assert_allclose(frame_to_crop(file["warp_matrix"], file["warp_lmk_in"]), file["warp_lmk"], atol=1e-4)


@pytest.mark.data
def test_official_texture(parity_dir: Path) -> None:
    pixels = "augment_cv5" if cv2.__version__ >= "5" else "augment"
    with np.load(parity_dir / "star" / f"{pixels}.npz") as file:
        crop = file["warp_image"]
        for key in (key for key in file.files if key.endswith("_rand")):
            draws = file[key]
            _, kind, number = key.removesuffix("_rand").split("_")
            match kind:
                case "occ":
                    found = occlude(crop, draws[:4])
                case "blur":
                    found = blur(crop, draws[0])
                case "gamma":
                    found = change_gamma(crop, draws[:2])
                case _:
                    found = grey(crop)
            difference = np.abs(found.astype(int) - file[f"add_{kind}_{number}"])
            assert difference.max() <= (0 if kind == "occ" else 1)
            assert (difference > 0).mean() < 1e-3
