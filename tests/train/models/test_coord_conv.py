from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from startrack.train.models.coord_conv import CoordConv, coordinate_maps


def test_coordinates_by_hand() -> None:
    row, column, radius = coordinate_maps(3, 5)
    assert row[:, 0].tolist() == [-1, 0, 1]
    assert column[0].tolist() == [-1, -0.5, 0, 0.5, 1]
    assert float(radius[0, 0]) == 1
    assert float(radius[1, 3]) == pytest.approx(0.5 / 2**0.5)


def test_channels_come_after_the_features_and_the_guide_masks_row_and_column() -> None:
    conv = CoordConv(2, 4, size=6, guided=True)
    x, guide = torch.rand(3, 2, 6, 6), torch.zeros(3, 1, 6, 6)
    guide[1, 0, 2, 4] = 0.06
    guide[1, 0, 2, 5] = 0.05
    seen = conv.add_coordinates(x, guide)
    assert seen.shape == (3, 7, 6, 6)
    torch.testing.assert_close(seen[:, :2], x)
    torch.testing.assert_close(seen[2, 2:5], coordinate_maps(6, 6))
    assert seen[1, 5:].nonzero().tolist() == [[0, 2, 4], [1, 2, 4]]
    torch.testing.assert_close(seen[1, 5:, 2, 4], seen[1, 2:4, 2, 4])
    assert conv(x, guide).shape == (3, 4, 6, 6)


def test_any_size_and_no_coordinates_in_the_state() -> None:
    conv = CoordConv(1, 2, 3, size=8, stride=2)
    assert set(conv.state_dict()) == {"weight", "bias"}
    torch.testing.assert_close(conv.add_coordinates(torch.zeros(2, 1, 4, 12))[1, 1:], coordinate_maps(4, 12))
    assert conv(torch.zeros(1, 1, 4, 12)).shape == (1, 2, 2, 6)


def test_a_missing_or_superfluous_guide_is_refused() -> None:
    with pytest.raises(ValueError, match="guided is True, but a guide was not given"):
        CoordConv(1, 1, size=4, guided=True)(torch.zeros(1, 1, 4, 4))
    with pytest.raises(ValueError, match="guided is False, but a guide was given"):
        CoordConv(1, 1, size=4)(torch.zeros(1, 1, 4, 4), torch.zeros(1, 1, 4, 4))


@pytest.mark.data
def test_adaptive_wing_code(parity_dir: Path) -> None:
    with np.load(parity_dir / "awing_dehrnet" / "coordconv.npz") as file:
        arrays = {key: torch.from_numpy(file[key]) for key in file.files}
    size = arrays["x"].shape[-1]
    first, following = CoordConv(2, 4, size=size), CoordConv(2, 4, size=size, guided=True)
    stem = CoordConv(3, 4, 7, size=arrays["stem_x"].shape[-1], stride=2)
    added = following.add_coordinates(arrays["x"], arrays["heatmap"])[:, 2:]
    np.testing.assert_allclose(added, arrays["added_with_heatmap"], atol=1e-6)
    np.testing.assert_allclose(added[:1, :3], arrays["added_no_heatmap"], atol=1e-6)
    for name, conv, *inputs in (
        ("first", first, arrays["x"]),
        ("next", following, arrays["x"], arrays["heatmap"]),
        ("stem", stem, arrays["stem_x"]),
    ):
        conv.load_state_dict({"weight": arrays[f"{name}_w"], "bias": arrays[f"{name}_b"]})
        np.testing.assert_allclose(conv(*inputs).detach(), arrays[f"{name}_y"], atol=2e-5)


@pytest.mark.data
def test_star_code(parity_dir: Path) -> None:
    with np.load(parity_dir / "star" / "net_small_cofw_eval.npz") as file:
        images, guide = (torch.from_numpy(file[key]) for key in ("input", "mid_addcoords_hm_in"))
        stem, hourglass = (torch.from_numpy(file[key]) for key in ("mid_addcoords_stem", "mid_addcoords_hg1"))
    found = CoordConv(3, 1, size=images.shape[-1]).add_coordinates(images)
    np.testing.assert_allclose(found[0, 3:], stem, rtol=0, atol=1e-6)
    x = torch.zeros(len(guide), 1, *guide.shape[2:])
    found = CoordConv(1, 1, size=guide.shape[-1], guided=True).add_coordinates(x, guide[:, -1:])
    np.testing.assert_allclose(found[:, 1:], hourglass, rtol=0, atol=1e-6)
