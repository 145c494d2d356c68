"""The first face as a performer of the Virtual Motion Capture protocol: head and blendshapes of an avatar."""

from __future__ import annotations

from startrack.tracker.signals.head_pose import quaternion
from startrack.tracker.sinks.base import Sink
from startrack.tracker.sinks.datagrams import Datagrams
from startrack.tracker.sinks.osc_sink import Message, bundle, require_osc
from startrack.tracker.types import FaceSignals, TrackedFrame

DEFAULT_PORT = 39539


class VmcSink(Sink):
    """One bundle per frame (protocol.vmc.info): /VMC/Ext/OK and /VMC/Ext/T always; with a face also the bone Head,
    ARKit's blendshapes and VRM's own (A, U, O, Blink_L, Blink_R), then /VMC/Ext/Blend/Apply.

    An avatar is one person: the face with the lowest id. Needs tracks with signals.
    """

    def __init__(self, host: str, port: int = DEFAULT_PORT) -> None:
        """Raises SinkError if the host has no address or python-osc is missing."""
        require_osc()
        self._datagrams = Datagrams(host, port)

    def write(self, tracked: TrackedFrame) -> None:
        messages: list[Message] = [("/VMC/Ext/OK", [1]), ("/VMC/Ext/T", [tracked.frame.time_s])]
        signals = next((track.signals for track in tracked.tracks if track.signals is not None), None)
        if signals is not None:
            messages += performance(signals)
        self._datagrams.send(bundle(messages))

    def close(self) -> None:
        self._datagrams.close()


def performance(signals: FaceSignals) -> list[Message]:
    """What moves the avatar. Its axes (right, up, forward) are all three against the camera's (x to the picture's
    right, y down, z away), so that the rotation is the same matrix."""
    shapes = dict(signals.blendshapes)
    shapes |= {
        "A": shapes["jawOpen"] * (1 - shapes["mouthFunnel"]),
        "U": shapes["mouthPucker"],
        "O": shapes["mouthFunnel"],
        "Blink_L": shapes["eyeBlinkLeft"],
        "Blink_R": shapes["eyeBlinkRight"],
    }
    head: Message = ("/VMC/Ext/Bone/Pos", ["Head", 0.0, 0.0, 0.0, *quaternion(signals.pose.rotation)])
    values: list[Message] = [("/VMC/Ext/Blend/Val", [name, value]) for name, value in shapes.items()]
    return [head, *values, ("/VMC/Ext/Blend/Apply", [])]
