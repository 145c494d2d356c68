"""Any engine on any test set → results: one crop per face from the true box, NME in the picture."""

# N faces, K landmarks

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from engines.base import Engine, LandmarkBatch, ModelSpec
from tracker.crop import (
    crop_affine,
    cut_crop,
    invert_affine,
    roi_from_points,
    transform_covariance,
    transform_points,
)
from tracker.schemes import SCHEMES, LandmarkScheme
from tracker.types import FloatArray
from train.data.sample import DatasetError, Sample
from train.metrics.nme import (
    IBUG_300W_PROTOCOL,
    NORMALISERS,
    EvalProtocol,
    Float64Array,
    NmeSummary,
    bootstrap_interval,
    ellipse_coverage,
    landmark_errors,
    summarise,
)


@dataclass(frozen=True, eq=False)
class Evaluation:
    """What a model predicted on a test set, face by face; every figure follows from it."""

    model: str
    """ModelSpec.name."""
    scheme: LandmarkScheme
    protocol: EvalProtocol
    samples: tuple[Sample, ...]
    """N faces."""
    points: FloatArray
    """(N, K, 2) predicted landmarks, pixels of the stored picture."""
    covariance: FloatArray
    """(N, K, 2, 2) px² of the stored picture."""
    score: FloatArray
    """(N, K) 0..1."""
    presence: FloatArray
    """(N,) 0..1."""

    @cached_property
    def truth(self) -> Float64Array:
        """(N, K, 2) true landmarks, pixels of the stored picture."""
        return np.stack([np.asarray(sample.landmarks, np.float64) for sample in self.samples])

    @cached_property
    def errors(self) -> Float64Array:
        """(N, K) distance of each landmark over the protocol's normaliser, as a ratio."""
        normaliser_N = NORMALISERS[self.protocol.normaliser](self.truth, self.scheme)
        return landmark_errors(self.points, self.truth, normaliser_N)

    @property
    def nme(self) -> Float64Array:
        """(N,) NME of each face, as a ratio."""
        nme_N: Float64Array = self.errors.mean(axis=1)
        return nme_N

    @property
    def inner_nme(self) -> Float64Array:
        """(N,) NME over the protocol's inner landmarks (all of them if it names none), as a ratio."""
        inner_N: Float64Array = self.errors[:, list(self.protocol.inner) or slice(None)].mean(axis=1)
        return inner_N

    @property
    def subsets(self) -> tuple[str, ...]:
        """Names of the subsets in it, in the order of first appearance."""
        return tuple(dict.fromkeys(sample.subset for sample in self.samples))

    def of_subset(self, subset: str) -> Evaluation:
        """The faces of one subset. Raises DatasetError if there is none."""
        rows = [row for row, sample in enumerate(self.samples) if sample.subset == subset]
        if not rows:
            raise DatasetError(f"no face of subset {subset!r}; expected one of {', '.join(self.subsets)}")
        return replace(
            self,
            samples=tuple(self.samples[row] for row in rows),
            points=self.points[rows],
            covariance=self.covariance[rows],
            score=self.score[rows],
            presence=self.presence[rows],
        )

    def summary(self) -> NmeSummary:
        """NME, FR and AUC over all faces, in per cent."""
        return summarise(self.nme)

    def coverage(self, level: float) -> float:
        """Share of the true landmarks inside the predicted ellipse of that level; `level` itself if it is honest."""
        return ellipse_coverage(self.truth - self.points, self.covariance, level)

    def to_json(self) -> str:
        """Everything measured as indented JSON: NmeSummary's fields on top, in per cent, then what explains them.

        interval95 is the bootstrap interval of nme; per_landmark is in per cent, in the scheme's order; per_face maps
        the sample's name to its NME; coverage50 and coverage90 are the shares of true landmarks inside the predicted
        50 % and 90 % ellipses, in per cent.
        """
        low, high = bootstrap_interval(self.nme)
        figures: dict[str, Any] = {
            **asdict(self.summary()),
            "interval95": [100 * low, 100 * high],
            "model": self.model,
            "protocol": self.protocol.name,
            "normaliser": self.protocol.normaliser,
            "coverage50": 100 * self.coverage(0.5),
            "coverage90": 100 * self.coverage(0.9),
            "presence": float(np.mean(self.presence)),
            "subsets": {name: asdict(self.of_subset(name).summary()) for name in self.subsets},
            "per_landmark": (100 * self.errors.mean(axis=0)).tolist(),
            "per_face": {sample.name: 100 * float(nme) for sample, nme in zip(self.samples, self.nme, strict=True)},
        }
        if self.protocol.inner:
            figures[f"nme{len(self.protocol.inner)}"] = 100 * float(self.inner_nme.mean())
        return json.dumps(_rounded(figures), indent=2)

    def write_json(self, path: Path) -> None:
        """Write to_json to a file."""
        path.write_text(self.to_json() + "\n", encoding="utf-8")


def evaluate(
    engine: Engine,
    samples: Sequence[Sample],
    *,
    batch_size: int = 32,
    protocol: EvalProtocol = IBUG_300W_PROTOCOL,
) -> Evaluation:
    """Run an engine on every face of a test set.

    Each face is cut out by its true box: unrotated, on the centre of the landmarks' bounding box, with a side of
    spec.crop_scale times the larger side of it. Raises DatasetError for an empty test set, an unreadable picture or
    another number of landmarks than the model's; EngineError comes from the engine.
    """
    if not samples:
        raise DatasetError(f"{engine.spec.name}: no face to evaluate on")
    for sample in samples:
        if np.shape(sample.landmarks) != (engine.spec.num_landmarks, 2):
            raise DatasetError(
                f"{sample.path}: landmarks of shape {np.shape(sample.landmarks)}, "
                f"{engine.spec.name} predicts {engine.spec.num_landmarks}"
            )
    starts = range(0, len(samples), batch_size)
    batches = [_run_batch(engine, samples[start : start + batch_size]) for start in starts]
    return Evaluation(
        model=engine.spec.name,
        scheme=SCHEMES[engine.spec.scheme],
        protocol=protocol,
        samples=tuple(samples),
        points=np.concatenate([batch.points for batch in batches]),
        covariance=np.concatenate([batch.covariance for batch in batches]),
        score=np.concatenate([batch.score for batch in batches]),
        presence=np.concatenate([batch.presence for batch in batches]),
    )


def _run_batch(engine: Engine, samples: Sequence[Sample]) -> LandmarkBatch:
    """Landmarks of a few faces, in pixels of their pictures."""
    spec = engine.spec
    affines = [crop_affine(roi_from_points(sample.landmarks, spec.crop_scale), spec.input_size) for sample in samples]
    crops = [_crop(sample, affine, spec) for sample, affine in zip(samples, affines, strict=True)]
    batch = engine(np.stack(crops))
    back = [invert_affine(affine) for affine in affines]
    points = [transform_points(inverse, each) for inverse, each in zip(back, batch.points, strict=True)]
    covariance = [transform_covariance(inverse, each) for inverse, each in zip(back, batch.covariance, strict=True)]
    return replace(batch, points=np.stack(points), covariance=np.stack(covariance))


def _crop(sample: Sample, affine: Float64Array, spec: ModelSpec) -> Any:
    crop = cut_crop(sample.read_image(), affine, spec.input_size)
    return crop if spec.colour_order == "rgb" else crop[..., ::-1]


def _rounded(value: Any) -> Any:
    """Floats to 4 decimals, so that a results file stays readable and its diffs small."""
    match value:
        case float():
            return round(value, 4)
        case dict():
            return {key: _rounded(entry) for key, entry in value.items()}
        case list():
            return [_rounded(entry) for entry in value]
        case _:
            return value
