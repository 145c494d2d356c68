"""Any engine of bodies on COCO or MPII → AP and AR of OKS, or PCKh: HRNet's protocol."""

# N people, B of a batch, K landmarks

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from startrack.engines.base import Engine
from startrack.engines.decode import DECODERS, Decoded
from startrack.tracker.cut import cut_each
from startrack.tracker.schemes import COCO_17, MPII_16, find_scheme
from startrack.tracker.types import FloatArray, ImageArray
from startrack.train.metrics.oks import coco_average_precision, oks_nms
from startrack.train.metrics.pckh import head_errors, pckh_summary
from startrack.train.sets.body import coco_body, mpii
from startrack.train.sets.body.bodies import Body, roi_of
from startrack.train.sets.sample import DatasetError

MIN_LANDMARK_SCORE = 0.2
"""Landmarks below do not count in a person's score."""
MAX_OKS = 0.9
"""Of two people that are more similar the weaker one is dropped."""
BODY_DATASETS = {"coco": COCO_17.name, "mpii": MPII_16.name}
"""Name of a data set → the markup that a model must have."""


@dataclass(frozen=True, slots=True, eq=False)
class BodyEvaluation:
    """A model's predictions for people, one by one."""

    model: str
    bodies: tuple[Body, ...]
    points: NDArray[np.float64]
    """(N, K, 2) pixels of the stored picture."""
    scores: FloatArray
    """(N, K) 0..1, the heatmaps' heights."""
    areas: NDArray[np.float64]
    """(N,) pixels of the crops: what OKS between two predictions is scaled by."""
    figures: dict[str, float]
    """In per cent, the one to look at first."""

    def to_json(self) -> str:
        """Indented JSON."""
        rounded = {name: round(value, 4) for name, value in self.figures.items()}
        return json.dumps({"model": self.model, "people": len(self.bodies), **rounded}, indent=2)

    def to_text(self) -> str:
        """A table of two lines for the screen."""
        widths = [max(len(name), 6) + 2 for name in self.figures]
        head = "".join(f"{name:>{width}}" for name, width in zip(self.figures, widths, strict=True))
        row = "".join(f"{value:{width}.2f}" for value, width in zip(self.figures.values(), widths, strict=True))
        return f"{self.model}: {len(self.bodies)} people, per cent\n{head}\n{row}"


def evaluate_bodies(
    engine: Engine, dataset: str, data: Path, *, split: str | None = None, boxes: Path | None = None, flip: bool = True
) -> BodyEvaluation:
    """Run an engine over a data set of BODY_DATASETS.

    data: its folder (train/sets/body). boxes: a person detector's, in COCO's result format, in
    place of the annotated ones; published figures on COCO are with such boxes. flip: mean of the heatmaps of each crop
    and of its mirror image. Raises DatasetError for an unknown data set or one of another markup than the model's.
    """
    scheme = BODY_DATASETS.get(dataset)
    if scheme != engine.spec.scheme:
        raise DatasetError(f"{engine.spec.name} has the landmarks {engine.spec.scheme}; {dataset} needs {scheme}")
    if dataset == "mpii":
        return evaluate_pckh(engine, mpii.load(data, split or "valid"), flip=flip)
    split = split or "val"
    bodies = coco_body.load_detected(data, split, boxes) if boxes else coco_body.load(data, split)
    return evaluate_oks(engine, bodies, coco_body.annotation_file(data, split), flip=flip)


def evaluate_oks(engine: Engine, bodies: Sequence[Body], truth: Path, *, flip: bool = True) -> BodyEvaluation:
    """AP and AR by COCO's protocol. truth: its annotations."""
    evaluation = _predict(engine, bodies, flip)
    ap = coco_average_precision(truth, coco_results(evaluation))
    return _with(evaluation, ap.to_dict())


def evaluate_pckh(engine: Engine, bodies: Sequence[Body], *, flip: bool = True) -> BodyEvaluation:
    """PCKh@0.5 of people whose head's size is known. Raises DatasetError if one's is not."""
    if unknown := next((body for body in bodies if body.head_size <= 0), None):
        raise DatasetError(f"{unknown.sample.name}: the head's size is not known; PCKh needs it")
    evaluation = _predict(engine, bodies, flip)
    truth = np.stack([np.asarray(body.sample.landmarks, np.float64) for body in bodies])
    summary = pckh_summary(head_errors(evaluation.points, truth, np.array([body.head_size for body in bodies])))
    return _with(evaluation, {"PCKh@0.5": summary.mean, **summary.groups, "PCKh@0.1": summary.mean_at_10})


def coco_results(evaluation: BodyEvaluation) -> list[dict[str, Any]]:
    """COCO's result format: people scored by box and landmarks, doubles dropped picture by picture (HRNet)."""
    sure = evaluation.scores > MIN_LANDMARK_SCORE
    mean_N = np.where(sure, evaluation.scores, 0).sum(axis=1) / np.maximum(sure.sum(axis=1), 1)
    scores_N = np.array([body.box_score for body in evaluation.bodies]) * mean_N
    by_picture = sorted(range(len(evaluation.bodies)), key=lambda n: evaluation.bodies[n].image_id)
    results = []
    for image_id, group in groupby(by_picture, key=lambda n: evaluation.bodies[n].image_id):
        rows = np.array(list(group))
        for kept in oks_nms(evaluation.points[rows], scores_N[rows], evaluation.areas[rows], MAX_OKS):
            row = rows[kept]
            triples = np.column_stack([evaluation.points[row], evaluation.scores[row]])
            person = {"image_id": image_id, "category_id": coco_body.PERSON, "score": float(scores_N[row])}
            results.append({**person, "keypoints": [round(float(value), 3) for value in triples.ravel()]})
    return results


def _with(evaluation: BodyEvaluation, figures: dict[str, float]) -> BodyEvaluation:
    return BodyEvaluation(
        evaluation.model, evaluation.bodies, evaluation.points, evaluation.scores, evaluation.areas, figures
    )


def _predict(engine: Engine, bodies: Sequence[Body], flip: bool, batch_size: int = 32) -> BodyEvaluation:
    if not bodies:
        raise DatasetError(f"{engine.spec.name}: nobody to evaluate on")
    read = _flip_reader(engine) if flip else _plain_reader(engine)
    rois = [roi_of(body.sample) for body in bodies]
    points, scores = [], list[NDArray[np.float64]]()
    for start in range(0, len(bodies), batch_size):
        few = slice(start, start + batch_size)
        people = zip(bodies[few], rois[few], strict=True)
        cut = cut_each(engine.spec, ((body.sample.read_image(), roi) for body, roi in people))
        decoded = read(cut.crops)
        points.append(cut.points_back(decoded.points))
        scores.append(np.asarray(decoded.score, np.float64))
    areas: NDArray[np.float64] = np.array([roi.side**2 for roi in rois], np.float64)
    return BodyEvaluation(engine.spec.name, tuple(bodies), np.concatenate(points), np.concatenate(scores), areas, {})


Reader = Callable[[ImageArray], Decoded]


def _plain_reader(engine: Engine) -> Reader:
    def read(crops: ImageArray) -> Decoded:
        batch = engine(crops)
        return Decoded(batch.points, batch.covariance, batch.score)

    return read


def _flip_reader(engine: Engine) -> Reader:
    """Decodes the mean of the heatmaps of crops and mirrored crops; no shift, see train.targets.cells."""
    order = find_scheme(engine.spec.scheme).flip_order
    decode = DECODERS[engine.spec.decoder]

    def read(crops: ImageArray) -> Decoded:
        plain = engine(crops, heatmaps=True).heatmaps
        mirrored = engine(np.ascontiguousarray(crops[:, :, ::-1]), heatmaps=True).heatmaps
        assert plain is not None
        assert mirrored is not None
        return decode((plain + mirrored[:, order, :, ::-1]) / 2, engine.spec.stride)

    return read
