"""A picture, a folder or a glob of pictures → frames, in natural order: a video, or pictures of their own."""

from __future__ import annotations

import glob
import itertools
import math
import re
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from pathlib import Path

from startrack.tracker.types import Frame, ImageArray
from startrack.tracker.video.base import LIVE_TIME_BASE, SourceError, VideoInfo, VideoStream
from startrack.tracker.video.part import Part, Sampler
from startrack.tracker.video.picture_file.read import SUFFIXES, PictureFile

PICTURES_PER_SECOND = 25
"""Pictures have no times of their own: time_s = index / 25 where nothing else is asked."""
MOST_IN_ROW = 0.9
"""Share of steps between numbers in names that are the usual one, from which pictures are a video's frames."""
VIDEO_SUFFIXES = frozenset(
    {".mp4", ".mov", ".m4v", ".mkv", ".webm", ".avi", ".mpg", ".mpeg", ".ts", ".mts", ".wmv", ".flv", ".gif", ".3gp"}
)
"""What counts as a video in a folder or glob."""
NUMBER = re.compile(r"%(0(\d+))?d")
"""The number in a pattern, as FFmpeg spells it: img%04d.png."""


def videos_of(source: str) -> list[str]:
    """The videos of a folder without pictures, or of a glob, in natural order; none where a source is anything else."""
    path = Path(source)
    if "://" in source or path.is_file():
        return []
    if path.is_dir():
        entries = [entry for entry in path.iterdir() if not entry.name.startswith(".") and entry.is_file()]
        if any(entry.suffix.lower() in SUFFIXES for entry in entries):
            return []
    else:
        entries = [Path(match) for match in glob.glob(source)] if glob.has_magic(source) else []
    videos = [entry for entry in entries if entry.suffix.lower() in VIDEO_SUFFIXES]
    return [str(entry) for entry in sorted(videos, key=_natural_order)]


def is_pictures(source: str) -> bool:
    """Whether a source names pictures: an existing folder, a picture's suffix, or a glob."""
    path = Path(source)
    if path.exists():
        return path.is_dir() or path.suffix.lower() in SUFFIXES
    if "://" in source:
        return False
    named = path.suffix.lower()
    return named in SUFFIXES or (glob.has_magic(source) and named not in VIDEO_SUFFIXES)


def read_pictures(
    path: str | Path,
    *,
    fps: float | None = None,
    stills: bool | None = None,
    sample_fps: float | None = None,
    report: Callable[[str], None] = lambda _: None,
) -> VideoStream:
    """One picture, or those of a folder, glob or pattern sorted naturally (2 before 10); sizes may differ.

    fps: pictures per second, which makes them a video; by default PICTURES_PER_SECOND, or of an animation its own
    times. stills: whether they have nothing to do with each other (VideoInfo.stills); by default they have where their
    names are numbered without gaps, of a pattern and of an animation. sample_fps: take at most so many of a second.
    report: called with a line where numbers in names made a video of pictures, and for each that cannot be read.

    Raises SourceError if there are none; after all others, naming it, where one cannot be read or is too large.
    """
    name = str(path)
    Part(sample_fps=sample_fps).check(name)
    if fps is not None and not (math.isfinite(fps) and fps > 0):
        raise SourceError(f"{name}: {fps} pictures a second; expected a number above 0")
    paths = _paths(name)
    alone = PictureFile(paths[0]) if len(paths) == 1 else None
    is_animation = alone is not None and alone.is_animated
    are_numbered = len(paths) > 1 and (NUMBER.search(Path(name).name) is not None or count_up(paths))
    if stills is None:
        stills = fps is None and not is_animation and not are_numbered
        if are_numbered and fps is None:
            how = f"a video of {PICTURES_PER_SECOND} a second"
            report(f"{name}: the names count up, so the pictures are read as {how}; --stills reads each for itself")
    if stills and sample_fps is not None:
        raise SourceError(f"{name}: {sample_fps:g} frames a second asked of single pictures; expected a video")
    rate = PICTURES_PER_SECOND if fps is None else fps
    if alone is not None and is_animation and fps is None:
        frames = _animation(alone, sample_fps)
    else:
        frames = _frames(_images(name, paths, report), rate, sample_fps)
    first = next(frames)
    step = Part(sample_fps=sample_fps).rate(None if is_animation and fps is None else rate)
    info = VideoInfo(
        name=name,
        width=first.width,
        height=first.height,
        fps=step,
        frame_count=None if is_animation or step is None else max(1, round(len(paths) * step / rate)),
        duration_s=None if is_animation else len(paths) / rate,
        time_base=LIVE_TIME_BASE,
        is_live=False,
        has_audio=False,
        stills=stills,
    )
    return VideoStream(info, _resume(first, frames))


def _resume(first: Frame, frames: Iterator[Frame]) -> Generator[Frame]:
    yield first
    yield from frames


def _animation(file: PictureFile, sample_fps: float | None) -> Generator[Frame]:
    index, sampler = 0, Sampler(sample_fps)
    for image, begins_s, _ in file.frames():
        if sampler.takes(begins_s):
            yield Frame(image, index, begins_s)
            index += 1


def _frames(images: Iterable[ImageArray | None], fps: float, sample_fps: float | None) -> Generator[Frame]:
    index, sampler = 0, Sampler(sample_fps)
    for number, image in enumerate(images):
        if image is not None and sampler.takes(number / fps):
            yield Frame(image, index, number / fps)
            index += 1


def _images(name: str, paths: list[Path], report: Callable[[str], None]) -> Iterator[ImageArray | None]:
    """Every page of every file, None for one that cannot be read. Raises SourceError at the end if there was such."""
    failures: list[SourceError] = []
    for path in paths:
        try:
            yield from PictureFile(path).pages()
        except SourceError as error:
            failures.append(error)
            if len(paths) > 1:
                report(f"{error}; the other pictures go on")
            yield None
    if len(failures) > 1:
        raise SourceError(f"{name}: {len(failures)} of {len(paths)} pictures cannot be read, the first: {failures[0]}")
    if failures:
        raise failures[0]


def count_up(paths: Sequence[Path]) -> bool:
    """Whether sorted names differ in one number only, which grows by the same step from each to the next but for a few:
    frames of a video, not pictures that happen to be numbered."""
    parts = [re.split(r"(\d+)", path.name) for path in paths]
    if len(paths) < 2 or len({len(part) for part in parts}) > 1:
        return False
    varying = [column for column in zip(*parts, strict=True) if len(set(column)) > 1]
    if len(varying) != 1 or not all(part.isdecimal() for part in varying[0]):
        return False
    numbers = [int(part) for part in varying[0]]
    steps = [after - before for before, after in itertools.pairwise(numbers)]
    usual = min(steps)
    return usual > 0 and steps.count(usual) >= MOST_IN_ROW * len(steps)


def _paths(source: str) -> list[Path]:
    path = Path(source)
    if path.is_dir():
        # macOS leaves ._name files next to pictures on foreign disks
        entries = [entry for entry in path.iterdir() if not entry.name.startswith(".")]
        files = [entry for entry in entries if entry.suffix.lower() in SUFFIXES and entry.is_file()]
        if not files:
            raise SourceError(f"{source}: a folder without pictures; expected {', '.join(sorted(SUFFIXES))}")
    elif path.exists():
        files = [path]
    else:
        files = _numbered(path) if NUMBER.search(path.name) else [Path(match) for match in glob.glob(source)]
        files = [match for match in files if match.is_file()]
        if not files:
            raise SourceError(f"{source}: no such picture; expected a picture, a folder or a glob that matches some")
    return sorted(files, key=_natural_order)


def _numbered(pattern: Path) -> list[Path]:
    """Files that a pattern such as img%04d.png names; the number may have more digits than asked for."""
    number = NUMBER.search(pattern.name)
    assert number is not None
    before, after = pattern.name[: number.start()], pattern.name[number.end() :]
    digits = rf"\d{{{number[2]},}}" if number[2] else r"\d+"
    wanted = re.compile(re.escape(before) + digits + re.escape(after))
    if not pattern.parent.is_dir():
        return []
    return [entry for entry in pattern.parent.iterdir() if wanted.fullmatch(entry.name)]


def _natural_order(path: Path) -> list[tuple[int, int, str]]:
    """Numbers in names count as numbers."""
    parts = re.findall(r"\d+|\D+", path.as_posix())
    return [(0, int(part), "") if part.isdecimal() else (1, 0, part) for part in parts]
