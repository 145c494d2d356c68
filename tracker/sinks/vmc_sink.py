"""The first face as a performer of the Virtual Motion Capture protocol: head and blendshapes of an avatar."""

from __future__ import annotations

from startrack.tracker.eyes.direction import turn_to
from startrack.tracker.signals.head_pose import part_of_turn, quaternion
from startrack.tracker.sinks.base import Sink
from startrack.tracker.sinks.datagrams import Datagrams
from startrack.tracker.sinks.osc_sink import Message, bundle, require_osc
from startrack.tracker.sinks.vrm import vrm_expressions
from startrack.tracker.types import Eyes, FaceSignals, TrackedFrame

DEFAULT_PORT = 39539
NECK = 0.5
"""Share of the head's turn that the neck takes; the head turns by the rest on it."""


class VmcSink(Sink):
    """One bundle per frame (protocol.vmc.info): /VMC/Ext/OK and /VMC/Ext/T always; with a face also the bones Neck and
    Head, where eyes are read LeftEye and RightEye, ARKit's blendshapes and VRM's expressions (tracker.sinks.vrm), then
    /VMC/Ext/Blend/Apply.

    An avatar is one person: the face with the lowest id. Needs tracks with signals.
    """

    def __init__(self, host: str, port: int = DEFAULT_PORT, *, vrm: str = "0") -> None:
        """vrm: version of VRM whose names are sent, "0" or "1". Raises SinkError if the host has no address or
        python-osc is missing."""
        require_osc()
        self._vrm = vrm
        self._datagrams = Datagrams(host, port)

    def write(self, tracked: TrackedFrame) -> None:
        messages: list[Message] = [("/VMC/Ext/OK", [1]), ("/VMC/Ext/T", [tracked.frame.time_s])]
        first = next((track for track in tracked.tracks if track.signals is not None), None)
        if first is not None and first.signals is not None:
            messages += performance(first.signals, self._vrm, first.eyes)
        self._datagrams.send(bundle(messages))

    def close(self) -> None:
        self._datagrams.close()


def performance(signals: FaceSignals, vrm: str, eyes: Eyes | None = None) -> list[Message]:
    """What moves the avatar. Its axes (right, up, forward) are all three against the camera's (x to the picture's
    right, y down, z away), so that a rotation is the same matrix; each bone's is relative to the bone below it."""
    shapes = {**signals.blendshapes, **vrm_expressions(signals.blendshapes, vrm)}
    turn = signals.pose.rotation
    turns = {"Neck": part_of_turn(turn, NECK), "Head": part_of_turn(turn, 1 - NECK)}
    if eyes is not None:
        turns |= dict.fromkeys(("LeftEye", "RightEye"), turn_to(eyes.gaze_in_head))
    bones: list[Message] = [
        ("/VMC/Ext/Bone/Pos", [name, 0.0, 0.0, 0.0, *quaternion(rotation)]) for name, rotation in turns.items()
    ]
    values: list[Message] = [("/VMC/Ext/Blend/Val", [name, value]) for name, value in shapes.items()]
    return [*bones, *values, ("/VMC/Ext/Blend/Apply", [])]
