"""A picture file → its pages, or the frames of an animation with their times; nothing is decoded that is too large."""

from __future__ import annotations

import itertools
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from startrack.tracker.types import ImageArray
from startrack.tracker.video.base import LARGEST_PIXELS, SourceError, check_size
from startrack.tracker.video.picture_file.header import PictureHeader, read_header

SUFFIXES = frozenset(
    {".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff", ".ppm", ".pgm", ".avif", ".heic", ".heif"}
)
"""What counts as a picture in a folder; a GIF is a video."""
LARGEST_FILE = 384 << 20
"""Bytes: of the largest picture in three times 16 bits. The whole file is read."""
USUAL_STEP_S = 0.1
"""Of a frame that says it is shown for no time at all, as browsers do."""


class PictureFile:
    """A file of one picture or several. Its pages are decoded one after the other, when they are asked for."""

    def __init__(self, path: Path) -> None:
        """Raises SourceError if it cannot be read, is no picture, or one of its pages is too large."""
        self.path = path
        self._data = _read(path)
        # FFmpeg, which decodes HEVC, is loaded only where it is needed
        self._is_heic = _is_heic(self._data)
        header = None if self._is_heic else read_header(self._data.data)
        if header is None and not self._is_heic:
            raise _broken(path)
        self._header = header or PictureHeader(())
        for page in self._header.pages if self._header.sizes else ():
            check_size(str(path), *self._header.sizes[page])

    @property
    def is_animated(self) -> bool:
        return self._header.is_animated

    def pages(self) -> Iterator[ImageArray]:
        """(H, W, 3) RGB of each page, turned upright as its EXIF says. Raises SourceError where one is broken."""
        if self._is_heic:
            from startrack.tracker.video.picture_file.heif import read_pictures

            yield from read_pictures(self._data.tobytes(), str(self.path))
        elif self.is_animated:
            yield from (frame.image for frame in self.frames())
        elif len(self._header.sizes) == 1:
            yield self._page(None)
        else:
            yield from map(self._page, self._header.pages)

    def _page(self, number: int | None) -> ImageArray:
        """number: None for the only one."""
        try:
            if number is None:
                image = cv2.imdecode(self._data, cv2.IMREAD_COLOR_RGB)
            else:
                page = (number, number + 1)
                found = cv2.imdecodemulti(self._data, cv2.IMREAD_COLOR_RGB, range=page)[1]
                image = found[0] if found else None
        except cv2.error as error:
            raise SourceError(f"{self.path}: a broken picture: {error.err}") from error
        if image is None:
            raise _broken(self.path)
        return np.asarray(image, np.uint8)

    def frames(self) -> Iterator[AnimationFrame]:
        """Every frame of an animation, whole pictures. Raises SourceError where one is broken."""
        if not hasattr(cv2, "imdecodeanimation"):
            raise SourceError(f"{self.path}: an animation; expected OpenCV 4.11 or newer to read it")
        width, height = self._header.sizes[0]
        # as many at a time as one large picture takes; each call decodes from the first on
        count = max(1, LARGEST_PIXELS // max(1, width * height))
        begins_s = 0.0
        for start in itertools.count(step=count):
            try:
                good, found = cv2.imdecodeanimation(self._data, start=start, count=count)
            except cv2.error as error:
                raise SourceError(f"{self.path}: a broken picture: {error.err}") from error
            if not good or not found.frames:
                if start == 0:
                    raise _broken(self.path)
                return
            for image, shown_ms in zip(found.frames, np.ravel(found.durations).tolist(), strict=True):
                lasts_s = shown_ms / 1000 or USUAL_STEP_S
                yield AnimationFrame(_rgb(np.asarray(image, np.uint8)), begins_s, lasts_s)
                begins_s += lasts_s
            if len(found.frames) < count:
                return


class AnimationFrame(NamedTuple):
    """One picture of an animation."""

    image: ImageArray
    """(H, W, 3) RGB."""
    begins_s: float
    lasts_s: float


def load_picture(path: Path) -> ImageArray:
    """(H, W, 3) RGB of a file's first page, turned upright. Raises SourceError if it cannot be read."""
    return next(PictureFile(path).pages())


def _rgb(image: ImageArray) -> ImageArray:
    """(H, W, 3) RGB of BGR, or of BGR with opacity, which is left out."""
    return np.ascontiguousarray(image[..., 2::-1])


def _read(path: Path) -> NDArray[np.uint8]:
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):
            raise SourceError(f"{path}: not an ordinary file; expected a picture")
        size = status.st_size
        if size > LARGEST_FILE:
            raise SourceError(f"{path}: {size / 2**20:.0f} MiB; expected a picture of at most {LARGEST_FILE >> 20} MiB")
        return np.fromfile(path, np.uint8)  # not cv2.imread, which cannot open every path on Windows
    except OSError as error:
        raise SourceError(f"{path}: cannot be read: {error.strerror}") from error


def _is_heic(data: NDArray[np.uint8]) -> bool:
    head = data[:64].tobytes()
    brands = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx")
    return head[4:8] == b"ftyp" and any(brand in head[8:] for brand in brands)


def _broken(path: Path) -> SourceError:
    return SourceError(f"{path}: a broken picture; expected one of {', '.join(sorted(SUFFIXES))}")
