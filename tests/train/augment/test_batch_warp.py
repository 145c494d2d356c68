from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

from startrack.tracker.schemes import COFW_29, IBUG_68, WFLW_98, LandmarkScheme
from startrack.train.augment.batch_draws import draw_augmentation
from startrack.train.augment.batch_random import sample_keys
from startrack.train.augment.batch_warp import Warp, drawn_warp, plain_warp, warp_landmarks, warp_pictures
from startrack.train.augment.star_augment import StarAugmentation, geometry_matrix, mirror
from startrack.train.sets.star_crop import crop_matrix, cut_star_crop, frame_to_crop, roi_from_scale

SCHEMES = {"300W": IBUG_68, "WFLW": WFLW_98, "COFW": COFW_29}
CPU = torch.device("cpu")


def pictures(count: int, size: int) -> NDArray[np.uint8]:
    return np.random.default_rng(0).integers(0, 256, (count, size, size, 3), np.uint8)


def as_matrix(matrix_33: NDArray[np.float32]) -> Warp:
    """The warp that is this matrix for a ROI of the crop's side around the origin."""
    matrix = torch.from_numpy(matrix_33).double()
    return Warp(matrix[None, :2, :2], (matrix[None, :2, 2] - 127.5) / 255, torch.tensor([False]))


def squared(image: NDArray[np.uint8], size: int) -> Tensor:
    """(1, size, size, 3) with black to the right and below."""
    height, width = image.shape[:2]
    return torch.from_numpy(np.pad(image, ((0, size - height), (0, size - width), (0, 0))))[None]


@pytest.mark.parametrize("scheme", SCHEMES.values(), ids=list(SCHEMES))
@pytest.mark.parametrize("size", [256, 64])
def test_a_batch_is_what_its_faces_are_one_by_one(scheme: LandmarkScheme, size: int) -> None:
    count, rng = 12, np.random.default_rng(1)
    images, points = pictures(count, 150), rng.uniform(30, 120, (count, scheme.num_landmarks, 2))
    rois = np.column_stack([rng.uniform(60, 90, (count, 2)), rng.uniform(50, 120, count)])
    item = torch.arange(count)
    draws = draw_augmentation(sample_keys(item, item, 5), StarAugmentation(), size)
    assert 0 < draws.mirrored.sum() < count
    warp, offsets = drawn_warp(draws), torch.full((count,), 1.0 if scheme is COFW_29 else 0.0)
    flip_order = torch.from_numpy(scheme.flip_order)
    batch = torch.from_numpy(images), torch.from_numpy(rois), warp
    crops = warp_pictures(*batch, mirror_offsets_B=offsets, size=size).permute(0, 2, 3, 1).numpy()
    landmarks = warp_landmarks(torch.from_numpy(points), *batch[1:], flip_order_K=flip_order, size=size).numpy()
    for index in range(count):
        face = images[index], points[index], roi_from_scale(*rois[index, :2], rois[index, 2] / 200)
        image, moved, roi = mirror(*face, scheme) if warp.mirrored[index] else face
        angle, scale = float(draws.angles_rad[index]), float(draws.scales[index])
        matrix = geometry_matrix(draws.shifts[index].numpy(), angle, scale, size) @ crop_matrix(roi, size)
        # there in float32
        np.testing.assert_allclose(landmarks[index], frame_to_crop(matrix, moved), atol=2e-4)
        difference = np.abs(crops[index].astype(int) - cut_star_crop(image, matrix, size))
        # OpenCV 4 interpolates in steps of 1/32 pixel
        assert difference.max() <= 8
        assert difference.mean() < 0.5


def test_a_mirrored_face_is_the_mirrored_plain_one() -> None:
    image = torch.from_numpy(pictures(1, 41))
    roi = torch.tensor([[20.0, 20.0, 41.0]]).double()
    plain = plain_warp(1, CPU)
    turned = plain._replace(mirrored=torch.tensor([True]))
    crops = [
        warp_pictures(image, roi, warp, mirror_offsets_B=torch.zeros(1), size=41)[0].permute(1, 2, 0)
        for warp in (plain, turned)
    ]
    assert torch.equal(crops[0], image[0])
    assert torch.equal(crops[1], image[0].flip(1))
    points = torch.full((1, 68, 2), 7.0).double()
    points[0, 36] = torch.tensor([11.0, 5.0])
    flip_order = torch.from_numpy(IBUG_68.flip_order)
    moved = warp_landmarks(points, roi, turned, flip_order_K=flip_order, size=41)
    assert moved[0, 45].tolist() == [29.0, 5.0]


def test_a_scale_of_nothing_stays_finite() -> None:
    warp = plain_warp(1, CPU)._replace(linear=torch.zeros(1, 2, 2).double())
    roi, points = torch.tensor([[5.0, 5.0, 8.0]]).double(), torch.rand(1, 68, 2).double()
    crop = warp_pictures(torch.from_numpy(pictures(1, 16)), roi, warp, mirror_offsets_B=torch.zeros(1), size=16)
    assert (crop == crop[..., :1, :1]).all()
    found = warp_landmarks(points, roi, warp, flip_order_K=torch.from_numpy(IBUG_68.flip_order), size=16)
    assert (found == 7.5).all()


@pytest.mark.data
@pytest.mark.parametrize(("name", "scheme"), SCHEMES.items(), ids=list(SCHEMES))
def test_official_mirror(parity_dir: Path, name: str, scheme: LandmarkScheme) -> None:
    with np.load(parity_dir / "star" / "augment_cv5.npz") as file:
        points, expected, centre = (file[f"flip_{key}_{name}"] for key in ("in", "lmk", "center"))
        image, flipped = file["image"], file["flip_image"]
    height, width = image.shape[:2]
    roi = torch.tensor([[70.25, 60.5, 256.0]]).double()
    warp = plain_warp(1, CPU)._replace(mirrored=torch.tensor([True]))
    flip_order = torch.from_numpy(scheme.flip_order)
    found = warp_landmarks(torch.from_numpy(points)[None].double(), roi, warp, flip_order_K=flip_order, size=256)
    np.testing.assert_allclose(found[0] - 127.5, expected - centre, atol=1e-4)
    offset = torch.full((1,), 1.0 if scheme is COFW_29 else 0.0)
    crop = warp_pictures(squared(image, 150), roi, warp, mirror_offsets_B=offset, size=256)[0].permute(1, 2, 0).numpy()
    # the crop is on the centre of the mirrored picture
    plain = cut_star_crop(flipped, crop_matrix(roi_from_scale(*centre, 1.28)))
    assert (height, width) == (140, 150)
    assert np.abs(crop.astype(int) - plain).max() <= 8


@pytest.mark.data
def test_official_warp(parity_dir: Path) -> None:
    with np.load(parity_dir / "star" / "augment_cv5.npz") as file:
        draws = torch.from_numpy(file["geo_normals"])
        empty = draw_augmentation(torch.zeros(len(draws), dtype=torch.int64), StarAugmentation(), 8)
        changes = {"shifts": draws[:, :2], "angles_rad": draws[:, 2], "scales": draws[:, 3]}
        warp = drawn_warp(type(empty)(**{name: getattr(empty, name) for name in empty.__slots__} | changes))
        expected = torch.from_numpy(file["geo_matrices"]).double()
        torch.testing.assert_close(warp.linear, expected[:, :2, :2], rtol=1e-6, atol=1e-6)
        middle = torch.full((2,), 127.5).double()
        offsets = middle - (warp.linear @ middle) + 255 * warp.shifts
        torch.testing.assert_close(offsets, expected[:, :2, 2], rtol=1e-6, atol=1e-5)
        image, roi = squared(file["image"], 150), torch.tensor([[0.0, 0.0, 256.0]]).double()
        one = as_matrix(file["warp_matrix"])
        crop = warp_pictures(image, roi, one, mirror_offsets_B=torch.zeros(1), size=256)[0].permute(1, 2, 0).numpy()
        difference = np.abs(crop.astype(int) - file["warp_image"])
        assert difference.max() <= 1
        assert difference.mean() < 0.2
        points = torch.from_numpy(file["warp_lmk_in"])[None].double()
        found = warp_landmarks(points, roi, one, flip_order_K=torch.from_numpy(COFW_29.flip_order), size=256)
        np.testing.assert_allclose(found[0], file["warp_lmk"], atol=2e-4)


@pytest.mark.data
def test_official_crops(parity_dir: Path) -> None:
    with np.load(parity_dir / "star" / "preproc_cv5.npz") as file:
        flip_order = torch.from_numpy(IBUG_68.flip_order)
        for case, (scale, x, y) in enumerate(file["case_scale_cw_ch"]):
            image = squared(file[f"image{file['case_image'][case]}"], 220)
            roi, warp = torch.tensor([[x, y, 200 * scale]]).double(), plain_warp(1, CPU)
            crop = warp_pictures(image, roi, warp, mirror_offsets_B=torch.zeros(1), size=256)[0]
            difference = np.abs(crop.permute(1, 2, 0).numpy().astype(int) - file[f"crop_{case}"])
            assert difference.max() <= 1
            assert difference.mean() < 0.2
            points = torch.from_numpy(file["landmarks"][case])[None].double()
            found = warp_landmarks(points, roi, warp, flip_order_K=flip_order, size=256)
            np.testing.assert_allclose(found[0], file[f"lmk_crop_{case}"], atol=2e-3, rtol=1e-6)
