"""The .pts landmark file of 300W, read and written: 1-based in the file, 0-based in the program."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from startrack.outside import LARGEST_FACTS, read_bounded, reason, shown
from startrack.tracker.types import FloatArray
from startrack.train.sets.sample import DatasetError

PICTURE_SUFFIXES = (".jpg", ".png", ".jpeg", ".bmp")


def read_pts(path: Path, num_landmarks: int | None = None) -> FloatArray:
    """(K, 2) float64, 0-based pixels.

    num_landmarks: how many there must be; None takes any number above 0. Raises DatasetError with file and line when
    the file is not as published, also when its own n_points says another number than it holds.
    """
    try:
        lines = read_bounded(path, LARGEST_FACTS).decode("ascii", "replace").splitlines()
    except (OSError, ValueError) as error:
        raise DatasetError(f"{path}: cannot be read: {reason(error)}") from error
    points: list[tuple[float, float]] = []
    stated: int | None = None
    inside = closed = False
    for number, line in enumerate((text.strip() for text in lines), start=1):
        if not inside:
            inside = line == "{"
            stated = _stated(path, number, line) if line.startswith("n_points") else stated
        elif line == "}":
            closed = True
            break
        elif line:
            points.append(_point(path, number, line))
    if not closed:
        raise DatasetError(f"{path}:{len(lines)}: landmarks in braces expected, found no closing brace")
    for expected in (num_landmarks, stated):
        if expected is not None and len(points) != expected:
            raise DatasetError(f"{path}: {len(points)} landmarks, expected {expected}")
    if not points:
        raise DatasetError(f"{path}: no landmark between its braces")
    return np.array(points, np.float64) - 1.0


def _stated(path: Path, number: int, line: str) -> int:
    count = line.partition(":")[2].strip()
    if not count.isdecimal() or len(count) > 9:
        raise DatasetError(f"{path}:{number}: n_points: and a whole number expected, found {shown(line)}")
    return int(count)


def _point(path: Path, number: int, line: str) -> tuple[float, float]:
    try:
        x, y = (float(value) for value in line.split())
    except ValueError:
        raise DatasetError(f"{path}:{number}: two numbers expected, found {shown(line)}") from None
    if not (np.isfinite(x) and np.isfinite(y)):
        raise DatasetError(f"{path}:{number}: finite numbers expected, found {shown(line)}")
    return x, y


def write_pts(path: Path, points: FloatArray) -> None:
    """Write (K, 2) 0-based pixels as a 1-based .pts file; the inverse of read_pts to 1e-6 px."""
    rows = "\n".join(f"{x + 1:.6f} {y + 1:.6f}" for x, y in points)
    path.write_text(f"version: 1\nn_points: {len(points)}\n{{\n{rows}\n}}\n", encoding="ascii")


def picture_beside(label: Path) -> Path:
    """The picture of the same name as a .pts file. Raises DatasetError if there is none."""
    for suffix in PICTURE_SUFFIXES:
        picture = label.with_suffix(suffix)
        if picture.exists():
            return picture
    raise DatasetError(f"{label}: no picture beside it; expected {label.stem} with {' or '.join(PICTURE_SUFFIXES)}")
