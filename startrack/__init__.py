"""startrack follows every face of a video, camera or stream: its landmarks, frame by frame, with an uncertainty each.

    import startrack

    for result in startrack.track("video.mp4"):
        for face in result.tracks:
            print(result.frame.time_s, face.id, face.landmarks.points)

The names in __all__ are the public ones; each is loaded when it is first asked for, so that importing startrack costs
nothing. Everything below startrack.tracker, engines, train and commands may change from one version to the next.
"""

from __future__ import annotations

import importlib
import os

# the one of typing, which takes its time to import, as pathlib does; until the program's first lines have run, a signal
# has no line to say
TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from startrack.api import Result, Tracker, read_faces, track
    from startrack.engines import load_detector, load_engine
    from startrack.errors import StartrackError
    from startrack.tracker.pipeline import TrackerOptions
    from startrack.tracker.screen.overlay import Overlay
    from startrack.tracker.sinks.csv_sink import CsvSink
    from startrack.tracker.sinks.jsonl_sink import JsonlSink
    from startrack.tracker.sinks.mp4_sink import Mp4Sink
    from startrack.tracker.types import FaceBox, Frame, Intrinsics, Landmarks, Track
    from startrack.tracker.video.source import open_camera, open_source, read_video

__version__ = "0.1.0"
__all__ = [
    "CsvSink",
    "FaceBox",
    "Frame",
    "Intrinsics",
    "JsonlSink",
    "Landmarks",
    "Mp4Sink",
    "Overlay",
    "Result",
    "StartrackError",
    "Track",
    "Tracker",
    "TrackerOptions",
    "load_detector",
    "load_engine",
    "open_camera",
    "open_source",
    "read_faces",
    "read_video",
    "track",
]
_MODULES = {
    "api": ("Result", "Tracker", "read_faces", "track"),
    "engines": ("load_detector", "load_engine"),
    "errors": ("StartrackError",),
    "tracker.pipeline": ("TrackerOptions",),
    "tracker.screen.overlay": ("Overlay",),
    "tracker.sinks.csv_sink": ("CsvSink",),
    "tracker.sinks.jsonl_sink": ("JsonlSink",),
    "tracker.sinks.mp4_sink": ("Mp4Sink",),
    "tracker.types": ("FaceBox", "Frame", "Intrinsics", "Landmarks", "Track"),
    "tracker.video.source": ("open_camera", "open_source", "read_video"),
}
_HOME = {name: module for module, names in _MODULES.items() for name in names}

_HERE = os.path.dirname(os.path.realpath(__file__))
# in a checkout the packages are links in this folder; where links are text files (Windows), they lie next to it
if not os.path.isdir(os.path.join(_HERE, "tracker")):
    __path__.append(os.path.dirname(_HERE))


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'startrack' has no attribute {name!r}")
    value = getattr(importlib.import_module(f"startrack.{_HOME[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
