"""Which pixels OpenCV draws for a thick line: read off its own drawing once, looked up ever after.

A line between whole pixels covers the same pixels wherever it lies and whichever end comes first, and one run of them
in each row (tests hold it to that). So a table by the line's direction and length replaces the drawing, exactly, but
for lines that cross the picture's border.
"""

from __future__ import annotations

from functools import cache

import cv2
import numpy as np
from numpy.typing import NDArray

MARGIN = 2
"""Pixels that a line of thickness 4 reaches beyond its ends, to either side."""


@cache
def line_runs(longest: int, thickness: int) -> NDArray[np.int16]:
    """(2 · longest + 1, longest + 1, longest + 1 + 2 · MARGIN, 2) first column, and the one after the last.

    By x and y of the lower end as seen from the upper one, x from -longest, y from 0, and by row from MARGIN above the
    upper end; columns count from there too. Rows without a pixel have 0, 0.
    """
    reach = longest + MARGIN
    runs = np.zeros((2 * longest + 1, longest + 1, longest + 1 + 2 * MARGIN, 2), np.int16)
    width = 2 * reach + 1
    for down in range(longest + 1):
        canvas = np.zeros((down + 1 + 2 * MARGIN, (2 * longest + 1) * width), np.uint8)
        starts = np.arange(2 * longest + 1) * width + reach
        ends = starts + np.arange(-longest, longest + 1)
        rows = np.full_like(starts, MARGIN)
        lines = np.stack([np.stack([starts, rows], 1), np.stack([ends, rows + down], 1)], 1).astype(np.int32)
        cv2.polylines(canvas, list(lines), False, 1, thickness)
        drawn = canvas.reshape(len(canvas), -1, width).transpose(1, 0, 2)
        first, count = drawn.argmax(axis=2) - reach, drawn.sum(axis=2, dtype=np.int16)
        runs[:, down, : len(canvas), 0] = np.where(count, first, 0)
        runs[:, down, : len(canvas), 1] = np.where(count, first + count, 0)
    return runs
