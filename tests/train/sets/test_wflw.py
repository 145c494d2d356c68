"""WFLW's lists, made in the published format: 196 coordinates, a box, six flags and a picture's name."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from startrack.train.sets import wflw
from startrack.train.sets.sample import DatasetError

POINTS = np.linspace(10, 60, 196).reshape(98, 2)


def line(
    points: np.ndarray = POINTS,
    box: tuple[int, ...] = (8, 9, 62, 70),
    flags: tuple[int, ...] = (0, 0, 0, 0, 0, 0),
    name: str = "0--Parade/0_Parade_1.jpg",
) -> str:
    """As published: six decimals, whole numbers in the box."""
    return " ".join([*(f"{value:.6f}" for value in points.flat), *map(str, box), *map(str, flags), name])


def write(root: Path, lines: list[str], split: str = "test") -> Path:
    folder = root / "WFLW_annotations" / "list_98pt_rect_attr_train_test"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"list_98pt_rect_attr_{split}.txt").write_text("\n".join(lines) + "\n")
    return root


def test_a_made_set_in_the_published_layout(tmp_path: Path) -> None:
    write(tmp_path, [line(flags=(1, 0, 0, 0, 0, 1)), line(POINTS + 5, name="1--Hand shaking/b.jpg"), line()])
    write(tmp_path, [line()], "train")
    (tmp_path / "WFLW_images" / "1--Hand shaking").mkdir(parents=True)
    cv2.imwrite(str(tmp_path / "WFLW_images" / "1--Hand shaking" / "b.jpg"), np.zeros((80, 90, 3), np.uint8))
    first, second, third = wflw.load(tmp_path, "test")
    assert first.attributes == ("pose", "blur")
    assert (second.attributes, second.subset) == ((), "test")
    np.testing.assert_allclose(second.landmarks, POINTS + 5, atol=1e-6)
    assert first.box is not None
    assert first.box.tolist() == [8, 9, 62, 70]
    assert second.read_image().shape == (80, 90, 3)
    # two faces of one picture
    assert first.path == third.path
    assert first.name != third.name
    assert [sample.subset for sample in wflw.load(tmp_path, "train")] == ["train"]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=25, deadline=None)
@given(
    points=npst.arrays(np.float64, (98, 2), elements=st.floats(-500, 5000)),
    flags=st.tuples(*[st.integers(0, 1)] * 6),
    left_top=st.tuples(st.integers(-100, 999), st.integers(-100, 999)),
)
def test_what_is_listed_is_read(
    tmp_path: Path, points: np.ndarray, flags: tuple[int, ...], left_top: tuple[int, int]
) -> None:
    box = (*left_top, left_top[0] + 1, left_top[1] + 300)
    (sample,) = wflw.load(write(tmp_path, ["", line(points, box, flags), "  "]), "test")
    np.testing.assert_allclose(sample.landmarks, points, atol=1e-6)
    assert sample.box is not None
    assert tuple(sample.box) == box
    assert sample.attributes == tuple(name for name, flag in zip(wflw.ATTRIBUTES, flags, strict=True) if flag)
    assert sample.entry == "2"


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        ("1 2 3", "3 fields, expected 207: 196 coordinates, a box, 6 flags"),
        (line().replace("10.000000", "ten", 1), "numbers expected before the picture's name"),
        (line(POINTS * np.nan), "not finite"),
        (line(box=(62, 9, 8, 70)), r"box \[62.*expected left, top, right, bottom"),
        (line(flags=(0, 0, 2, 0, 0, 0)), "expected six flags of 0 or 1"),
        (line(name="../../secret.jpg"), "expected a path below"),
    ],
)
def test_a_bad_line_is_named(tmp_path: Path, bad: str, message: str) -> None:
    write(tmp_path, [line(), bad])
    with pytest.raises(DatasetError, match=rf"list_98pt_rect_attr_test\.txt:2: .*{message}"):
        wflw.load(tmp_path, "test")


def test_what_is_missing_is_named(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="'validation'; expected one of train, test"):
        wflw.load(tmp_path, "validation")
    with pytest.raises(DatasetError, match=r"test\.txt: cannot be read: .*expected the published layout of WFLW"):
        wflw.load(tmp_path, "test")
    with pytest.raises(DatasetError, match="no face in it"):
        wflw.load(write(tmp_path, []), "test")
    with pytest.raises(DatasetError, match=r"0_Parade_1\.jpg: cannot be read"):
        wflw.load(write(tmp_path, [line()]), "test")[0].read_image()
