"""Tracks as Open Sound Control messages, for patches in Max, Pure Data, TouchDesigner and the like."""

from __future__ import annotations

import math
from collections.abc import Iterable

from startrack.errors import install_line
from startrack.tracker.sinks.base import Sink, SinkError
from startrack.tracker.sinks.datagrams import Datagrams
from startrack.tracker.types import Track, TrackedFrame

DEFAULT_PORT = 9000
Message = tuple[str, list[int | float | str]]
"""Address and arguments."""


class OscSink(Sink):
    """One bundle per face and frame, after /startrack/faces N:

    /startrack/ID/box left top right bottom · /startrack/ID/landmarks x0 y0 x1 y1 … (frame pixels), and where tracks
    have signals /startrack/ID/pose pitch yaw roll (degrees) · /startrack/ID/position x y z (mm) ·
    /startrack/ID/signals/NAME value (tracker.signals.VALUES) · /startrack/ID/blendshapes/NAME value (0..1), and where
    eyes are read /startrack/ID/iris x0 y0 x1 y1 (frame pixels) · /startrack/ID/gaze x y z (camera's axes) ·
    /startrack/ID/gaze_in_head x y z.
    """

    def __init__(self, host: str, port: int = DEFAULT_PORT) -> None:
        """Raises SinkError if the host has no address or python-osc is missing."""
        require_osc()
        self._datagrams = Datagrams(host, port)

    def write(self, tracked: TrackedFrame) -> None:
        self._datagrams.send(bundle([("/startrack/faces", [len(tracked.tracks)])]))
        for track in tracked.tracks:
            self._datagrams.send(bundle(messages(track)))

    def close(self) -> None:
        self._datagrams.close()


def messages(track: Track) -> list[Message]:
    """The messages of one face."""
    root, landmarks = f"/startrack/{track.id}", track.landmarks.points
    messages: list[Message] = [
        (f"{root}/box", [float(edge) for edge in track.box]),
        (f"{root}/landmarks", [float(value) for value in landmarks.ravel()]),
    ]
    if track.signals is not None:
        pose = track.signals.pose
        messages.append((f"{root}/pose", [math.degrees(angle) for angle in pose.angles_rad]))
        messages.append((f"{root}/position", [float(value) for value in pose.position_mm]))
        messages += [(f"{root}/signals/{name}", [value]) for name, value in track.signals.values.items()]
        messages += [(f"{root}/blendshapes/{name}", [value]) for name, value in track.signals.blendshapes.items()]
    if track.eyes is not None:
        found = {"iris": track.eyes.iris.ravel(), "gaze": track.eyes.gaze, "gaze_in_head": track.eyes.gaze_in_head}
        messages += [(f"{root}/{name}", [float(value) for value in values]) for name, values in found.items()]
    return messages


def bundle(messages: Iterable[Message]) -> bytes:
    """One datagram of messages that belong together, to be taken up at once."""
    from pythonosc.osc_bundle_builder import IMMEDIATELY, OscBundleBuilder
    from pythonosc.osc_message_builder import OscMessageBuilder

    builder = OscBundleBuilder(IMMEDIATELY)
    for address, arguments in messages:
        message = OscMessageBuilder(address)
        for argument in arguments:
            message.add_arg(argument)
        builder.add_content(message.build())
    return bytes(builder.build().dgram)


def require_osc() -> None:
    """Raise SinkError if python-osc is missing."""
    try:
        import pythonosc  # noqa: F401
    except ImportError as error:
        raise SinkError(f"python-osc is not installed; expected: {install_line('avatar')}") from error
