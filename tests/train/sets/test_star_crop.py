from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from startrack.tracker.crop import crop_affine, transform_points
from startrack.train.sets.star_crop import (
    crop_matrix,
    crop_to_frame,
    cut_star_crop,
    denormalise,
    frame_to_crop,
    network_input,
    normalise,
    roi_from_scale,
    roi_from_tight_box,
)


def test_square_of_200_pixels_times_scale_fills_the_crop() -> None:
    matrix = crop_matrix(roi_from_scale(300, 200, 0.64))
    # one crop pixel is half a frame pixel
    np.testing.assert_allclose(
        frame_to_crop(matrix, np.array([[300, 200], [310, 190]])), [[127.5, 127.5], [147.5, 107.5]]
    )


def test_tight_box_counts_by_its_smaller_side() -> None:
    roi = roi_from_tight_box(np.array([100.0, 50.0, 180.0, 150.0]))
    assert roi.side == pytest.approx(84)
    np.testing.assert_array_equal(roi.centre, [140, 100])


def test_crop_and_back() -> None:
    points = np.random.default_rng(0).uniform(0, 500, (50, 2))
    roi = roi_from_scale(233.3, 150.7, 1.3)
    matrix = crop_matrix(roi)
    there = frame_to_crop(matrix, points)
    np.testing.assert_allclose(there, transform_points(crop_affine(roi, 256), points), atol=1e-3)
    np.testing.assert_allclose(crop_to_frame(matrix, there), points, atol=1e-3)


def test_normalised_and_back() -> None:
    points = np.array([[-0.5, 255.5], [127.5, 0.0], [3.25, 200.125]], np.float32)
    normalised = normalise(points)
    np.testing.assert_allclose(normalised[:2], [[-1, 1], [0, 1 / 256 - 1]], atol=1e-7)
    np.testing.assert_allclose(denormalise(normalised), points, atol=1e-4)
    # outside the crop there is no way back
    assert normalise(np.array([[-40.0, 300.0]])).tolist() == [[-1, 1]]


def test_network_input_is_between_minus_one_and_one() -> None:
    crop = np.zeros((4, 5, 3), np.uint8)
    crop[1, 2] = 0, 51, 255
    found = network_input(crop)
    assert found.shape == (3, 4, 5)
    np.testing.assert_allclose(found[:, 1, 2], [-1, -0.6, 1], atol=1e-6)


@pytest.mark.data
def test_official_preprocessing(parity_dir: Path) -> None:
    pixels = "preproc_cv5" if cv2.__version__ >= "5" else "preproc"
    with np.load(parity_dir / "star" / f"{pixels}.npz") as file:
        data = {key: file[key] for key in file.files}
    for case, (scale, x, y) in enumerate(data["case_scale_cw_ch"]):
        matrix = crop_matrix(roi_from_scale(x, y, scale))
        np.testing.assert_allclose(matrix, data[f"matrix_{case}"], rtol=1e-6, atol=1e-5)
        image = data[f"image{data['case_image'][case]}"]
        crop = cut_star_crop(image, matrix)
        # a release of OpenCV may round a pixel otherwise
        assert np.abs(crop.astype(int) - data[f"crop_{case}"]).max() <= 1
        landmarks = frame_to_crop(matrix, data["landmarks"][case])
        np.testing.assert_allclose(landmarks, data[f"lmk_crop_{case}"], rtol=1e-6, atol=1e-4)
        if f"sample_label_{case}" in data:
            np.testing.assert_allclose(normalise(landmarks), data[f"sample_label_{case}"], atol=2e-5)
            np.testing.assert_allclose(matrix, data[f"sample_matrix_{case}"], rtol=1e-6, atol=1e-5)
        if f"sample_data_{case}" in data:
            np.testing.assert_allclose(network_input(data[f"crop_{case}"]), data[f"sample_data_{case}"], atol=1e-6)


@pytest.mark.data
def test_official_way_back(parity_dir: Path) -> None:
    with np.load(parity_dir / "star" / "preproc_cv5.npz") as file:
        pixels = denormalise(file["eval_norm_pred"])
        np.testing.assert_allclose(pixels, file["eval_denorm"], atol=1e-4)
        back = crop_to_frame(file["eval_matrix"], pixels)
        np.testing.assert_allclose(back, file["eval_backprojected"], atol=1e-4)
        for box, (scale, x, y) in zip(file["demo_boxes_x1y1x2y2"], file["demo_scale_cw_ch"], strict=True):
            roi = roi_from_tight_box(box)
            np.testing.assert_allclose([*roi.centre, roi.side], [x, y, 200 * scale])
        case = next(k for k in range(len(file["case_image"])) if (file[f"matrix_{k}"] == file["eval_matrix"]).all())
        np.testing.assert_allclose(network_input(file[f"crop_{case}"]), file["eval_tensor"][0], atol=1e-6)


@pytest.mark.data
@pytest.mark.parametrize("name", ["300W", "WFLW", "COFW"])
def test_official_labels(parity_dir: Path, name: str) -> None:
    with np.load(parity_dir / "star" / f"targets_{name}.npz") as file:
        for landmarks, labels in zip(file["landmarks"], file["norm_landmarks"], strict=True):
            np.testing.assert_allclose(normalise(landmarks), labels, atol=5e-6)
