"""The opening of an eye: the mean of two heights over its width, of one face and of several."""

from __future__ import annotations

import numpy as np
import pytest

from startrack.tracker.signals.expression import openings_of


def eyes(right: float, left: float) -> np.ndarray:
    """(68, 2) with eyes 2 wide whose lids are so far apart at two places each: `right` and 3 · right, and so on."""
    points = np.zeros((68, 2))
    for first, opening in ((36, right), (42, left)):
        near, far = (opening, 3 * opening) if first == 36 else (3 * opening, opening)
        points[first : first + 6] = [[0, 0], [0.5, -near], [1.5, -far], [2, 0], [1.5, 0], [0.5, 0]]
    return points


def test_openings_by_hand() -> None:
    assert openings_of(eyes(0.2, 0.3)) == pytest.approx([0.2, 0.3])  # (0.2 + 0.6) / 2 / 2
    both = openings_of(np.array([eyes(0.2, 0.3), eyes(0.1, 0.0)]))
    assert both == pytest.approx(np.array([[0.2, 0.3], [0.1, 0.0]]))
