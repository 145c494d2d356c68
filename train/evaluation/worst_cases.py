"""The worst faces of an evaluation on one sheet, with the true and the predicted landmarks drawn."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from startrack.tracker.crop import crop_affine, cut_crop, roi_from_points, transform_points
from startrack.tracker.schemes import LandmarkScheme
from startrack.tracker.types import FloatArray, ImageArray
from startrack.train.evaluation.measure import Evaluation
from startrack.whole_file import write_whole

TRUTH_COLOUR = (90, 230, 120)
PREDICTED_COLOUR = (255, 120, 60)
PAPER, INK = (24, 26, 30), (228, 230, 234)
CAPTION_HEIGHT, GAP = 26, 8
TEXT_SCALE = 0.42
SHIFT = 3
"""cv2 draws at fractions of a pixel when coordinates are given times 2**shift."""


def worst_cases(evaluation: Evaluation, path: Path, *, count: int = 24, columns: int = 6, tile: int = 256) -> None:
    """Write a sheet of the `count` faces with the largest NME, worst first, as a picture (PNG by its suffix).

    Each tile, `tile` pixels wide, shows the face by its true box with the truth in green and the prediction in
    orange, and its NME, subset and name below. Raises DatasetError if a picture is missing, OSError if the
    sheet cannot be written.
    """
    worst = np.argsort(-evaluation.nme, kind="stable")[:count]
    columns = min(columns, len(worst))
    rows = -(-len(worst) // columns)
    height, width = tile + CAPTION_HEIGHT + GAP, tile + GAP
    sheet = np.full((rows * height + GAP + CAPTION_HEIGHT, columns * width + GAP, 3), PAPER, np.uint8)
    _write(sheet, f"{evaluation.model}: worst of {len(evaluation.samples)} faces", (GAP, CAPTION_HEIGHT - GAP), INK)
    key = "truth green, prediction orange"
    if columns > 2:
        (length, _), _ = cv2.getTextSize(key, cv2.FONT_HERSHEY_SIMPLEX, TEXT_SCALE, 1)
        _write(sheet, key, (sheet.shape[1] - GAP - length, CAPTION_HEIGHT - GAP), INK)
    for rank, face in enumerate(worst):
        top, left = CAPTION_HEIGHT + GAP + rank // columns * height, GAP + rank % columns * width
        sheet[top : top + tile, left : left + tile] = face_tile(evaluation, int(face), tile)
        sample = evaluation.samples[face]
        caption = f"{100 * evaluation.nme[face]:.1f}%  {sample.subset}  {sample.name.rpartition('/')[2]}"
        _write(sheet, caption[: tile // 8], (left, top + tile + CAPTION_HEIGHT - GAP), INK)
    done, encoded = cv2.imencode(path.suffix, cv2.cvtColor(sheet, cv2.COLOR_RGB2BGR))
    if not done:
        raise OSError(f"{path}: the sheet could not be encoded")
    write_whole(path, encoded.tobytes())


def face_tile(evaluation: Evaluation, face: int, size: int) -> ImageArray:
    """(size, size, 3) RGB of one face by its true box, truth and prediction drawn on it."""
    truth = evaluation.truth[face]
    affine = crop_affine(roi_from_points(truth[evaluation.annotated[face]], 1.4), size)
    tile = cut_crop(evaluation.samples[face].read_image(), affine, size)
    draw_landmarks(tile, transform_points(affine, truth), evaluation.scheme, TRUTH_COLOUR)
    draw_landmarks(tile, transform_points(affine, evaluation.points[face]), evaluation.scheme, PREDICTED_COLOUR)
    return tile


def draw_landmarks(image: ImageArray, points: FloatArray, scheme: LandmarkScheme, colour: tuple[int, int, int]) -> None:
    """Draw (K, 2) landmarks and the scheme's edges into an RGB image, with sub-pixel places; NaN ones are left out."""
    known = np.all(np.isfinite(points), axis=1)
    # far outside, cv2's fixed-point coordinates would overflow
    placed = np.where(known[:, None], points, 0).clip(-1e4, 1e4) * 2**SHIFT
    fixed: NDArray[np.int32] = placed.round().astype(np.int32)
    for edge in scheme.edges:
        if not known[list(edge.indices)].all():
            continue
        curve = fixed[list(edge.indices)].reshape(-1, 1, 2)
        cv2.polylines(image, [curve], edge.closed, colour, 1, cv2.LINE_AA, SHIFT)
    for x, y in fixed[known].tolist():
        cv2.circle(image, (x, y), round(1.4 * 2**SHIFT), colour, -1, cv2.LINE_AA, SHIFT)


def _write(image: ImageArray, text: str, origin: tuple[int, int], colour: tuple[int, int, int]) -> None:
    cv2.putText(image, text, origin, cv2.FONT_HERSHEY_SIMPLEX, TEXT_SCALE, colour, 1, cv2.LINE_AA)
