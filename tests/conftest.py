"""Generated clips, and the folders of real data."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Protocol

import av
import numpy as np
import pytest
from hypothesis import settings

from startrack.tracker.types import ImageArray

ROOT = Path(__file__).parent.parent
# pytest's time limit is the only one: an example may take long on a busy machine
settings.register_profile("startrack", deadline=None)
settings.load_profile("startrack")
# a shell starts jobs in its background deaf to Ctrl-C, nohup to SIGHUP; the commands that tests end would be deaf too
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
if hasattr(signal, "SIGHUP") and signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
TIME_BASE = Fraction(1, 90_000)
CODECS = {
    ".webm": ("libvpx", "yuv420p"),
    ".gif": ("gif", "rgb8"),
    ".mpg": ("mpeg1video", "yuv420p"),
    ".mkv": ("ffv1", "bgr0"),
}
"""By suffix, else x264. ffv1 is lossless and takes 1×1 pixels."""


@dataclass(frozen=True)
class Clip:
    path: Path
    times_s: list[float]
    """Timestamp of each frame, from 0."""


class MakeClip(Protocol):
    def __call__(
        self,
        name: str = "clip.mp4",
        *,
        frames: int = 10,
        size: tuple[int, int] = (64, 48),
        vfr: bool = False,
        rotation: int = 0,
        audio: str | None = None,
        picture: Callable[[int, int, int], ImageArray] | None = None,
        movflags: str = "",
    ) -> Clip: ...


def numbered_picture(index: int, width: int, height: int) -> ImageArray:
    """(height, width, 3) grey of 40 + 5·index on the left and 30 more on the right; the upper half is reddish."""
    image = np.full((height, width, 3), min(40 + 5 * index, 200), np.uint8)
    image[:, width // 2 :] += 30
    image[: height // 2, :, 0] += 20
    return image


@pytest.fixture
def make_clip(tmp_path: Path) -> MakeClip:
    """A function that writes a clip: 25 fps or, with vfr, steps of 20, 60 and 100 ms. audio: a codec, "aac"."""

    def make(
        name: str = "clip.mp4",
        *,
        frames: int = 10,
        size: tuple[int, int] = (64, 48),
        vfr: bool = False,
        rotation: int = 0,
        audio: str | None = None,
        picture: Callable[[int, int, int], ImageArray] | None = None,
        movflags: str = "",
    ) -> Clip:
        steps = [1800, 5400, 9000] if vfr else [3600]
        ticks = [sum(steps[k % len(steps)] for k in range(index)) for index in range(frames)]
        path = tmp_path / name
        with av.open(str(path), "w", options={"movflags": movflags} if movflags else {}) as container:
            codec, pixels = CODECS.get(path.suffix, ("libx264", "yuv420p"))
            video = container.add_stream(codec, rate=25, options={"crf": "10"} if codec == "libx264" else {})
            video.width, video.height, video.pix_fmt = *size, pixels
            if codec != "mpeg1video":
                video.codec_context.time_base = TIME_BASE
            if rotation:
                video.set_display_rotation(rotation)
            sound = container.add_stream(audio, rate=48_000) if audio else None
            for index, tick in enumerate(ticks):
                frame = av.VideoFrame.from_ndarray((picture or numbered_picture)(index, *size), format="rgb24")
                frame.pts, frame.time_base = tick, TIME_BASE
                container.mux(video.encode(frame))
            container.mux(video.encode())
            if sound is not None:
                _write_sound(container, sound, 48_000 * (ticks[-1] + steps[-1]) // 90_000)
        return Clip(path, [float(tick * TIME_BASE) for tick in ticks])

    return make


def _write_sound(container: av.container.OutputContainer, sound: av.AudioStream, samples: int) -> None:
    for start in range(0, samples, 1024):
        tone = np.sin(np.arange(start, start + 1024) * 0.05).astype(np.float32)[None]
        frame = av.AudioFrame.from_ndarray(tone, format="flt", layout="mono")
        frame.sample_rate, frame.pts, frame.time_base = 48_000, start, Fraction(1, 48_000)
        container.mux(sound.encode(frame))
    container.mux(sound.encode())


class FullDisk(Protocol):
    def __call__(self, size: int) -> AbstractContextManager[None]: ...


@pytest.fixture
def full_disk() -> FullDisk:
    """A context in which no file of this process can grow beyond `size` bytes."""
    resource = pytest.importorskip("resource")

    @contextmanager
    def limit(size: int) -> Iterator[None]:
        before = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
        try:
            yield
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, before)

    return limit


def _folder(variable: str, default: Path) -> Path:
    path = Path(os.environ.get(variable, default))
    if not path.is_dir():
        pytest.skip(f"no folder {path}; {variable} names it")
    return path


@pytest.fixture(scope="session")
def data_dir() -> Path:
    """Training pictures and real clips, which are not part of the repository."""
    return _folder("STARTRACK_DATA", ROOT.parent / "shared" / "data")


@pytest.fixture(scope="session")
def parity_dir() -> Path:
    """What the authors' own code computes, which are not part of the repository."""
    return _folder("STARTRACK_PARITY", ROOT.parent / "shared" / "parity")
