"""The calls of a program: models, detector, tracker and source joined with their defaults.

The one file outside commands that knows both the tracker and the engines.
"""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from startrack.closing import Closing
from startrack.engines import load_detector, load_engine, load_eyes
from startrack.engines.base import EngineError
from startrack.engines.zoo import (
    FREE,
    MODELS,
    Licence,
    detector_path,
    landmarks_path,
    licence_for,
    refuse_research,
    shipped_sizes,
    wanted_eyes,
)
from startrack.tracker.detect.base import FaceDetector
from startrack.tracker.detect.zoo_detector import ZooDetector
from startrack.tracker.eyes.read_eyes import EyeReader
from startrack.tracker.look_ahead import LookAhead, usual_look_ahead
from startrack.tracker.model_scheme import scheme_of
from startrack.tracker.pipeline import FrameTracker, TrackerOptions
from startrack.tracker.schemes import LandmarkScheme
from startrack.tracker.screen.overlay import draw_overlay
from startrack.tracker.signals import SignalStage, guessed_camera, still_track
from startrack.tracker.signals.usual_faces import USUAL_FACES
from startrack.tracker.sinks.jsonl_sink import frame_record
from startrack.tracker.smooth import CAN_LOOK_AHEAD, SMOOTHERS, smoother_of
from startrack.tracker.types import Frame, ImageArray, Intrinsics, TrackedFrame
from startrack.tracker.video.arrays import Colour, check_colour, frames_of, later_time, rgb_picture
from startrack.tracker.video.base import SourceError
from startrack.tracker.video.buffer import latest, prefetch
from startrack.tracker.video.picture_file.read import load_picture
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

    With lookahead, each result is smoothed with the frames that follow, and comes so many frames later.
    """

    def __init__(
        self,
        model: str | Path | None = None,
        *,
        licence: Licence | None = None,
        max_faces: int = 8,
        signals: bool = True,
        eyes: bool | None = None,
        neutral_s: float | None = None,
        gaze_offset_s: float | None = None,
        camera: Intrinsics | None = None,
        colour: Colour = "rgb",
        smooth: str = "kalman",
        lookahead: int = 0,
        device: str = "auto",
        threads: int = 1,
        detector: FaceDetector | None = None,
        options: TrackerOptions | None = None,
    ) -> None:
        """model: "s", "m", "l" or "free" of the shipped ones, or a model file; None: the default one of the licence.
        licence: "free" for models that are free for any use, the default with model "free"; "research" for any of ours.
        signals: head pose, eyes, mouth and blendshapes too. eyes: read them more closely: lids, and with signals irises
        and gaze; None: if startrack does so by default (engines.zoo.EYES_BY_DEFAULT). neutral_s: the first seconds of
        each face, in which it is neutral: the zero of its blendshapes; None: a running median. gaze_offset_s: those in
        which it looks into the camera: the zero of its gaze; None: no offset. camera: that took the pictures; poses are
        then in perspective. colour: order of the pictures' channels, "bgr" for OpenCV's. smooth: "kalman", "one-euro"
        or "none". lookahead: frames that a result waits for those that follow, of "kalman" only; 0: none. detector: in
        place of the shipped one; the caller closes it. options: in place of max_faces and the defaults.

        Raises EngineError if the model cannot be loaded, and a StartrackError if an argument is none of those.
        """
        if smooth not in SMOOTHERS:
            raise EngineError(f"smooth {smooth!r}; expected one of {', '.join(SMOOTHERS)}")
        if lookahead < 0 or (lookahead and smooth != CAN_LOOK_AHEAD):
            raise EngineError(
                f"lookahead {lookahead} with smooth {smooth!r}; expected 0, or more with {CAN_LOOK_AHEAD!r}"
            )
        if max_faces < 1:
            raise EngineError(f"max_faces {max_faces}; expected 1 or more")
        for name, seconds in (("neutral_s", neutral_s), ("gaze_offset_s", gaze_offset_s)):
            if seconds is not None and not seconds > 0:
                raise EngineError(f"{name} {seconds}; expected more than 0 seconds, or None")
        check_colour(colour)
        with ExitStack() as stack:
            path, licence = _chosen(model, licence)
            self._engine = stack.enter_context(load_engine(path, device, threads=threads))
            if detector is None:
                detector = stack.enter_context(ZooDetector(load_detector(detector_path(licence))))
            self.scheme = scheme_of(self._engine.spec)
            reader = _open_eyes(eyes, licence, self.scheme, threads)
            self._eyes = None if reader is None else stack.enter_context(reader)
            self._closing = stack.pop_all()
        self._detector = detector
        self._colour = colour
        self._signals, self._neutral_s, self._gaze_offset_s, self._camera = signals, neutral_s, gaze_offset_s, camera
        self._make_smoother = smoother_of("none" if lookahead else smooth)
        self._lookahead = lookahead
        self._options = options or TrackerOptions(max_faces=max_faces)
        if licence == "free":
            self._options = replace(self._options, evidence=replace(self._options.evidence, shapes="free"))
        self.usual_faces = USUAL_FACES[licence]
        self.reset()

    def reset(self) -> None:
        """Forget every face and begin a new video: ids and times start again."""
        self._begin(first_id=0)
        self._look_ahead = LookAhead(self.scheme, self._lookahead) if self._lookahead else None
        self._signal_stage = SignalStage(
            self.scheme,
            neutral_s=self._neutral_s,
            gaze_offset_s=self._gaze_offset_s,
            camera=self._camera,
            faces=self.usual_faces,
        )
        self._late: deque[Result] = deque()
        self._index = 0
        self._last_s: float | None = None
        self._began_s: float | None = None

    def _begin(self, first_id: int) -> None:
        """Know no face; the first new one gets this id."""
        self._tracker = FrameTracker(
            self._detector, self._engine, self._make_smoother, self._options, eyes=self._eyes, first_id=first_id
        )

    def read_still(self, frame: Frame) -> Result:
        """The faces of a frame that has nothing to do with those before it; ids go on. Use no lookahead."""
        self._begin(self._tracker.next_id)
        (result,) = self.follow(frame)
        return result

    def update(self, picture: Any, time_s: float | None = None) -> Result | None:
        """Follow the faces into the next picture; gives its result. With lookahead, the result of an earlier picture,
        or None while the first ones wait: flush gives those that are left.

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
        self._late += self.follow(frame)
        return self._late.popleft() if self._late else None

    def flush(self) -> list[Result]:
        """The results that wait for frames to come, oldest first; for the end of a video. None without lookahead."""
        late = (
            [*self._late, *(self._result(tracked) for tracked in self._look_ahead.flush())] if self._look_ahead else []
        )
        self._late.clear()
        return late

    def follow(self, frame: Frame) -> list[Result]:
        """Follow the faces into the frame of an open source; gives the results that are finished, oldest first."""
        tracked = self._tracker(frame)
        self._index, self._last_s = self._index + 1, frame.time_s
        finished = [tracked] if self._look_ahead is None else self._look_ahead.push(tracked)
        return [self._result(each) for each in finished]

    def _result(self, tracked: TrackedFrame) -> Result:
        if self._signals:
            tracked = self._signal_stage(tracked)
        return Result(tracked.frame, tracked.tracks, tracked.latency, self.scheme)

    def close(self) -> None:
        """Free the models. Safe to call twice."""
        self._closing.close()


def track(
    source: str | Path | int | Iterable[Any],
    model: str | Path | None = None,
    *,
    start_s: float = 0.0,
    end_s: float | None = None,
    fps: float = 30.0,
    lookahead: int | None = None,
    **options: Any,
) -> Iterator[Result]:
    """Follow every face of a source to its end.

    source: a video, a picture, a folder or glob of pictures, a URL, a camera's index; or anything that yields Frames or
    pictures, which then lie 1 / fps seconds apart. A recording is read frame by frame, a live source by its newest
    frame; pictures whose names do not count up are read one by one, and no face is followed from one to the next.
    start_s, end_s: the part of a recording. lookahead: frames that landmarks are smoothed with beyond their own, by
    default 5 for recordings (10 above 40 frames a second) and none for live sources and single pictures. options:
    Tracker's. Everything is closed when the generator is.

    Raises SourceError and EngineError, the first ones when the first frame is asked for.
    """
    with ExitStack() as stack:
        if isinstance(source, str | Path | int):
            video = stack.enter_context(open_source(str(source), start_s=start_s, end_s=end_s))
            frames: Iterable[Frame] = stack.enter_context(latest(video) if video.info.is_live else prefetch(video))
            stills = video.info.stills
            usual = usual_look_ahead(video.info.fps, is_live=video.info.is_live or stills)
        else:
            stills = False
            frames = frames_of(source, fps=fps, colour=options.get("colour", "rgb"))
            usual = usual_look_ahead(fps, is_live=False)
        if stills:
            lookahead = 0
        elif lookahead is None:
            lookahead = usual if options.get("smooth", CAN_LOOK_AHEAD) == CAN_LOOK_AHEAD else 0
        tracker = stack.enter_context(Tracker(model, lookahead=lookahead, **options))
        for frame in frames:
            if stills:
                yield tracker.read_still(frame)
            else:
                yield from tracker.follow(frame)
        yield from tracker.flush()


def read_faces(
    picture: str | Path | Any,
    model: str | Path | None = None,
    *,
    licence: Licence | None = None,
    max_faces: int = 8,
    colour: Colour = "rgb",
    eyes: bool | None = None,
) -> Result:
    """The faces of one still picture, the detector's surest first.

    picture: a path, a uint8 array or a PIL image. model, licence, eyes: as Tracker's. The models stay loaded for the
    next picture. Raises SourceError if it is no picture, EngineError if the model cannot be loaded.
    """
    image = load_picture(Path(picture)) if isinstance(picture, str | Path) else rgb_picture(picture, colour)
    tracker = _still_tracker(None if model is None else str(model), licence, max_faces, eyes)
    tracker.reset()
    (result,) = tracker.follow(Frame(image, 0, 0.0))
    camera = guessed_camera(result.frame.width, result.frame.height)
    # a single picture does not show what a face is like at rest
    usual = tracker.usual_faces
    return replace(result, tracks=tuple(still_track(each, tracker.scheme, camera, usual) for each in result.tracks))


@lru_cache(maxsize=2)
def _still_tracker(model: str | None, licence: Licence | None, max_faces: int, eyes: bool | None) -> Tracker:
    return Tracker(model, licence=licence, max_faces=max_faces, smooth="none", signals=False, eyes=eyes)


def _open_eyes(wanted: bool | None, licence: Licence, scheme: LandmarkScheme, threads: int) -> EyeReader | None:
    """What reads the eyes of faces with such landmarks; None where they are not to be read."""
    report = logging.getLogger("startrack").warning
    path = wanted_eyes(wanted, licence, scheme.name, has_lids=bool(scheme.ibug_68), report=report)
    return None if path is None else EyeReader(load_eyes(path, threads=threads), scheme)


def _chosen(model: str | Path | None, licence: Licence | None) -> tuple[Path, Licence]:
    """The model file, and the licence of the other models."""
    if licence not in (None, "research", "free"):
        raise EngineError(f"licence {licence!r}; expected 'research' or 'free'")
    if model is None or (isinstance(model, str) and model in MODELS):
        return landmarks_path(model, licence), licence_for(model, licence)
    if isinstance(model, str) and not Path(model).suffix:
        raise EngineError(f"model {model!r}; expected {', '.join((*shipped_sizes(), FREE))} or a model file")
    if licence == "free":
        refuse_research(Path(model))
    return Path(model), licence or "research"
