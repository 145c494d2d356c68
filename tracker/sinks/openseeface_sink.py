"""Tracks as OpenSeeFace's datagrams, so that avatar programs written for OpenSeeFace take them."""

from __future__ import annotations

import struct
import time
from collections.abc import Sequence
from typing import TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

from startrack.tracker.schemes import IBUG_68, LandmarkScheme
from startrack.tracker.signals.expression import frontal_shape
from startrack.tracker.signals.head_model import OUTER_EYES_MM
from startrack.tracker.signals.head_pose import quaternion
from startrack.tracker.sinks.base import Sink
from startrack.tracker.sinks.datagrams import Datagrams
from startrack.tracker.types import Eyes, FaceSignals, Frame, Track, TrackedFrame

Float64Array: TypeAlias = NDArray[np.float64]

DEFAULT_PORT = 11573
FACE = struct.Struct("<d i 2f 2f B f 4f 3f 3f 68f 136f 210f 14f")
"""One face, 1785 bytes, as OpenSeeFace's facetracker.py writes it and Unity/OpenSee.cs reads it (dee5bb7): time, id,
frame size, right and left eye open, whether there is a pose, its error, quaternion, Euler angles, translation,
confidences, landmarks x y, landmarks in space, features."""
MOST_FACES = 36
"""As many as a datagram holds."""
LANDMARKS = (*range(60), 61, 62, 63, 65, 66, 67)
"""OpenSeeFace has no inner mouth corners."""
NOSE_TIP = 30
UNITS_PER_EYES = 0.632
"""Distance of the outer eye corners of OpenSeeFace's head, whose origin is the tip of the nose."""
EYEBALL_DEPTH = 0.105
"""How far behind the pupils the eyeballs' centres lie, in units of their head."""
AXES = np.array([[0.0, 1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, -1.0]])
"""The rotation they find for a frontal face. Their camera counts rows before columns, their head has x to the picture's
left, y up, z towards the camera, and their solution lies behind the camera, as OpenSee.cs undoes: so does ours."""


class OpenSeeFaceSink(Sink):
    """One datagram per frame with a face. Needs tracks with signals.

    68 landmarks have no pupils: unless eyes are read, they are given in the middle of the eyes with confidence 0, so an
    avatar looks ahead.
    OpenSeeFace measures its features against a person's earlier face; ours are those of the blendshapes.
    """

    def __init__(self, host: str, port: int = DEFAULT_PORT, *, scheme: LandmarkScheme = IBUG_68) -> None:
        """scheme: of the tracks, one with iBUG's 68 landmarks. Raises SinkError if the host has no address."""
        self._ibug_68 = scheme.ibug_68
        self._datagrams = Datagrams(host, port)

    def write(self, tracked: TrackedFrame) -> None:
        now_s = time.time()
        faces = [
            pack_face(track, track.signals, tracked.frame, now_s, self._ibug_68)
            for track in tracked.tracks[:MOST_FACES]
            if track.signals is not None
        ]
        if faces:
            self._datagrams.send(b"".join(faces))

    def close(self) -> None:
        self._datagrams.close()


def pack_face(
    track: Track, signals: FaceSignals, frame: Frame, now_s: float, ibug_68: Sequence[int] = IBUG_68.ibug_68
) -> bytes:
    """FACE of one track. now_s: seconds since 1970. ibug_68: which of the track's landmarks are iBUG's."""
    points = np.asarray(track.landmarks.points, np.float64)[list(ibug_68)]
    scores = np.asarray(track.landmarks.score, np.float64)[list(ibug_68)]
    pupils, sure = np.stack([points[36:42].mean(axis=0), points[42:48].mean(axis=0)]), [0.0, 0.0]
    if track.eyes is not None:
        pupils, sure = np.asarray(track.eyes.iris, np.float64), list(map(float, track.eyes.visible))
    seen = np.concatenate([points[list(LANDMARKS)], pupils])
    confidences = [*scores[list(LANDMARKS)], *sure]
    rotation = AXES @ signals.pose.rotation
    nose_mm = signals.pose.position_mm + OUTER_EYES_MM * (signals.pose.rotation @ signals.pose.head.points[NOSE_TIP])
    across, down, away = nose_mm * UNITS_PER_EYES / OUTER_EYES_MM
    return FACE.pack(
        now_s, track.id, frame.width, frame.height, *signals.eyes_open, 1, 0.0,
        # their quaternion is that of the inverse
        *quaternion(rotation.T), *cv2.RQDecomp3x3(rotation)[0], -down, -across, -away,
        *confidences, *seen.ravel(), *_in_space(points, signals, track.eyes).ravel(), *_features(signals),
    )  # fmt: skip


def _in_space(points: Float64Array, signals: FaceSignals, eyes: Eyes | None) -> Float64Array:
    """(70, 3) landmarks, pupils and eyeballs on their unturned head, x to the picture's left, y down, z away."""
    shape = np.column_stack([frontal_shape(points, signals.pose), signals.pose.head.points[:, 2]])
    head = (shape - shape[NOSE_TIP]) * UNITS_PER_EYES * [-1, 1, 1]
    ahead = np.stack([head[36:42].mean(axis=0), head[42:48].mean(axis=0)])
    balls = ahead + np.array([0, 0, EYEBALL_DEPTH])
    # an avatar looks along the line from an eyeball to its pupil
    pupils = ahead if eyes is None else balls + EYEBALL_DEPTH * np.asarray(eyes.gaze_in_head, np.float64) * [-1, 1, 1]
    return np.concatenate([head[list(LANDMARKS)], pupils, balls])


def _features(signals: FaceSignals) -> list[float]:
    """Their 14 features, -1 to 1 with 0 for a usual face, in their order."""
    shapes = signals.blendshapes

    def eye(side: str) -> float:
        return shapes[f"eyeWide{side}"] - shapes[f"eyeBlink{side}"]

    def brow(side: str) -> list[float]:
        height = (shapes["browInnerUp"] + shapes[f"browOuterUp{side}"]) / 2 - shapes[f"browDown{side}"]
        return [0.0, height, 0.0]  # steepness and quirk are not known

    def corner(side: str) -> list[float]:
        narrow = max(shapes["mouthPucker"], shapes["mouthFunnel"])
        return [shapes[f"mouthFrown{side}"] - shapes[f"mouthSmile{side}"], shapes[f"mouthSmile{side}"] - narrow]

    wide = (corner("Left")[1] + corner("Right")[1]) / 2
    return [
        *(eye("Left"), eye("Right")), *brow("Left"), *brow("Right"), *corner("Left"), *corner("Right"),
        *(shapes["jawOpen"], wide),
    ]  # fmt: skip
