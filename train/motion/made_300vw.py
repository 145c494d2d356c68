"""A small data set in the published layout of 300VW, of still faces in known motion or of rendered heads."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import zip_longest
from pathlib import Path
from typing import Any

from startrack.tracker.sinks.base import SinkError
from startrack.train.motion.clips import MotionClip, Scenario, choose_faces, make_clip, write_clip
from startrack.train.sets.ibug_300vw import ANNOTATIONS, VIDEO
from startrack.train.sets.ibug_300vw_protocol import CATEGORIES
from startrack.train.sets.pts import write_pts
from startrack.train.sets.sample import DatasetError, Sample
from startrack.whole_file import whole_folder, write_whole

RECORD = "made.json"
"""Arguments that the videos were made with, next to their folders."""


def made_ids(count: int) -> list[str]:
    """Ids of test videos, category 1, 2, 3, 1, … in turn. Raises DatasetError for more than there are."""
    turns = [video_id for ids in zip_longest(*CATEGORIES.values()) for video_id in ids if video_id]
    if not 1 <= count <= len(turns):
        raise DatasetError(f"{count} videos; expected 1 to {len(turns)}, as many as 300VW tests")
    return turns[:count]


@dataclass(frozen=True, slots=True, eq=False)
class Series:
    """Clips to be made, and what they are made of."""

    made_of: dict[str, Any]
    """Plain values that tell one series from another."""
    make: Callable[[int], MotionClip]
    """Number from 0 → clip."""


def of_still_faces(
    samples: Sequence[Sample], scenario: Scenario, *, videos: int, frames: int, fps: float = 30.0
) -> Series:
    """One clip of each of so many faces that can be set in motion. Raises DatasetError if there are too few."""
    faces, lasting = choose_faces(samples, videos), replace(scenario, seconds=frames / fps)
    made_of = {"motion": scenario.name, "frames": frames, "fps": fps, "faces": [face.name for face in faces]}
    return Series(made_of, lambda number: make_clip(faces[number], lasting, fps=fps))


def make_300vw(root: Path, series: Series, *, videos: int) -> Iterator[str]:
    """Write NNN/vid.avi and NNN/annot/000001.pts … one video after the other, and yield each id when it is done.

    The videos bear ids of the test videos, so that categories and excluded frames hold for them too. A video appears
    whole; those that an earlier run with the same arguments made stay as they are, so a run that was ended goes on.
    Raises DatasetError if a video of other arguments is there already, SinkError where nothing can be written.
    """
    ids = made_ids(videos)
    _begin(root, ids, series.made_of)
    for number, video_id in enumerate(ids):
        if not (root / video_id).is_dir():
            _make(root / video_id, series.make(number))
        yield video_id


def _begin(root: Path, ids: Sequence[str], made_of: dict[str, Any]) -> None:
    """Record the arguments of the set, or find that an earlier run had the same."""
    text, record = json.dumps(made_of, indent=1) + "\n", root / RECORD
    taken = next((root / video_id for video_id in ids if (root / video_id).exists()), None)
    if taken and not (record.is_file() and record.read_bytes() == text.encode()):
        raise DatasetError(f"{taken}: exists already; expected a new folder, or the arguments it was made with")
    try:
        root.mkdir(parents=True, exist_ok=True)
        write_whole(record, text)
    except OSError as error:
        raise SinkError(f"{root}: cannot be written: {error.strerror}") from error


def _make(folder: Path, clip: MotionClip) -> None:
    with whole_folder(folder) as partial:
        (partial / ANNOTATIONS).mkdir()
        write_clip(clip, partial / VIDEO)
        for number, points in enumerate(clip.landmarks, start=1):
            write_pts(partial / ANNOTATIONS / f"{number:06d}.pts", points)
