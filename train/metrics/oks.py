"""OKS, COCO's likeness of two poses, and the suppression of double detections by it (Lin et al., ECCV 2014; HRNet)."""

# N people, K landmarks

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from startrack.errors import install_line
from startrack.outside import read_json
from startrack.tracker.types import FloatArray
from startrack.train.sets.sample import DatasetError

Float64Array = NDArray[np.float64]

COCO_SIGMAS: Float64Array = (
    np.array([0.26, 0.25, 0.25, 0.35, 0.35, 0.79, 0.79, 0.72, 0.72, 0.62, 0.62, 1.07, 1.07, 0.87, 0.87, 0.89, 0.89])
    / 10
)
"""Spread of each landmark's annotations over the root of the person's area; COCO's k is twice that."""
OFFICIAL_EPSILON = np.spacing(1)
STATISTICS = ("AP", "AP50", "AP75", "AP_M", "AP_L", "AR", "AR50", "AR75", "AR_M", "AR_L")
"""Of COCO's summary, in its order."""


def oks(
    points_NK2: FloatArray,
    truth_K2: FloatArray,
    annotated_K: NDArray[np.bool_],
    area: float,
    *,
    box: FloatArray | None = None,
) -> Float64Array:
    """(N,) likeness 0..1 of N predictions to one annotated person: mean of exp(-d² / (2 area k²)) over its landmarks.

    [DIFF] Published notes on DE-HRNet lack the minus. box: (4,) xyxy of the person; one without a landmark is compared
    by the distance of each predicted landmark to its box, doubled on all sides, as COCO's code does.
    """
    points = np.asarray(points_NK2, np.float64)
    variance_K = (2 * COCO_SIGMAS) ** 2
    if annotated_K.any():
        offset = (points - np.nan_to_num(truth_K2))[:, annotated_K]
        variance_K = variance_K[annotated_K]
    elif box is not None:
        low, high = np.asarray(box, np.float64).reshape(2, 2)
        size = high - low
        offset = np.maximum(0, low - size - points) + np.maximum(0, points - high - size)
    else:
        return np.zeros(len(points))
    exponent_NK = (offset**2).sum(axis=-1) / variance_K / (area + OFFICIAL_EPSILON) / 2
    likeness_N: Float64Array = np.exp(-exponent_NK).mean(axis=1)
    return likeness_N


def oks_between(points_K2: FloatArray, others_NK2: FloatArray, area: float, areas_N: FloatArray) -> Float64Array:
    """(N,) likeness of two predictions, with the mean of their areas (HRNet's oks_iou)."""
    distance_NK = ((np.asarray(others_NK2, np.float64) - points_K2) ** 2).sum(axis=-1)
    mean_N1 = ((area + np.asarray(areas_N, np.float64)) / 2 + OFFICIAL_EPSILON)[:, None]
    likeness_N: Float64Array = np.exp(-distance_NK / (2 * COCO_SIGMAS) ** 2 / mean_N1 / 2).mean(axis=1)
    return likeness_N


def oks_nms(points_NK2: FloatArray, scores_N: FloatArray, areas_N: FloatArray, max_oks: float = 0.9) -> list[int]:
    """Indices of the predictions to keep, the best first: none is like a better one by more than max_oks."""
    order = np.argsort(scores_N)[::-1]
    kept = []
    while len(order):
        best, order = int(order[0]), order[1:]
        kept.append(best)
        order = order[oks_between(points_NK2[best], points_NK2[order], float(areas_N[best]), areas_N[order]) <= max_oks]
    return kept


def soft_oks_nms(
    points_NK2: FloatArray, scores_N: FloatArray, areas_N: FloatArray, max_oks: float = 0.9, most: int = 20
) -> list[int]:
    """As oks_nms, but none is dropped: scores fall by exp(-oks² / max_oks), and the best `most` are kept."""
    order = np.argsort(scores_N)[::-1]
    scores = np.asarray(scores_N, np.float64)[order]
    kept: list[int] = []
    while len(order) and len(kept) < most:
        best, order = int(order[0]), order[1:]
        overlap = oks_between(points_NK2[best], points_NK2[order], float(areas_N[best]), areas_N[order])
        scores = scores[1:] * np.exp(-(overlap**2) / max_oks)
        ranking = np.argsort(scores)[::-1]
        order, scores = order[ranking], scores[ranking]
        kept.append(best)
    return kept


@dataclass(frozen=True, slots=True)
class CocoSummary:
    """COCO's ten figures of landmarks, 0..1; -1 where there is nobody of that size."""

    values: tuple[float, ...]
    """In the order of STATISTICS."""

    def to_dict(self) -> dict[str, float]:
        """By name, in per cent; without the sizes of which there is nobody."""
        return {name: 100 * value for name, value in zip(STATISTICS, self.values, strict=True) if value >= 0}


def coco_average_precision(truth: Path, predictions: Sequence[dict[str, Any]]) -> CocoSummary:
    """AP and AR by COCO's protocol: OKS from 0.50 to 0.95 in steps of 0.05, the best 20 people of each picture.

    truth: the annotations' JSON file. predictions: of COCO's result format, image_id, category_id, keypoints (51
    numbers), score. Counted by faster-coco-eval, which the extra `body` brings; equal to pycocotools to 1e-12. Raises
    DatasetError if the library is missing or there is no prediction.
    """
    try:
        from faster_coco_eval import COCO, COCOeval_faster
    except ImportError as error:
        raise DatasetError(f"COCO's AP needs faster-coco-eval: {install_line('body')}") from error
    if not predictions:
        raise DatasetError(f"{truth}: no prediction to compare with it")
    dataset = COCO(read_json(truth))
    evaluation = COCOeval_faster(
        dataset, dataset.loadRes(list(predictions)), iouType="keypoints", print_function=_quiet
    )
    evaluation.evaluate()
    evaluation.accumulate()
    evaluation.summarize()
    return CocoSummary(tuple(float(value) for value in evaluation.stats[: len(STATISTICS)]))


def _quiet(*words: object) -> None:
    """The library prints its progress."""
