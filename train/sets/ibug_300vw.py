"""300VW as published (Shen et al., ICCV Workshops 2015): videos, and a .pts file of 68 landmarks for every frame.

Frame 1 of the annotation is the video's first. Coordinates count from 1 like those of 300W, and 1 is subtracted
likewise, so that a model trained on the one is measured fairly on the other; some published code subtracts in neither.
"""

# T annotated frames, K landmarks

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from startrack.tracker.schemes import IBUG_68
from startrack.tracker.types import FloatArray
from startrack.train.sets.ibug_300vw_protocol import CATEGORIES, EXCLUDED, TRAIN_IDS
from startrack.train.sets.pts import read_pts
from startrack.train.sets.sample import DatasetError, Sample
from startrack.train.sets.video_picture import VideoFrames, VideoPicture

SPLITS = ("train", *CATEGORIES, "test")
VIDEO = "vid.avi"
ANNOTATIONS = "annot"


@dataclass(frozen=True, eq=False)
class AnnotatedVideo:
    """A video and the landmarks of its one annotated face."""

    id: str
    """Three digits."""
    path: Path
    numbers: NDArray[np.int64]
    """(T,) frames, counted from 1, ascending: frame n is Frame.index n - 1 of the video."""
    landmarks: FloatArray
    """(T, K, 2) pixels of the frame, 0-based."""

    @cached_property
    def scored(self) -> NDArray[np.bool_]:
        """(T,) whether the frame counts in the benchmark."""
        scored = np.ones(len(self.numbers), bool)
        for first, last in EXCLUDED.get(self.id, ()):
            scored &= (self.numbers < first) | (self.numbers > last)
        return scored


def video_ids(split: str) -> tuple[str, ...]:
    """The videos of one of SPLITS; "test" is the three categories. Raises DatasetError for another name."""
    match split:
        case "train":
            return TRAIN_IDS
        case "test":
            return tuple(each for ids in CATEGORIES.values() for each in ids)
        case _ if split in CATEGORIES:
            return CATEGORIES[split]
        case _:
            raise DatasetError(f"300VW has no split {split!r}; expected one of {', '.join(SPLITS)}")


def category_of(video_id: str) -> str:
    """The subset of a video: "category1", "category2", "category3" or "train"."""
    return next((name for name, ids in CATEGORIES.items() if video_id in ids), "train")


def read_annotations(root: Path, video_id: str) -> AnnotatedVideo:
    """Every annotated frame of a video, also those that are not scored.

    root: the folder that holds the videos' folders. Raises DatasetError for a missing video or annotation and for
    files that are not as published.
    """
    folder = root / video_id
    if not (folder / VIDEO).is_file():
        raise DatasetError(f"{folder / VIDEO}: no such file; expected the published layout of 300VW")
    files = sorted((folder / ANNOTATIONS).glob("*.pts"))
    if not files:
        raise DatasetError(f"{folder / ANNOTATIONS}: no .pts file in it; expected the published layout of 300VW")
    for file in files:
        if not (file.stem.isdecimal() and len(file.stem) == 6 and int(file.stem)):
            raise DatasetError(f"{file}: expected a frame's number as six digits, from 000001")
    return AnnotatedVideo(
        id=video_id,
        path=folder / VIDEO,
        numbers=np.array([int(file.stem) for file in files]),
        landmarks=np.array([read_pts(file, IBUG_68.num_landmarks) for file in files], np.float64),
    )


def load(root: Path, split: str, *, step: int = 1) -> list[Sample]:
    """The frames of a split (one of SPLITS), video by video: all of "train", in the test videos those that are scored.

    step: take one frame in so many; neighbours resemble each other. Raises DatasetError as read_annotations does.
    """
    frames = VideoFrames()
    return [
        sample for video_id in video_ids(split) for sample in _samples(read_annotations(root, video_id), frames)[::step]
    ]


def _samples(video: AnnotatedVideo, frames: VideoFrames) -> list[Sample]:
    return [
        Sample(
            path=video.path,
            landmarks=points,
            subset=category_of(video.id),
            entry=f"{number:06d}",
            picture=VideoPicture(frames, video.path, int(number) - 1),
        )
        for number, points in zip(video.numbers[video.scored], video.landmarks[video.scored], strict=True)
    ]
