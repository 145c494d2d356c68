from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from startrack.train.sets.pts import picture_beside, read_pts, write_pts
from startrack.train.sets.sample import DatasetError


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(points=hnp.arrays(np.float64, (5, 2), elements=st.floats(-1e4, 1e4)))
def test_round_trip(tmp_path: Path, points: np.ndarray) -> None:
    write_pts(tmp_path / "face.pts", points)
    np.testing.assert_allclose(read_pts(tmp_path / "face.pts", 5), points, atol=1e-6)


def test_file_is_one_based_program_is_zero_based(tmp_path: Path) -> None:
    file = tmp_path / "face.pts"
    file.write_text("version: 1\nn_points:  2\n{\n1.0 2.5\n\n3 4\n}\n")
    np.testing.assert_array_equal(read_pts(file, 2), [[0, 1.5], [2, 3]])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "closing brace"),
        ("version: 1\n{\n1 2\n", r"face\.pts:3: .*closing brace"),
        ("{\n1 2\n3\n}", r"face\.pts:3: two numbers expected, found '3'"),
        ("{\n1 2\n3 x\n}", r"face\.pts:3: two numbers expected, found '3 x'"),
        ("{\n1 2\n3 nan\n}", r"face\.pts:3: finite numbers"),
        ("{\n1 2\n}", "1 landmarks, expected 2"),
        ("n_points: 3\n{\n1 2\n3 4\n}", "2 landmarks, expected 3"),
        ("n_points: two\n{\n1 2\n3 4\n}", r"face\.pts:1: n_points: and a whole number expected, found 'n_points: two'"),
    ],
)
def test_a_malformed_file_is_named_with_its_line(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "face.pts").write_text(text)
    with pytest.raises(DatasetError, match=message):
        read_pts(tmp_path / "face.pts", 2)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"face\.pts: cannot be read"):
        read_pts(tmp_path / "face.pts", 2)


def test_any_number_of_landmarks_on_request(tmp_path: Path) -> None:
    file = tmp_path / "face.pts"
    write_pts(file, np.arange(14.0).reshape(7, 2))
    assert read_pts(file).shape == (7, 2)
    file.write_text("{\n}\n")
    with pytest.raises(DatasetError, match="no landmark between its braces"):
        read_pts(file)


def test_the_picture_of_a_label(tmp_path: Path) -> None:
    (tmp_path / "face.png").touch()
    assert picture_beside(tmp_path / "face.pts") == tmp_path / "face.png"
    with pytest.raises(DatasetError, match=r"other\.pts: no picture beside it; expected other with \.jpg or"):
        picture_beside(tmp_path / "other.pts")
