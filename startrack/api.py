"""What a program calls: models, detector, tracker and source joined with their defaults.

The one file outside commands that knows both the tracker and the engines.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from startrack.closing import Closing
from startrack.engines import load_detector, load_engine
from startrack.engines.base import EngineError
from startrack.engines.zoo import DEFAULT_DETECTOR, DEFAULT_SIZE, landmarks_path, shipped_sizes, zoo_path
from startrack.tracker.detect.base import FaceDetector
from startrack.tracker.detect.zoo_detector import ZooDetector
from startrack.tracker.model_scheme import scheme_of
from startrack.tracker.pipeline import FrameTracker, TrackerOptions
from startrack.tracker.schemes import LandmarkScheme
from startrack.tracker.screen.overlay import draw_overlay
from startrack.tracker.signals import add_signals
from startrack.tracker.sinks.jsonl_sink import frame_record
from startrack.tracker.smooth import SMOOTHERS
from startrack.tracker.types import Frame, ImageArray, TrackedFrame
from startrack.tracker.video.arrays import Colour, check_colour, frames_of, later_time, rgb_picture
from startrack.tracker.video.base import SourceError
from startrack.tracker.video.buffer import latest, prefetch
from startrack.tracker.video.pictures import load_picture
from startrack.tracker.video.source import open_source

if TYPE_CHECKING:
    from pandas import DataFrame


@dataclass(frozen=True, slots=True, eq=False)
class Result(TrackedFrame):
    """The faces of one frame, and ways to write and draw them."""

    scheme: LandmarkScheme
    """Numbering of the landmarks."""

    def to_dict(self) -> dict[str, Any]:
        """The frame as a line of JSON Lines has it (startrack.JsonlSink): numbers, lists and strings only."""
        return frame_record(self)

    def to_pandas(self) -> DataFrame:
        """A table with a row per face: time_s, id, box, presence, x_0 … y_0 … in frame pixels, and the signals."""
        from startrack.tracker.sinks.table import face_table

        return face_table(self)

    def draw(self, image: ImageArray | None = None, *, ellipses: bool = False) -> ImageArray:
        """A copy of `image`, by default the frame's RGB picture, with the faces drawn on it.

        image: (H, W, 3) uint8 of the frame's size, in any order of channels. ellipses: the uncertainty of each point.
        Raises SourceError if it has another size or type.
        """
        picture = self.frame.image if image is None else rgb_picture(image)
        if picture.shape != self.frame.image.shape:
            raise SourceError(f"a picture of shape {picture.shape}; expected the frame's {self.frame.image.shape}")
        return draw_overlay(self, self.scheme, ellipses=ellipses, image=picture)


class Tracker(Closing):
    """Follows the faces of pictures that a program hands over one after the other.

    with startrack.Tracker() as tracker:
        result = tracker.update(picture)
    """

    def __init__(
        self,
        model: str | Path = DEFAULT_SIZE,
        *,
        max_faces: int = 8,
        signals: bool = True,
        colour: Colour = "rgb",
        smooth: str = "kalman",
        device: str = "auto",
        threads: int = 1,
        detector: FaceDetector | None = None,
        options: TrackerOptions | None = None,
    ) -> None:
        """model: "s", "m" or "l" of the shipped ones, or a model file. signals: head pose, eyes, mouth and blendshapes
        too. colour: order of the pictures' channels, "bgr" for OpenCV's. smooth: "kalman", "one-euro" or "none".
        detector: in place of the shipped one; the caller closes it. options: in place of max_faces and the defaults.

        Raises EngineError if the model cannot be loaded, and a StartrackError if an argument is none of those.
        """
        if smooth not in SMOOTHERS:
            raise EngineError(f"smooth {smooth!r}; expected one of {', '.join(SMOOTHERS)}")
        if max_faces < 1:
            raise EngineError(f"max_faces {max_faces}; expected 1 or more")
        check_colour(colour)
        with ExitStack() as stack:
            self._engine = stack.enter_context(load_engine(_model_path(model), device, threads=threads))
            if detector is None:
                detector = stack.enter_context(ZooDetector(load_detector(zoo_path(DEFAULT_DETECTOR))))
            self._closing = stack.pop_all()
        self._detector = detector
        self.scheme = scheme_of(self._engine.spec)
        self._colour = colour
        self._signals = signals
        self._make_smoother = SMOOTHERS[smooth]
        self._options = options or TrackerOptions(max_faces=max_faces)
        self.reset()

    def reset(self) -> None:
        """Forget every face and begin a new video: ids and times start again."""
        self._tracker = FrameTracker(self._detector, self._engine, self._make_smoother, self._options)
        self._index = 0
        self._last_s: float | None = None
        self._began_s: float | None = None

    def update(self, picture: Any, time_s: float | None = None) -> Result:
        """Follow the faces into the next picture.

        picture: (H, W, 3) uint8, grey or with opacity too, or a PIL image; sizes may change. time_s: seconds, larger
        than the last picture's; None: those of the clock since the first one. Raises SourceError for anything else,
        and is then as it was before; EngineError when the model fails or the tracker is closed.
        """
        image = rgb_picture(picture, self._colour)
        now = time.monotonic()
        if time_s is None:
            began = now if self._began_s is None else self._began_s
            time_s, self._began_s = now - began, began
            if self._last_s is not None and time_s <= self._last_s:
                # two pictures within one tick of the clock
                time_s = self._last_s + 1e-6
        frame = Frame(image, self._index, later_time(time_s, self._last_s))
        return self.follow(frame)

    def follow(self, frame: Frame) -> Result:
        """As update, with the frame of an open source."""
        tracked = self._tracker(frame)
        self._index, self._last_s = self._index + 1, frame.time_s
        if self._signals:
            tracked = add_signals(tracked, self.scheme)
        return Result(tracked.frame, tracked.tracks, tracked.latency, self.scheme)

    def close(self) -> None:
        """Free the models. Safe to call twice."""
        self._closing.close()


def track(
    source: str | Path | int | Iterable[Any],
    model: str | Path = DEFAULT_SIZE,
    *,
    start_s: float = 0.0,
    end_s: float | None = None,
    fps: float = 30.0,
    **options: Any,
) -> Iterator[Result]:
    """Follow every face of a source to its end.

    source: a video, a picture, a folder or glob of pictures, a URL, a camera's index; or anything that yields Frames or
    pictures, which then lie 1 / fps seconds apart. A recording is read frame by frame, a live source by its newest
    frame. start_s, end_s: the part of a recording. options: Tracker's. Everything is closed when the generator is.

    Raises SourceError and EngineError, the first ones when the first frame is asked for.
    """
    with ExitStack() as stack:
        tracker = stack.enter_context(Tracker(model, **options))
        if isinstance(source, str | Path | int):
            video = stack.enter_context(open_source(str(source), start_s=start_s, end_s=end_s))
            frames: Iterable[Frame] = stack.enter_context(latest(video) if video.info.is_live else prefetch(video))
        else:
            frames = frames_of(source, fps=fps, colour=options.get("colour", "rgb"))
        for frame in frames:
            yield tracker.follow(frame)


def read_faces(
    picture: str | Path | Any, model: str | Path = DEFAULT_SIZE, *, max_faces: int = 8, colour: Colour = "rgb"
) -> Result:
    """The faces of one still picture, the detector's surest first.

    picture: a path, a uint8 array or a PIL image. The models stay loaded for the next picture. Raises SourceError if it
    is no picture, EngineError if the model cannot be loaded.
    """
    image = load_picture(Path(picture)) if isinstance(picture, str | Path) else rgb_picture(picture, colour)
    tracker = _still_tracker(str(model), max_faces)
    tracker.reset()
    return tracker.update(image, 0.0)


@lru_cache(maxsize=2)
def _still_tracker(model: str, max_faces: int) -> Tracker:
    return Tracker(model, max_faces=max_faces, smooth="none")


def _model_path(model: str | Path) -> Path:
    if isinstance(model, str) and model in shipped_sizes():
        return landmarks_path(model)
    if isinstance(model, str) and not Path(model).suffix:
        raise EngineError(f"model {model!r}; expected {', '.join(shipped_sizes())} or a model file")
    return Path(model)
