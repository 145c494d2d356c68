"""Tracked frames drawn into an H.264 mp4 with the source's own timestamps and sound."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np

from startrack.tracker.sinks.base import Sink, SinkError, check_output
from startrack.tracker.sinks.sound import Sound
from startrack.tracker.types import ImageArray, TrackedFrame
from startrack.tracker.video.base import Colours, SourceError, VideoInfo
from startrack.tracker.video.index_first import move_index_first
from startrack.tracker.video.opening import reason
from startrack.tracker.video.pyav import (
    ColorRange,
    OutputContainer,
    av,
)

# Fragments of a tenth of a second are written while the video runs, so that a killed process leaves a file that plays
# up to its last moments; close() turns them into an ordinary mp4 (FFmpeg's hybrid_fragmented) with its index first. A
# temporary name and os.replace would leave nothing after a kill. delay_moov: the index waits for the first packets,
# which keeps the timestamps exact (without it they came out 0.11 s late) and lets sound that begins before the picture
# be copied.
_CONTAINER_OPTIONS = {
    "movflags": "+hybrid_fragmented+delay_moov",
    "frag_duration": "100000",
    "flush_packets": "1",
    "max_interleave_delta": "1000000",
}
# no B-frames: with them the muxer took an earlier frame for the last one, and players left out the end of a clip
# a look ahead of 2 frames and threads within a frame: a frame is in the file 2 frames later; with the preset's 10 and
# a thread per frame nothing was there for half a second (CPU time the same within 5 %, files 15 % smaller)
_ENCODER_OPTIONS = {"preset": "veryfast", "crf": "20", "bf": "0", "x264-params": "rc-lookahead=2:sliced-threads=1"}

BT709, UNKNOWN = 1, 2
"""Code points of ISO/IEC 23091-2 for matrix, primaries and transfer alike."""
MATRICES = frozenset({1, 4, 5, 6, 7, 9})
"""Those that FFmpeg converts to: BT.709, FCC, BT.601 (two names), SMPTE 240M, BT.2020."""

LONGEST_SIDE = 16_384
"""Pixels, of x264."""


class Mp4Sink(Sink):
    """Writes what `draw` makes of each frame. The first written frame is time 0; all gaps between frames stay exact."""

    def __init__(
        self,
        path: str | Path,
        info: VideoInfo,
        *,
        draw: Callable[[TrackedFrame], ImageArray],
        audio_from: str | Path | None = None,
        overwrite: bool = False,
    ) -> None:
        """info: the source's (VideoStream.info). draw: frame → (H, W, 3) RGB uint8; an odd size is padded to an even
        one, a later frame of another size is fitted into the first one's. audio_from: the video whose sound is taken
        over for as long as frames are written; `note` says why if it could not be.

        Nothing is created before the first frame. Raises SinkError if the path cannot be written, or is the source.
        """
        self._path = check_output(path, overwrite=overwrite, seekable=True)
        for source in (info.name, audio_from):
            if source is not None and self._path.exists() and _same_file(self._path, Path(source)):
                raise SinkError(f"{self._path}: the source itself; expected another name for the output")
        self._info, self._draw, self._audio_from = info, draw, audio_from
        self._container: OutputContainer | None = None
        self._video: av.VideoStream
        self._colours: Colours
        self._sound: Sound | None = None
        self._start = 0
        self._last = -1
        self._end_s = 0.0
        self.note: str | None = None
        """Why the sound was left out, if it was."""

    def write(self, tracked: TrackedFrame) -> None:
        """Raises SinkError if the encoder or the disk fails."""
        image = self._draw(tracked)
        time_s = tracked.frame.time_s
        ticks = round(time_s / self._info.time_base)
        if self._container is None:
            self._start = ticks
            self._open(*_video_size(image.shape[1], image.shape[0]))
        frame = _to_yuv(_fit(image, self._video.width, self._video.height), self._colours)
        frame.pts = max(ticks - self._start, self._last + 1)
        frame.time_base = self._info.time_base
        gap_s = float((frame.pts - self._last) * self._info.time_base) if self._last >= 0 else 0.0
        self._last, self._end_s = frame.pts, time_s + gap_s
        self._mux(frame, time_s)

    def _mux(self, frame: av.VideoFrame | None, until_s: float) -> None:
        """Encode a frame (None: the frames that the encoder holds back) and copy the sound up to until_s of the
        source."""
        assert self._container is not None
        try:
            self._container.mux(self._video.encode(frame))
        except (av.FFmpegError, OSError) as error:
            raise SinkError(f"{self._path}: cannot be written: {reason(error)}") from error
        if self._sound is not None:
            self.note = self._sound.write_until(until_s) or self.note

    def _open(self, width: int, height: int) -> None:
        """Create the file for frames of an even size in pixels, with sound if it can be copied."""
        if self._audio_from is not None:
            try:
                self._start_container(width, height, self._audio_from)
                return
            except (av.FFmpegError, OSError, ValueError, SourceError) as error:
                self.note = f"{self._path}: written without sound: {reason(error)}"
                self._discard()
        try:
            self._start_container(width, height, None)
        except (av.FFmpegError, OSError, ValueError) as error:
            self._discard()
            raise SinkError(f"{self._path}: cannot be written: {reason(error)}") from error

    def _start_container(self, width: int, height: int, audio_from: str | Path | None) -> None:
        container = av.open(f"file:{self._path}", mode="w", format="mp4", options=_CONTAINER_OPTIONS)
        self._container = container
        rate = Fraction(self._info.fps or 25).limit_denominator(1001)
        video = container.add_stream("libx264", rate=rate, options=_ENCODER_OPTIONS)
        video.width, video.height, video.pix_fmt = width, height, "yuv420p"
        video.codec_context.time_base = self._info.time_base
        video.codec_context.sample_aspect_ratio = self._info.sample_aspect_ratio
        self._colours = colours = written_colours(self._info.colours)
        video.codec_context.colorspace = colours.matrix
        video.codec_context.color_primaries = colours.primaries
        video.codec_context.color_trc = colours.transfer
        video.codec_context.color_range = _range(colours)
        self._video = video
        if audio_from is not None:
            self._sound = Sound(str(audio_from), container, self._start * self._info.time_base)
        container.start_encoding()

    def _discard(self) -> None:
        """Close and delete a file that holds nothing yet."""
        if self._sound is not None:
            self._sound.close()
        if self._container is not None:
            self._container.close()
            self._path.unlink(missing_ok=True)
        self._sound = self._container = None

    def close(self) -> None:
        """Finish the file. Raises SinkError if the disk is full; earlier frames stay readable."""
        if self._container is None:
            return
        if self._last < 0:  # interrupted before the first frame was encoded
            self._discard()
            return
        container, sound = self._container, self._sound
        try:
            self._mux(None, self._end_s)
            if sound is not None:
                self._finish(sound)
        finally:
            self._container = self._sound = None
            if sound is not None:
                sound.close()
            try:
                container.close()
            except (av.FFmpegError, OSError) as error:
                raise SinkError(f"{self._path}: cannot be finished: {reason(error)}") from error
        with suppress(OSError):  # no room for a copy: the index stays at the end
            move_index_first(self._path)

    def _finish(self, sound: Sound) -> None:
        try:
            sound.finish()
        except (av.FFmpegError, OSError) as error:
            self.note = self.note or f"{self._path}: the sound's end is missing: {reason(error)}"


def written_colours(source: Colours) -> Colours:
    """The source's own, so that a player shows the picture as it shows the source; BT.709 where the source does not say
    how its colours are made from red, green and blue, or is stored as these."""
    if source.matrix in MATRICES:
        return replace(source, full_range=bool(source.full_range))
    return Colours(
        matrix=BT709,
        primaries=BT709 if source.primaries == UNKNOWN else source.primaries,
        transfer=BT709 if source.transfer == UNKNOWN else source.transfer,
        full_range=bool(source.full_range) and source.matrix == UNKNOWN,
    )


def _range(colours: Colours) -> ColorRange:
    return ColorRange.JPEG if colours.full_range else ColorRange.MPEG


def _to_yuv(image: ImageArray, colours: Colours) -> av.VideoFrame:
    """(H, W, 3) RGB → yuv420p with the matrix and range that the stream is tagged with."""
    frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(image), format="rgb24")
    # equal before and after: nothing is converted but the matrix
    frame.color_primaries, frame.color_trc = colours.primaries, colours.transfer
    return frame.reformat(
        format="yuv420p",
        dst_colorspace=colours.matrix,
        dst_color_range=_range(colours),
        dst_color_trc=colours.transfer,
        dst_color_primaries=colours.primaries,
        threads=1,
    )


def _video_size(width: int, height: int) -> tuple[int, int]:
    """Pixels of a video for pictures of this size: even, and no side longer than the encoder takes."""
    scale = min(1.0, LONGEST_SIDE / max(width, height))
    width, height = max(1, round(width * scale)), max(1, round(height * scale))
    return width + width % 2, height + height % 2


def _fit(image: ImageArray, width: int, height: int) -> ImageArray:
    """A picture of exactly this size in pixels: an odd size is padded, another one scaled with black around."""
    rows, columns = image.shape[:2]
    if (columns + columns % 2, rows + rows % 2) == (width, height):
        return np.pad(image, ((0, height - rows), (0, width - columns), (0, 0)), mode="edge")
    scale = min(width / columns, height / rows)
    size = (min(width, max(1, round(columns * scale))), min(height, max(1, round(rows * scale))))
    canvas = np.zeros((height, width, 3), np.uint8)
    top, left = (height - size[1]) // 2, (width - size[0]) // 2
    canvas[top : top + size[1], left : left + size[0]] = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    return canvas


def _same_file(path: Path, other: Path) -> bool:
    return other.exists() and path.samefile(other)
