"""The record of each video of an evaluation, and of all of them together."""

# T annotated frames

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from startrack.tracker.metrics.stability import Stability
from startrack.train.metrics.nme import Float64Array, NormaliserName
from startrack.train.sets.ibug_300vw import category_of
from startrack.train.sets.ibug_300vw_protocol import (
    CATEGORIES,
    FRAME_COUNTS,
    RAW_FRAMES,
    SCORED_FRAMES,
    TRAIN_FRAMES,
    TRAIN_IDS,
)
from startrack.train.video_evaluation.measures import MEASURES, ErrorFigures, error_figures, mean_stability


@dataclass(frozen=True, slots=True)
class Seconds:
    """Wall time of one video."""

    decode: float = 0.0
    detect: float = 0.0
    crop: float = 0.0
    engine: float = 0.0
    smooth: float = 0.0
    total: float = 0.0
    """All of them, scoring and the pictures of the worst frames; not the reading of annotations and of the model."""


@dataclass(frozen=True, slots=True, eq=False)
class WorstFrame:
    """A frame among the video's worst."""

    number: int
    """From 1."""
    nme: float
    """68 landmarks, inter-ocular, as a ratio; nan if the face is missing."""
    jpeg: bytes
    """Picture of the face with the true and the found landmarks."""


@dataclass(frozen=True, slots=True)
class CausalFigures:
    """The smoother without look-ahead on a video, or the mean over several."""

    nme_percent: float
    """68 landmarks, inter-ocular, mean over the scored frames with the face."""
    stability: Stability


@dataclass(frozen=True, slots=True, eq=False)
class VideoResult:
    """One video, measured. Its size hardly grows with the video: points are not kept."""

    id: str
    numbers: NDArray[np.int64]
    """(T,) annotated frames, from 1."""
    scored: NDArray[np.bool_]
    """(T,) whether they count."""
    errors: Mapping[tuple[int, NormaliserName], Float64Array]
    """Each of MEASURES → (T,) NME as a ratio; NaN where the face is missing."""
    stability: Stability
    """Of the scored frames."""
    seconds: Seconds
    decoded: int
    """Frames in the video."""
    worst: tuple[WorstFrame, ...] = ()
    """Of different moments, worst first."""
    note: str = ""
    """The fault of the video; empty if there was none."""
    causal: CausalFigures | None = None
    """None where nothing looked ahead."""

    @property
    def category(self) -> str:
        return category_of(self.id)

    @property
    def expected(self) -> int | None:
        """Annotated frames as published; None for training videos, of which only the sum is known."""
        return FRAME_COUNTS.get(self.id)

    @property
    def unannotated(self) -> int:
        """Frames of the video without annotation: shown to the tracker, not counted."""
        return self.decoded - int((self.numbers <= self.decoded).sum())

    @property
    def beyond(self) -> int:
        """Annotated frames that the video does not have: counted as missing."""
        return int((self.numbers > self.decoded).sum())

    def scored_errors(self, measure: tuple[int, NormaliserName] = (68, "inter_ocular")) -> Float64Array:
        """NME of the scored frames."""
        return self.errors[measure][self.scored]

    @property
    def coverage(self) -> float:
        """Share of the scored frames with the face, 0..1; nan without a scored frame."""
        errors = self.scored_errors()
        return float(np.isfinite(errors).mean()) if len(errors) else float("nan")


@dataclass(frozen=True, slots=True)
class Counts:
    """Whether a category is as published."""

    videos: int
    expected_videos: int
    annotated: int
    expected_annotated: int
    """Before exclusions."""
    scored: int
    expected_scored: int

    @property
    def complete(self) -> bool:
        return (self.videos, self.annotated, self.scored) == (
            self.expected_videos,
            self.expected_annotated,
            self.expected_scored,
        )


@dataclass(frozen=True, slots=True, eq=False)
class SetFigures:
    """The figures of one category, or of all videos."""

    counts: Counts
    coverage: float
    """Share of the scored frames with the face, per cent."""
    measures: Mapping[tuple[int, NormaliserName], ErrorFigures]
    stability: Stability
    """Mean over the videos."""
    seconds: Seconds
    decoded: int
    causal: CausalFigures | None = None
    """Means over the videos; None where nothing looked ahead."""


def published_counts(category: str) -> tuple[int, int, int]:
    """Videos, annotated frames, scored frames of a category, of "train" or of "all" tests."""
    if category == "train":
        return len(TRAIN_IDS), TRAIN_FRAMES, TRAIN_FRAMES
    names = list(CATEGORIES) if category == "all" else [category]
    return (
        sum(len(CATEGORIES[name]) for name in names),
        sum(RAW_FRAMES[name] for name in names),
        sum(SCORED_FRAMES[name] for name in names),
    )


def set_figures(category: str, videos: Iterable[VideoResult]) -> SetFigures:
    """category: the name whose published counts are compared."""
    chosen = list(videos)
    expected_videos, expected_annotated, expected_scored = published_counts(category)
    scored = sum(int(video.scored.sum()) for video in chosen)
    seen = sum(int(np.isfinite(video.scored_errors()).sum()) for video in chosen)
    return SetFigures(
        counts=Counts(
            videos=len(chosen),
            expected_videos=expected_videos,
            annotated=sum(len(video.numbers) for video in chosen),
            expected_annotated=expected_annotated,
            scored=scored,
            expected_scored=expected_scored,
        ),
        coverage=100 * seen / scored if scored else float("nan"),
        measures={each: error_figures([video.scored_errors(each) for video in chosen]) for each in MEASURES},
        stability=mean_stability([video.stability for video in chosen]),
        seconds=Seconds(*(sum(getattr(video.seconds, name) for video in chosen) for name in asdict(Seconds()))),
        decoded=sum(video.decoded for video in chosen),
        causal=mean_causal([video.causal for video in chosen if video.causal]),
    )


def mean_causal(videos: list[CausalFigures]) -> CausalFigures | None:
    """Mean over the videos, NME over those in which the face is seen; None for no video."""
    if not videos:
        return None
    known = [each.nme_percent for each in videos if np.isfinite(each.nme_percent)]
    stable = mean_stability([each.stability for each in videos])
    return CausalFigures(float(np.mean(known)) if known else float("nan"), stable)


def figures_by_category(videos: Iterable[VideoResult]) -> dict[str, SetFigures]:
    """Each category that has a video, in the protocol's order, then "all" tests together if there are several."""
    chosen = list(videos)
    names = [name for name in (*CATEGORIES, "train") if any(video.category == name for video in chosen)]
    figures = {name: set_figures(name, [video for video in chosen if video.category == name]) for name in names}
    if len(names) > 1:
        figures["all"] = set_figures("all", chosen)
    return figures


def problems(videos: Iterable[VideoResult], missing: Iterable[str]) -> list[str]:
    """Deviations from the published set, a line each; empty for the whole data set."""
    lines = [f"{video_id}: missing" for video_id in missing]
    for video in videos:
        if video.expected is not None and len(video.numbers) != video.expected:
            lines.append(f"{video.id}: {len(video.numbers)} annotated frames, {video.expected} expected")
        if video.beyond:
            lines.append(f"{video.id}: {video.beyond} annotated frames beyond the video's {video.decoded}: missing")
        if video.unannotated:
            lines.append(f"{video.id}: {video.unannotated} frames without annotation: not counted")
        if not len(video.scored_errors()):
            lines.append(f"{video.id}: no scored frame")
        elif not video.coverage:
            lines.append(f"{video.id}: the face was never found; in no mean NME, all its frames are failures")
        if video.note:
            lines.append(f"{video.id}: {video.note}")
    return lines


def measure_name(measure: tuple[int, NormaliserName]) -> str:
    """ "68_inter_ocular"."""
    return f"{measure[0]}_{measure[1]}"


def nan_to_none(value: Any) -> Any:
    """The same nesting with null in place of nan, which JSON does not know."""
    match value:
        case float():
            return value if np.isfinite(value) else None
        case dict():
            return {key: nan_to_none(entry) for key, entry in value.items()}
        case list() | tuple():
            return [nan_to_none(entry) for entry in value]
        case _:
            return value
