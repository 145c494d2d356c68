"""A model's predictions on a test set, and every figure that follows from it."""

# N faces, K landmarks

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from startrack.tracker.crop import Affine, transform_points
from startrack.tracker.schemes import LandmarkScheme
from startrack.tracker.types import FloatArray
from startrack.train.metrics.nme import (
    NORMALISERS,
    Float64Array,
    NmeSummary,
    bootstrap_interval,
    ellipse_coverage,
    landmark_errors,
    star_failure_rate_and_auc,
    summarise,
)
from startrack.train.metrics.protocols import EvalProtocol
from startrack.train.metrics.rounding import rounded
from startrack.train.sets.sample import HIDDEN, VISIBLE, DatasetError, Sample
from startrack.whole_file import write_whole

Crop: TypeAlias = Literal["landmarks", "published", "star"]
ErrorFrame: TypeAlias = Literal["plain", "official"]


@dataclass(frozen=True)
class EvalConditions:
    """How a model was run and measured; part of every result, since figures of unequal conditions do not compare."""

    crop: Crop = "landmarks"
    """Where crops are cut: "landmarks", ModelSpec.crop_scale around the true landmarks; "published", the data set's own
    square, or crop_scale around its own box; "star", the square of the STAR code
    (train.evaluation.evaluate.crop_roi)."""
    frame: ErrorFrame = "plain"
    """Where errors are measured: "plain", in the picture; "official", as STAR's training and test do it, in the crop
    scaled to -1..1, true landmarks outside it moved to its border."""
    flip: bool = False
    """Whether the answer is the mean over the crop and its mirror image."""


@dataclass(frozen=True, eq=False)
class Evaluation:
    """A model's predictions on a test set, face by face; every figure follows from it."""

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
    affines: tuple[Affine, ...] = ()
    """N matrices, picture → crop; empty if unknown, which the official frame does not allow."""
    crop_size: int = 0
    """Side of the crops in pixels."""
    conditions: EvalConditions = EvalConditions()

    @cached_property
    def truth(self) -> Float64Array:
        """(N, K, 2) true landmarks, pixels of the stored picture; NaN where not annotated."""
        return np.stack([np.asarray(sample.landmarks, np.float64) for sample in self.samples])

    @cached_property
    def annotated(self) -> NDArray[np.bool_]:
        """(N, K) which true landmarks are known."""
        return np.stack([sample.annotated for sample in self.samples])

    @cached_property
    def errors(self) -> Float64Array:
        """(N, K) distance of each landmark over the protocol's normaliser, as a ratio; NaN where not annotated."""
        points, truth = self.points, self.truth
        if self.conditions.frame == "official":
            points, truth = _normalised(self.affines, points, self.crop_size), self._clamped_truth()
        normaliser_N = NORMALISERS[self.protocol.normaliser](truth, self.scheme)
        return landmark_errors(points, truth, normaliser_N, self.annotated)

    def _clamped_truth(self) -> Float64Array:
        return np.clip(_normalised(self.affines, self.truth, self.crop_size), -1, 1)

    @property
    def nme(self) -> Float64Array:
        """(N,) NME of each face over its annotated landmarks, as a ratio."""
        nme_N: Float64Array = np.nanmean(self.errors, axis=1)
        return nme_N

    @property
    def inner_nme(self) -> Float64Array:
        """(N,) NME over the protocol's inner landmarks (all of them if it names none), as a ratio."""
        inner_N: Float64Array = np.nanmean(self.errors[:, list(self.protocol.inner) or slice(None)], axis=1)
        return inner_N

    @property
    def subsets(self) -> tuple[str, ...]:
        """The subsets and attributes in it: those of the protocol in its order, then others as they appear."""
        names = dict.fromkeys(name for sample in self.samples for name in (sample.subset, *sample.attributes))
        known = [name for name in self.protocol.subsets if name in names]
        return tuple(dict.fromkeys((*known, *names)))

    def of_subset(self, subset: str) -> Evaluation:
        """The faces of one subset or attribute. Raises DatasetError if there is none."""
        rows = [row for row, sample in enumerate(self.samples) if subset in (sample.subset, *sample.attributes)]
        if not rows:
            raise DatasetError(f"no face of subset {subset!r}; expected one of {', '.join(self.subsets)}")
        return replace(
            self,
            samples=tuple(self.samples[row] for row in rows),
            points=self.points[rows],
            covariance=self.covariance[rows],
            score=self.score[rows],
            presence=self.presence[rows],
            affines=tuple(self.affines[row] for row in rows) if self.affines else (),
        )

    def summary(self) -> NmeSummary:
        """NME, FR and AUC over all faces, in per cent."""
        return summarise(self.nme)

    def coverage(self, level: float) -> float:
        """Share of the true landmarks inside the predicted ellipse of that level; `level` itself if it is honest."""
        known = self.annotated
        return ellipse_coverage((self.truth - self.points)[known], self.covariance[known], level)

    def by_visibility(self) -> dict[str, tuple[float, int]]:
        """ "visible" and "hidden" → mean error of such landmarks over all faces, as a ratio, and how many there are.

        Empty if nothing is known of what hides landmarks.
        """
        if any(sample.visibility is None for sample in self.samples):
            return {}
        visibility = np.stack([sample.visibility for sample in self.samples if sample.visibility is not None])
        chosen = {name: visibility == value for name, value in (("visible", VISIBLE), ("hidden", HIDDEN))}
        return {name: (float(self.errors[rows].mean()), int(rows.sum())) for name, rows in chosen.items() if rows.any()}

    def to_json(self, file: Mapping[str, str] | None = None) -> str:
        """Everything measured as indented JSON: NmeSummary's fields on top, in per cent, then what explains them.

        file: name and sha256 of the model's file, so that a result is known to be of it.

        interval95 is the bootstrap interval of nme; nme51 (for 51 of them) is over the protocol's inner landmarks;
        coverage50 and coverage90 are the shares of true landmarks inside the predicted 50 % and 90 % ellipses, in per
        cent: these and NmeSummary's are given for each subset too. crop, frame and flip are EvalConditions; star holds
        the failure rate and AUC as the STAR code counts them; per_landmark is in per cent, in the scheme's order, null
        where no face has the landmark; per_face maps the sample's name to its NME; by_visibility, where that is known,
        has the mean error of visible and of hidden landmarks in per cent, and their numbers.
        """
        rate, area = star_failure_rate_and_auc(self.nme, self.protocol.star_threshold)
        figures: dict[str, Any] = {
            **self._figures(),
            "model": self.model,
            **({"file": dict(file)} if file else {}),
            "protocol": self.protocol.name,
            "normaliser": self.protocol.normaliser,
            **asdict(self.conditions),
            "star": {"threshold": self.protocol.star_threshold, "fr": 100 * rate, "auc": 100 * area},
            "presence": float(np.mean(self.presence)),
            "subsets": {name: self.of_subset(name)._figures() for name in self.subsets},
            "per_landmark": self._per_landmark(),
            "per_face": {sample.name: 100 * float(nme) for sample, nme in zip(self.samples, self.nme, strict=True)},
        }
        if visibility := self.by_visibility():
            figures["by_visibility"] = {
                name: {"error": 100 * error, "landmarks": count} for name, (error, count) in visibility.items()
            }
        return json.dumps(rounded(figures), indent=2)

    def _figures(self) -> dict[str, Any]:
        """Figures of all faces, and of each subset."""
        low, high = bootstrap_interval(self.nme)
        figures: dict[str, Any] = {
            **asdict(self.summary()),
            "interval95": [100 * low, 100 * high],
            "coverage50": 100 * self.coverage(0.5),
            "coverage90": 100 * self.coverage(0.9),
        }
        inner = list(self.protocol.inner)
        if inner and self.annotated[:, inner].any(axis=1).all():
            figures[f"nme{len(inner)}"] = 100 * float(self.inner_nme.mean())
        return figures

    def _per_landmark(self) -> list[float | None]:
        counts_K = self.annotated.sum(axis=0)
        sums_K = np.nansum(self.errors, axis=0)
        return [100 * float(total / count) if count else None for total, count in zip(sums_K, counts_K, strict=True)]

    def write_json(self, path: Path) -> None:
        """Write to_json to a file."""
        write_whole(path, self.to_json() + "\n")


def _normalised(affines: tuple[Affine, ...], points_NK2: FloatArray, size: int) -> Float64Array:
    """(N, K, 2) picture pixels → -1..1 in the crop by pixel borders (train.sets.star_crop.normalise, not clamped)."""
    if len(affines) != len(points_NK2):
        raise ValueError(f"{len(points_NK2)} faces, {len(affines)} crops: the official frame needs one for each")
    crop_NK2 = np.stack([transform_points(affine, points) for affine, points in zip(affines, points_NK2, strict=True)])
    normalised_NK2: Float64Array = (2 * crop_NK2 + 1) / size - 1
    return normalised_NK2
