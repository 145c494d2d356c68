"""Read as OpenSeeFace's own receiver does (Unity/OpenSee.cs): field after field at its offset."""

from __future__ import annotations

import struct
import time
from dataclasses import replace

import numpy as np
import pytest

from startrack.tracker.schemes import WFLW_98
from startrack.tracker.sinks.openseeface_sink import FACE, MOST_FACES, OpenSeeFaceSink, pack_face
from startrack.tracker.types import Track
from tests.tracker.signals.test_head_pose import turn
from tests.tracker.sinks.faces import face, listener, seeing, tracked


def packed(track: Track) -> bytes:
    assert track.signals is not None
    return pack_face(track, track.signals, tracked(track).frame, 12.5)


def floats(packet: bytes, offset: int, count: int) -> np.ndarray:
    return np.array(struct.unpack_from(f"<{count}f", packet, offset))


def test_landmarks_of_another_markup_are_put_in_order() -> None:
    track = face(7)
    points, score = np.full((98, 2), -1.0), np.zeros(98)
    points[list(WFLW_98.ibug_68)], score[list(WFLW_98.ibug_68)] = track.landmarks.points, track.landmarks.score
    other = replace(track, landmarks=replace(track.landmarks, points=points, score=score))
    assert other.signals is not None
    assert pack_face(other, other.signals, tracked(other).frame, 12.5, WFLW_98.ibug_68) == packed(track)
    with listener() as listening, OpenSeeFaceSink(*listening.getsockname(), scheme=WFLW_98) as sink:
        sink.write(tracked(other))
        assert listening.recv(65535)[8:] == packed(track)[8:]


def test_a_frontal_face_by_hand() -> None:
    packet = packed(face(7))
    assert (
        len(packet) == 8 + 4 + 2 * 4 + 2 * 4 + 1 + 4 + 3 * 4 + 3 * 4 + 4 * 4 + 4 * 68 + 4 * 2 * 68 + 4 * 3 * 70 + 4 * 14
    )
    assert struct.unpack_from("<di", packet, 0) == (12.5, 7)
    np.testing.assert_allclose(floats(packet, 12, 4), [640, 480, 1, 1])
    assert packet[28] == 1
    # what its matrix_to_quaternion gives for [[0, 1, 0], [1, 0, 0], [0, 0, -1]], up to the sign
    quaternion = floats(packet, 33, 4)
    np.testing.assert_allclose(quaternion * np.sign(quaternion[1]), [np.sqrt(0.5), np.sqrt(0.5), 0, 0], atol=1e-6)
    # the receiver shows (-y, x, -z) as right, up, forward. The eyes are a tenth of the frame wide, so 10 of their
    # distances away; the tip of the nose is half of one nearer, and 0.4 lower
    x, y, z = floats(packet, 61, 3)
    np.testing.assert_allclose([-y, x, -z], [0, -0.4 * 0.632, 9.5 * 0.632], atol=0.02)


def test_a_turned_head_is_shown_turned() -> None:
    """The receiver takes 90 from z and adds 180 to x; a frontal face then has 0 degrees."""
    for drawn in ((0.1, 0.02, 0.03), (-0.2, 0.1, 0.1), (0.02, 0.3, -0.2)):
        x, y, z = floats(packed(face(rotation=turn(*drawn))), 49, 3)
        shown = np.array([-(x + 180), y, z - 90])
        assert np.abs((shown + 180) % 360 - 180).max() < 25, shown


def test_landmarks_and_scores() -> None:
    one = face()
    confidences = floats(packed(one), 73, 68)
    points = floats(packed(one), 345, 136).reshape(68, 2)
    np.testing.assert_allclose(points[:60], one.landmarks.points[:60], rtol=1e-6)
    np.testing.assert_allclose(points[60], one.landmarks.points[61], rtol=1e-6)  # no inner mouth corner
    np.testing.assert_allclose(points[66], one.landmarks.points[36:42].mean(axis=0), rtol=1e-6)
    np.testing.assert_allclose(confidences[:60], one.landmarks.score[:60], rtol=1e-6)
    assert confidences[66:].tolist() == [0, 0]


def test_the_face_in_space_is_unturned_and_starts_at_the_nose() -> None:
    straight = floats(packed(face()), 889, 210).reshape(70, 3)
    turned = floats(packed(face(rotation=turn(0.2, 0.4, 0.3))), 889, 210).reshape(70, 3)
    np.testing.assert_allclose(turned, straight, atol=1e-5)
    np.testing.assert_allclose(straight[30], 0, atol=1e-6)
    assert straight[36, 0] - straight[45, 0] == pytest.approx(0.632, abs=1e-3)  # x to the picture's left
    assert straight[8, 1] > 0 > straight[27, 1]  # sent with y down
    assert straight[68, 2] > straight[66, 2] > 0  # eyeballs behind the pupils, these behind the nose


def test_features_rest_at_zero() -> None:
    features = floats(packed(face()), 889 + 840, 14)
    assert np.abs(features).max() < 0.3


def test_datagrams_arrive() -> None:
    with listener() as listening, OpenSeeFaceSink(*listening.getsockname()) as sink:
        sink.write(tracked())  # nothing to say
        sink.write(tracked(face(3), face(4)))
        packet = listening.recv(65535)
        sink.write(tracked(*(face(id) for id in range(50))))
        crowd = listening.recv(65535)
    assert len(packet) == 2 * FACE.size
    assert abs(struct.unpack_from("<d", packet)[0] - time.time()) < 60
    assert struct.unpack_from("<i", packet, FACE.size + 8) == (4,)
    assert len(crowd) == MOST_FACES * FACE.size


def test_pupils_and_gaze_of_eyes_that_are_read() -> None:
    track = seeing(face(), 30.0)
    assert track.eyes is not None
    packet = packed(track)
    np.testing.assert_allclose(floats(packet, 345, 140).reshape(70, 2)[66:68], track.eyes.iris, rtol=1e-6)
    np.testing.assert_allclose(floats(packet, 73, 68)[66:], track.eyes.visible)
    space = floats(packet, 889, 210).reshape(70, 3)
    for pupil, ball in ((66, 68), (67, 69)):
        way = space[pupil] - space[ball]
        # x to the picture's left, towards the camera
        np.testing.assert_allclose(way / np.linalg.norm(way), [-0.5, 0, -np.sqrt(0.75)], atol=1e-4)
