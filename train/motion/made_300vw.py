"""A small data set in the published layout of 300VW, made of still faces in known motion."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import zip_longest
from pathlib import Path

from startrack.train.motion.clips import Scenario, choose_faces, make_clip, write_clip
from startrack.train.sets.ibug_300vw import ANNOTATIONS, VIDEO
from startrack.train.sets.ibug_300vw_protocol import CATEGORIES
from startrack.train.sets.pts import write_pts
from startrack.train.sets.sample import DatasetError, Sample


def made_ids(count: int) -> list[str]:
    """Ids of test videos, category 1, 2, 3, 1, … in turn. Raises DatasetError for more than there are."""
    turns = [video_id for ids in zip_longest(*CATEGORIES.values()) for video_id in ids if video_id]
    if not 1 <= count <= len(turns):
        raise DatasetError(f"{count} videos; expected 1 to {len(turns)}, as many as 300VW tests")
    return turns[:count]


def make_300vw(
    root: Path, samples: Sequence[Sample], scenario: Scenario, *, videos: int, frames: int, fps: float = 30.0
) -> Iterator[str]:
    """Write NNN/vid.avi and NNN/annot/000001.pts … one video after the other, and yield each id when it is done.

    The videos bear ids of the test videos, so that categories and excluded frames hold for them too. Raises
    DatasetError if a video stands there already or there are too few faces, SinkError where nothing can be written.
    """
    ids = made_ids(videos)
    taken = next((root / video_id for video_id in ids if (root / video_id).exists()), None)
    if taken:
        raise DatasetError(f"{taken}: exists already; expected a new folder")
    lasting = replace(scenario, seconds=frames / fps)
    for video_id, sample in zip(ids, choose_faces(samples, videos), strict=True):
        clip = make_clip(sample, lasting, fps=fps)
        annotations = root / video_id / ANNOTATIONS
        annotations.mkdir(parents=True)
        write_clip(clip, root / video_id / VIDEO)
        for number, points in enumerate(clip.landmarks, start=1):
            write_pts(annotations / f"{number:06d}.pts", points)
        yield video_id
