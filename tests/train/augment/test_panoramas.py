from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from startrack.train.augment.panoramas import SIDE, VIEWS, panorama_views
from startrack.train.sets.sample import DatasetError


def test_views_are_upright_level_and_exposed(tmp_path: Path) -> None:
    """A blue sky over a green ground: blue lies above green in every view that shows both."""
    light = np.zeros((64, 128, 3), np.float16)
    light[:32, :, 2] = 4.0
    light[32:, :, 1] = 4.0
    np.savez(tmp_path / "place.npz", a=light)
    views = [view.image for view in panorama_views(tmp_path, np.random.default_rng(1))]
    assert len(views) == VIEWS
    assert all(view.shape == (SIDE, SIDE, 3) and view.dtype == np.uint8 for view in views)
    mixed = [view for view in views if view[..., 2].any() and view[..., 1].any()]
    assert len(mixed) > VIEWS / 2
    for view in mixed:
        middle = view[:, SIDE // 2]
        assert middle[0, 2] > middle[0, 1]
        assert middle[-1, 1] > middle[-1, 2]


def test_a_view_goes_on_over_the_seam(tmp_path: Path) -> None:
    """Brightness that is the same all around stays so where the picture's first and last columns meet."""
    np.savez(tmp_path / "place.npz", a=np.full((32, 64, 3), 0.5, np.float32))
    views = [view.image for view in panorama_views(tmp_path, np.random.default_rng(2))]
    assert all(np.ptp(view) == 0 for view in views)
    # a quarter of white, coded
    assert np.median([view.mean() for view in views]) == pytest.approx(255 * 0.25 ** (1 / 2.2), rel=0.2)


def test_other_files_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="no panorama in it"):
        panorama_views(tmp_path, np.random.default_rng(0))
    np.savez(tmp_path / "a.npz", a=np.zeros((4, 8), np.float32))
    with pytest.raises(DatasetError, match=r"a\.npz: expected one array \(height, width, 3\)"):
        panorama_views(tmp_path, np.random.default_rng(0))
