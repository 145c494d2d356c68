"""Peaks below the size of a cell: fitted Gaussians by hand, and the published decoders."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from startrack.tracker.crop import crop_affine, invert_affine, transform_points
from startrack.tracker.schemes import IBUG_68
from startrack.tracker.types import Roi
from startrack.train.models.decode_peaks import dark, dark_udp, find_peaks, flip_back, quarter_offset

COCO_FLIP = [0, *(k + 1 if k % 2 else k - 1 for k in range(1, 17))]


def gaussian(x: float, y: float, sigma: float = 2.0, size: tuple[int, int] = (48, 40)) -> torch.Tensor:
    rows, columns = torch.meshgrid(*(torch.arange(n, dtype=torch.float64) for n in size), indexing="ij")
    return torch.exp(-((columns - x) ** 2 + (rows - y) ** 2) / (2 * sigma**2))[None, None]


@settings(deadline=None)  # the first call loads OpenCV and convolutions
@given(st.floats(9, 30), st.floats(9, 38), st.floats(1.5, 3))
def test_dark_finds_the_middle_of_a_gaussian(x: float, y: float, sigma: float) -> None:
    maps = gaussian(x, y, sigma)
    expected = torch.tensor([[[x, y]]], dtype=torch.float64)
    for found in (dark(maps, find_peaks(maps)), dark_udp(maps, find_peaks(maps), kernel=7)):
        # the smoothing is cut off at the kernel's side
        torch.testing.assert_close(found, expected, atol=0.03, rtol=0)


def test_quarter_offset_by_hand() -> None:
    maps = torch.zeros(1, 4, 8, 8)
    maps[0, :3, 3, 4] = 1
    maps[0, 0, 3, 5], maps[0, 0, 2, 4] = 0.5, 0.2
    maps[0, 1, 3, 3] = 0.1
    maps[0, 3, 0, 4] = 1
    found = quarter_offset(maps, find_peaks(maps))[0]
    assert found.tolist() == [[4.25, 2.75], [3.75, 3.0], [4, 3], [4, 0]]
    maps = torch.zeros(1, 1, 8, 8)
    maps[0, 0, 4, 1], maps[0, 0, 4, 2] = 1, 0.5
    assert quarter_offset(maps, find_peaks(maps)).tolist() == [[[1.25, 4]]]
    assert quarter_offset(maps, find_peaks(maps), first=2).tolist() == [[[1, 4]]]


def test_nothing_above_0_is_the_first_cell() -> None:
    maps = -torch.rand(1, 2, 8, 8) - 0.1
    peaks = find_peaks(maps)
    assert not peaks.cells.any()
    assert (peaks.values < 0).all()
    assert not quarter_offset(maps, peaks).any()
    assert not dark(maps.clamp_min(0), peaks).any()


def test_a_flat_peak_goes_no_further_than_asked() -> None:
    maps = torch.full((1, 1, 32, 32), 0.5)
    maps[0, 0, 16, 16], maps[0, 0, 16, 18] = 0.5001, 0.50005
    step = dark(maps, find_peaks(maps), max_step=1.0) - find_peaks(maps).cells
    assert (step.abs() <= 1).all()


def test_mirroring_back_is_its_own_inverse() -> None:
    maps = torch.rand(2, 68, 8, 8)
    order = IBUG_68.flip_order.tolist()
    torch.testing.assert_close(flip_back(flip_back(maps, order), order), maps)
    assert flip_back(maps, order)[0, 36, 2, 0] == maps[0, 45, 2, 7]


@pytest.mark.data
def test_published_pose_decoders(parity_dir: Path) -> None:
    with np.load(parity_dir / "awing_dehrnet" / "decode_pose.npz") as file:
        arrays = {key: file[key] for key in file.files if file[key].dtype.kind == "f"}
    maps = torch.from_numpy(arrays["hm"])
    peaks = find_peaks(maps)
    np.testing.assert_array_equal(peaks.cells, arrays["argmax_xy"])
    np.testing.assert_array_equal(peaks.values, arrays["argmax_val"][..., 0])
    np.testing.assert_allclose(quarter_offset(maps, peaks, first=2), arrays["quarter_hm"], atol=1e-6)
    positive = maps.clamp_min(0) + 1e-6
    for kernel in (17, 11):
        found = dark(positive, find_peaks(positive), kernel=kernel)
        np.testing.assert_allclose(found, arrays[f"dark_k{kernel}_hm"], atol=2e-3)
        np.testing.assert_allclose(found[1], arrays[f"mm_dark_k{kernel}_n1"][0], atol=2e-3)
        udp = dark_udp(positive[1:2], find_peaks(positive[1:2]), kernel=kernel)
        np.testing.assert_allclose(udp, arrays[f"mm_udp_k{kernel}_n1"], atol=2e-3)
    np.testing.assert_array_equal(flip_back(maps, COCO_FLIP), arrays["flip_back"])
    shifted = (maps + flip_back(maps, COCO_FLIP, shift=True)) / 2
    np.testing.assert_allclose(shifted, arrays["flip_shift_avg"], atol=1e-6)


@pytest.mark.data
def test_published_face_decoders(parity_dir: Path) -> None:
    with np.load(parity_dir / "awing_dehrnet" / "decode_face_nme.npz") as file:
        maps, preds64, preds256, one_based = (
            torch.from_numpy(file[key]) for key in ("hm", "awing_preds64", "awing_preds256", "hrface_get_preds_1based")
        )
    # [TRAP] HRNet's face code adds 1 before it asks for values above 0, so an empty map gives 0, 0 there
    peaks = find_peaks(maps)
    shown = peaks.values > 0
    cells = quarter_offset(maps, peaks)
    np.testing.assert_allclose(cells[shown] + 0.5, preds64[shown], atol=1e-6)
    np.testing.assert_allclose(4 * (cells[shown] + 0.5), preds256[shown], atol=1e-5)
    np.testing.assert_array_equal(peaks.cells[shown] + 1, one_based[shown])


@pytest.mark.data
def test_published_face_decoder_in_picture_pixels(parity_dir: Path) -> None:
    with np.load(parity_dir / "awing_dehrnet" / "decode_face_nme.npz") as file:
        maps, centres, scales = torch.from_numpy(file["hm"]), file["center"], file["scale"]
        published = file["hrface_preds_img"]
    peaks = find_peaks(maps)
    cells, shown = quarter_offset(maps, peaks).numpy(), (peaks.values > 0).numpy()
    for face, (centre, scale) in enumerate(zip(centres, scales, strict=True)):
        roi = Roi(centre, 200 * scale)
        points = transform_points(invert_affine(crop_affine(roi, maps.shape[-1])), cells[face])
        # [TRAP] HRNet's face code cuts fractions off, towards 0, and adds 1
        # a point on a whole number may fall to either side of it
        nearest = np.round(points)
        near = [np.where(np.abs(points - nearest) < 1e-4, nearest + shift, points) for shift in (-1e-3, 1e-3)]
        allowed = [(np.trunc(point) + 1)[shown[face]] for point in near]
        assert np.logical_or.reduce([one == published[face][shown[face]] for one in allowed]).all()
