"""Any engine on any test set → results: one crop per face, cut where the conditions say."""

# N faces, K landmarks

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from startrack.engines.base import Engine, LandmarkBatch, ModelSpec
from startrack.tracker.crop import Affine, bounding_box, roi_from_box, roi_from_points
from startrack.tracker.cut import cut_each
from startrack.tracker.model_scheme import scheme_of
from startrack.tracker.schemes import LandmarkScheme
from startrack.tracker.types import FaceBox, Roi
from startrack.train.evaluation.flip_test import run_with_flip
from startrack.train.evaluation.measure import Crop, EvalConditions, Evaluation
from startrack.train.metrics.nme import NORMALISERS
from startrack.train.metrics.protocols import PLAIN_PROTOCOL, SCHEME_PROTOCOLS, EvalProtocol
from startrack.train.sets.sample import DatasetError, Sample
from startrack.train.sets.star_crop import roi_from_tight_box

PLAIN_CONDITIONS = EvalConditions()


def evaluate(
    engine: Engine,
    samples: Sequence[Sample],
    *,
    batch_size: int = 32,
    protocol: EvalProtocol | None = None,
    scheme: LandmarkScheme | None = None,
    conditions: EvalConditions = PLAIN_CONDITIONS,
) -> Evaluation:
    """Run an engine on every face of a test set.

    scheme: of the samples, if more is known of it than the model file says; None: the model's. protocol: None for the
    scheme's own. Raises DatasetError for an empty test set, an unreadable picture, another number of landmarks than
    the model's, a face without the points that the crop or the normaliser needs; EngineError comes from the engine.
    """
    scheme = scheme or scheme_of(engine.spec)
    protocol = protocol or SCHEME_PROTOCOLS.get(scheme.name, PLAIN_PROTOCOL)
    _check(engine.spec, samples, scheme, protocol)
    if conditions.flip and not scheme.flip_pairs:
        raise DatasetError(f"{engine.spec.name}: no flip test: nothing says which landmarks of {scheme.name} are pairs")
    run = _Run(engine, scheme, conditions)
    rois = [crop_roi(each, engine.spec, conditions.crop) for each in samples]
    starts = range(0, len(samples), batch_size)
    answers = [run(samples[start : start + batch_size], rois[start : start + batch_size]) for start in starts]
    batches = [batch for batch, _ in answers]
    return Evaluation(
        model=engine.spec.name,
        scheme=scheme,
        protocol=protocol,
        samples=tuple(samples),
        points=np.concatenate([batch.points for batch in batches]),
        covariance=np.concatenate([batch.covariance for batch in batches]),
        score=np.concatenate([batch.score for batch in batches]),
        presence=np.concatenate([batch.presence for batch in batches]),
        affines=tuple(affine for _, affines in answers for affine in affines),
        crop_size=engine.spec.input_size,
        conditions=conditions,
    )


def crop_roi(sample: Sample, spec: ModelSpec, crop: Crop) -> Roi:
    """The square that a face is cut out by; unrotated.

    "landmarks": on the centre of the true landmarks' bounding box, spec.crop_scale times its larger side. "published":
    the data set's own square or, if it has a box instead, that box in place of the landmarks'. "star": the data set's
    own square or, if it has none, the STAR demo's: 1.05 times the smaller side of the landmarks' box. Raises
    DatasetError if nothing is published, or no landmark is annotated.
    """
    if crop != "landmarks" and sample.roi is not None:
        return sample.roi
    if not sample.annotated.any():
        raise DatasetError(f"{sample.name}: no landmark is annotated; expected one or more")
    known = np.asarray(sample.landmarks, np.float64)[sample.annotated]
    match crop:
        case "landmarks":
            return roi_from_points(known, spec.crop_scale)
        case "star":
            return roi_from_tight_box(bounding_box(known))
        case "published":
            if sample.box is None:
                raise DatasetError(f"{sample.path}: its data set publishes no box; expected --crop landmarks")
            return roi_from_box(FaceBox(sample.box, 1.0), spec.crop_scale)


def _check(spec: ModelSpec, samples: Sequence[Sample], scheme: LandmarkScheme, protocol: EvalProtocol) -> None:
    if not samples:
        raise DatasetError(f"{spec.name}: no face to evaluate on")
    for sample in samples:
        if np.shape(sample.landmarks) != (spec.num_landmarks, 2):
            raise DatasetError(
                f"{sample.path}: landmarks of shape {np.shape(sample.landmarks)}, "
                f"{spec.name} predicts {spec.num_landmarks}"
            )
        try:
            unit = float(NORMALISERS[protocol.normaliser](sample.landmarks[None], scheme)[0])
        except ValueError as error:
            raise DatasetError(f"{spec.name}: {error}") from error
        if not unit > 0:
            raise DatasetError(f"{sample.name}: its {protocol.normaliser} distance is {unit}; expected more than 0")


@dataclass(frozen=True)
class _Run:
    engine: Engine
    scheme: LandmarkScheme
    conditions: EvalConditions

    def __call__(self, samples: Sequence[Sample], rois: Sequence[Roi]) -> tuple[LandmarkBatch, tuple[Affine, ...]]:
        """Landmarks of a few faces, in pixels of their pictures, and the affines picture → crop."""
        faces = zip(samples, rois, strict=True)
        cut = cut_each(self.engine.spec, ((sample.read_image(), roi) for sample, roi in faces))
        batch = run_with_flip(self.engine, cut.crops, self.scheme) if self.conditions.flip else self.engine(cut.crops)
        points, covariance = cut.points_back(batch.points), cut.covariance_back(batch.covariance)
        return replace(batch, points=points, covariance=covariance), cut.affines  # type: ignore[arg-type]
