"""A picture, a folder or a glob of pictures → frames, in natural order, PICTURES_PER_SECOND to a second."""

from __future__ import annotations

import glob
import re
from collections.abc import Generator, Iterator
from pathlib import Path

import cv2
import numpy as np

from startrack.tracker.types import Frame, ImageArray
from startrack.tracker.video.base import LIVE_TIME_BASE, SourceError, VideoInfo, VideoStream

PICTURES_PER_SECOND = 25
"""Pictures have no times of their own: time_s = index / 25."""

SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff", ".ppm", ".pgm"})
"""What counts as a picture in a folder; a GIF is a video."""


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


def read_pictures(path: str | Path) -> VideoStream:
    """One picture, or those of a folder or glob sorted naturally (2 before 10); sizes may differ.

    Raises SourceError if there are none, and naming the picture where one cannot be read.
    """
    name = str(path)
    paths = _paths(name)
    first = load_picture(paths[0])
    info = VideoInfo(
        name=name,
        width=int(first.shape[1]),
        height=int(first.shape[0]),
        fps=float(PICTURES_PER_SECOND),
        frame_count=len(paths),
        duration_s=len(paths) / PICTURES_PER_SECOND,
        time_base=LIVE_TIME_BASE,
        is_live=False,
        has_audio=False,
    )
    return VideoStream(info, _frames(first, paths))


def _frames(first: ImageArray, paths: list[Path]) -> Generator[Frame]:
    for index, image in enumerate(_images(first, paths)):
        yield Frame(image, index, index / PICTURES_PER_SECOND)


def _images(first: ImageArray, paths: list[Path]) -> Iterator[ImageArray]:
    yield first
    yield from (load_picture(path) for path in paths[1:])


def _paths(source: str) -> list[Path]:
    path = Path(source)
    if path.is_dir():
        # macOS leaves ._name files next to pictures on foreign disks
        entries = [entry for entry in path.iterdir() if not entry.name.startswith(".")]
        found = [entry for entry in entries if entry.suffix.lower() in SUFFIXES and entry.is_file()]
        if not found:
            raise SourceError(f"{source}: a folder without pictures; expected {', '.join(sorted(SUFFIXES))}")
    elif path.exists():
        found = [path]
    else:
        found = _numbered(path) if NUMBER.search(path.name) else [Path(match) for match in glob.glob(source)]
        found = [match for match in found if match.is_file()]
        if not found:
            raise SourceError(f"{source}: no such picture; expected a picture, a folder or a glob that matches some")
    return sorted(found, key=_natural_order)


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


def load_picture(path: Path) -> ImageArray:
    """(H, W, 3) RGB, turned upright as its EXIF says. Raises SourceError if it cannot be read."""
    try:
        data = np.fromfile(path, np.uint8)  # not cv2.imread, which cannot open every path on Windows
    except OSError as error:
        raise SourceError(f"{path}: cannot be read: {error.strerror}") from error
    try:
        image = cv2.imdecode(data, cv2.IMREAD_COLOR_RGB) if data.size else None
    except cv2.error as error:
        raise SourceError(f"{path}: a broken picture: {error.err}") from error
    if image is None:
        raise SourceError(f"{path}: a broken picture; expected one of {', '.join(sorted(SUFFIXES))}")
    return np.asarray(image, np.uint8)
