"""A path, URL or camera → an open VideoStream of frames with their own times."""

from __future__ import annotations

import sys
from collections.abc import Callable, Generator, Iterable
from contextlib import ExitStack
from pathlib import Path
from urllib.parse import urlsplit

from startrack.tracker.types import Frame
from startrack.tracker.video.base import SourceError, VideoInfo, VideoStream
from startrack.tracker.video.container import read_container, read_live
from startrack.tracker.video.joined import parts_of
from startrack.tracker.video.opening import open_container
from startrack.tracker.video.part import Part
from startrack.tracker.video.pictures import is_pictures, read_pictures
from startrack.tracker.video.pyav import av
from startrack.tracker.video.read_joined import read_joined
from startrack.tracker.video.silence import SilenceWatch

LOW_LATENCY = {
    "fflags": "nobuffer",
    "flags": "low_delay",
    "probesize": "200000",
    "analyzeduration": "500000",
    "max_delay": "0",
}
"""Measured on a 30 fps loopback stream: open in 0.10 s instead of 0.75 s, 60 ms less lag."""

FILE_SCHEMES = ("http:", "https:", "ftp:", "ftps:", "file:")
"""Behind these a length means a file."""
STANDARD_INPUT = "-"
REPORTED_CHANGES = 5
"""Of the pictures' size; a stream that adapts to its line may change for ever."""

_CAMERA_FORMAT = {"darwin": "avfoundation", "win32": "dshow"}.get(sys.platform, "v4l2")


def read_video(
    path_or_url: str | Path,
    *,
    start_s: float = 0.0,
    end_s: float | None = None,
    sample_fps: float | None = None,
    report: Callable[[str], None] = lambda _: None,
) -> VideoStream:
    """Every frame of a video file (or of a finite file behind a URL) with start_s <= time_s < end_s; sample_fps: not
    more than so many of each second.

    Frame.time_s is the frame's own timestamp since the video began, whatever start_s is; Frame.index counts from 0
    the frames that are given. A damaged or cut off file gives all frames that can be decoded, then raises SourceError.
    Recordings that were joined in one file are read one after the other. report: called with a line where a file is not
    what one would expect. Raises SourceError if there is no such file, it is no video, its pictures are too large, or
    the range holds no frame.
    """
    return _read_recording(str(path_or_url), Part(start_s, end_s, sample_fps), report)


def _read_recording(source: str, part: Part, report: Callable[[str], None]) -> VideoStream:
    if "://" in source:
        name = _without_password(source)
        part.check(name)
        return _named_sizes(read_container(open_container(name, source), name, part), report)
    part.check(source)
    path = _existing_file(Path(source))
    recordings = _recordings(path)
    if len(recordings) > 1:
        return _named_sizes(read_joined(path, recordings, part, report=report), report)
    # with "file:" a colon in a file's name is not taken for a protocol
    return _named_sizes(read_container(open_container(source, f"file:{path}"), source, part), report)


def _recordings(path: Path) -> list[tuple[int, int]]:
    try:
        return parts_of(path) if path.is_file() else []
    except OSError as error:
        raise SourceError(f"{path}: cannot be opened: {error.strerror}") from error


def _named_sizes(video: VideoStream, report: Callable[[str], None]) -> VideoStream:
    """The same video; its first changes of size are reported."""
    return VideoStream(video.info, _watch_size(video, video.info, report), video.close)


def _watch_size(frames: Iterable[Frame], info: VideoInfo, report: Callable[[str], None]) -> Generator[Frame]:
    size, changes = (info.width, info.height), 0
    for frame in frames:
        if (frame.width, frame.height) != size and changes < REPORTED_CHANGES:
            now = f"{frame.width} × {frame.height} pixels from {frame.time_s:.3f} s on"
            report(f"{info.name}: {now}, {size[0]} × {size[1]} before")
            size, changes = (frame.width, frame.height), changes + 1
        yield frame


def _existing_file(path: Path) -> Path:
    if not path.exists():
        raise SourceError(f"{path}: no such file; expected a video, a picture, a folder of pictures, a URL or a camera")
    if path.is_dir():
        raise SourceError(f"{path}: a folder; expected a video file")
    if path.is_file() and path.stat().st_size == 0:
        raise SourceError(f"{path}: an empty file (0 bytes); expected a video")
    return path


def open_stream(
    url: str,
    *,
    end_s: float | None = None,
    sample_fps: float | None = None,
    report: Callable[[str], None] = lambda _: None,
) -> VideoStream:
    """The frames of an RTSP, HTTP, UDP… stream as they arrive, with the least delay, until end_s.

    A file behind HTTP or FTP is read like a file: by its own timestamps, none lost. report: called with a line when
    nothing has come for two seconds, and when the size of the pictures changes. Raises SourceError if nothing answers,
    and where a stream breaks off or stays silent.
    """
    rtsp = {"rtsp_transport": "tcp"} if url.lower().startswith(("rtsp:", "rtsps:")) else {}
    name, part = _without_password(url), Part(0.0, end_s, sample_fps)
    part.check(name)
    with ExitStack() as stack:
        watch = stack.enter_context(SilenceWatch(name, report))
        container = stack.enter_context(open_container(name, url, options=LOW_LATENCY | rtsp))
        # a recorder's RTSP stream has a length too, and is live all the same
        if not (container.duration and container.duration > 0 and url.lower().startswith(FILE_SCHEMES)):
            stack.pop_all()  # read_live closes both
            return _named_sizes(read_live(container, name, watch, part), report)
    # opened again: nobuffer drops the packets that were read to recognise the video
    return _read_recording(url, part, report)


def _read_pipe(name: str, address: str, part: Part, report: Callable[[str], None]) -> VideoStream:
    """address: as FFmpeg has it."""
    if part.start_s:
        raise SourceError(f"{name}: read from {part.start_s:g} s; expected a file, which can be searched")
    part.check(name)
    return _named_sizes(read_container(open_container(name, address), name, part), report)


def _without_password(url: str) -> str:
    """URLs of cameras carry passwords, which must not reach messages and outputs."""
    try:
        password = urlsplit(url).password
    except ValueError as error:
        raise SourceError(f"{url}: not a URL: {error}") from error
    return url.replace(f":{password}@", ":***@") if password else url


def open_camera(
    index_or_device: int | str,
    *,
    width: int | None = None,
    height: int | None = None,
    fps: float | None = None,
    end_s: float | None = None,
    sample_fps: float | None = None,
    report: Callable[[str], None] = lambda _: None,
) -> VideoStream:
    """The frames of a camera as they arrive: index 0, 1, … or a device's own name (/dev/video0).

    width, height (pixels, both or none) and fps are asked of the camera, which may give another size: see
    VideoStream.info. time_s is the arrival, 0 at the first frame. sample_fps, report: as open_stream's. Raises
    SourceError if there is no such camera.
    """
    if (width is None) != (height is None):
        raise SourceError(f"camera {index_or_device}: width {width}, height {height}; expected both or none")
    device, name = _device_name(str(index_or_device)), f"camera {index_or_device}"
    options = dict(LOW_LATENCY)
    if width is not None:
        options["video_size"] = f"{width}x{height}"
    if fps is not None:
        options["framerate"] = f"{fps:g}"
    # USB cameras reach 720p at 30 fps in MJPEG only; those that have none are opened again without it
    formats: tuple[dict[str, str], ...] = ({"input_format": "mjpeg"}, {}) if _CAMERA_FORMAT == "v4l2" else ({},)
    for attempt in formats:
        try:
            with ExitStack() as stack:
                watch = stack.enter_context(SilenceWatch(name, report))
                container = open_container(name, device, input_format=_CAMERA_FORMAT, options=options | attempt)
                stack.pop_all()  # read_live closes both
                return read_live(container, name, watch, Part(0.0, end_s, sample_fps))
        except SourceError as error:
            failure = error
    raise SourceError(f"{failure}; cameras found: {', '.join(list_devices()) or 'none'}") from failure


def _device_name(device: str) -> str:
    if not device.isdecimal() or _CAMERA_FORMAT == "avfoundation":
        return device
    if _CAMERA_FORMAT == "v4l2":
        return f"/dev/video{device}"
    devices = list_devices()
    if int(device) >= len(devices):
        raise SourceError(f"camera {device}: no such camera; cameras found: {', '.join(devices) or 'none'}")
    return f"video={devices[int(device)]}"


def list_devices() -> list[str]:
    """The cameras of this machine, by the names open_camera takes."""
    try:
        devices = av.device.enumerate_input_devices(_CAMERA_FORMAT)
    except (av.FFmpegError, OSError, ValueError):  # FFmpeg cannot list on this platform
        return []
    return [device.name for device in devices if not device.media_types or "video" in device.media_types]


def open_source(
    source: str,
    *,
    start_s: float = 0.0,
    end_s: float | None = None,
    width: int | None = None,
    height: int | None = None,
    fps: float | None = None,
    sample_fps: float | None = None,
    stills: bool | None = None,
    report: Callable[[str], None] = lambda _: None,
) -> VideoStream:
    """Whatever `source` names: digits or /dev/… a camera, scheme://… a stream, a folder, glob, pattern (img%04d.png) or
    picture, "-" a video that comes through the standard input, else a video file.

    start_s is for recordings only; width and height are asked of cameras, fps of cameras and pictures. sample_fps:
    frames to give of each second at most. stills: whether pictures are single ones (read_pictures). report: called with
    a line about what one would not expect. Raises SourceError.
    """
    if not source.strip():
        raise SourceError(f"{source!r}: an empty name; expected a video, pictures, a URL or a camera's index")
    camera = source.isdecimal() or source.startswith("/dev/video")
    pictures = not camera and is_pictures(source)
    requested = {"width": width, "height": height, "fps": None if pictures else fps}
    if not camera and any(value is not None for value in requested.values()):
        named = ", ".join(f"{name} {value:g}" for name, value in requested.items() if value is not None)
        raise SourceError(f"{source}: {named} asked of something that is not a camera; expected a camera's index")
    if stills is not None and not pictures:
        raise SourceError(f"{source}: no pictures; expected a folder, glob or picture where single ones are asked for")
    if (start_s and (camera or pictures)) or (pictures and end_s is not None):
        raise SourceError(f"{source}: read from {start_s} s to {end_s} s; expected a video, which has times")
    if camera:
        return open_camera(
            source, width=width, height=height, fps=fps, end_s=end_s, sample_fps=sample_fps, report=report
        )
    part = Part(start_s, end_s, sample_fps)
    if source == STANDARD_INPUT:
        return _read_pipe("standard input", "pipe:0", part, report)
    if "://" in source and not start_s:
        return open_stream(source, end_s=end_s, sample_fps=sample_fps, report=report)
    if pictures:
        return read_pictures(source, fps=fps, stills=stills, sample_fps=sample_fps, report=report)
    if Path(source).is_fifo():
        report(f"{source}: a pipe; its video begins when something writes into it")
        return _read_pipe(source, source, part, report)
    return _read_recording(source, part, report)
