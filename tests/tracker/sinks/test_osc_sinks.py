from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("pythonosc")
from pythonosc.osc_bundle import OscBundle
from pythonosc.osc_message import OscMessage

from startrack.tracker.sinks.osc_sink import OscSink
from startrack.tracker.sinks.vmc_sink import VmcSink
from tests.tracker.signals.test_head_pose import turn
from tests.tracker.sinks.faces import face, listener, seeing, tracked


def told(datagram: bytes) -> list[tuple[str, list[object]]]:
    """Addresses and arguments, read by python-osc's own parser."""
    return [(one.address, one.params) for one in OscBundle(datagram) if isinstance(one, OscMessage)]


def test_everything_is_told_face_by_face() -> None:
    with listener() as listening, OscSink(*listening.getsockname()) as sink:
        sink.write(tracked(face(3, rotation=turn(0.1, 0.2, 0.3))))
        assert told(listening.recv(65535)) == [("/startrack/faces", [1])]
        messages = dict(told(listening.recv(65535)))
    assert messages["/startrack/3/box"] == [1, 2, 3, 4]
    assert len(messages["/startrack/3/landmarks"]) == 136
    np.testing.assert_allclose(messages["/startrack/3/pose"], np.degrees([0.1, 0.2, 0.3]), rtol=1e-5)
    np.testing.assert_allclose(messages["/startrack/3/position"], [0, 0, 900], atol=1e-2)
    assert messages["/startrack/3/blendshapes/eyeBlinkLeft"] == [0]


def test_an_avatar_gets_head_and_blendshapes_of_one_face() -> None:
    with listener() as listening, VmcSink(*listening.getsockname()) as sink:
        sink.write(tracked(time_s=1.5))
        alone = told(listening.recv(65535))
        sink.write(tracked(face(2, rotation=turn(0.3, 0, 0)), face(5), time_s=2.0))
        messages = told(listening.recv(65535))
    assert alone == [("/VMC/Ext/OK", [1]), ("/VMC/Ext/T", [1.5])]
    bones = {arguments[0]: arguments[1:] for address, arguments in messages if address == "/VMC/Ext/Bone/Pos"}
    assert set(bones) == {"Neck", "Head"}
    # a nod: about the avatar's axis to its right, positive is down, as Unity turns; each bone takes half of it
    for bone in bones.values():
        np.testing.assert_allclose(bone, [0, 0, 0, np.sin(0.075), 0, 0, np.cos(0.075)], atol=1e-6)
    values = {arguments[0]: arguments[1] for address, arguments in messages if address == "/VMC/Ext/Blend/Val"}
    assert {"jawOpen", "A", "I", "U", "E", "O", "Blink_L", "Blink_R", "mouthSmileLeft"} <= set(values)
    assert messages[-1] == ("/VMC/Ext/Blend/Apply", [])


def test_an_avatar_of_vrm_1_gets_its_names() -> None:
    with listener() as listening, VmcSink(*listening.getsockname(), vrm="1") as sink:
        sink.write(tracked(face()))
        messages = told(listening.recv(65535))
    names = {arguments[0] for address, arguments in messages if address == "/VMC/Ext/Blend/Val"}
    assert {"aa", "ih", "ou", "ee", "oh", "blinkLeft", "blinkRight", "jawOpen"} <= names
    assert not {"A", "Blink_L"} & names


def test_an_avatars_eyes_turn_in_its_head() -> None:
    with listener() as listening, VmcSink(*listening.getsockname()) as sink:
        sink.write(tracked(seeing(face(rotation=turn(0.3, 0, 0)), 0.0, 20.0)))
        messages = told(listening.recv(65535))
    bones = {arguments[0]: arguments[1:] for address, arguments in messages if address == "/VMC/Ext/Bone/Pos"}
    assert set(bones) == {"Neck", "Head", "LeftEye", "RightEye"}
    # downwards like a nod, whatever the head does
    half = np.radians(10)
    for eye in ("LeftEye", "RightEye"):
        np.testing.assert_allclose(bones[eye], [0, 0, 0, np.sin(half), 0, 0, np.cos(half)], atol=1e-6)
    values = {arguments[0]: arguments[1] for address, arguments in messages if address == "/VMC/Ext/Blend/Val"}
    assert values["eyeLookDownLeft"] == values["LookDown"] == pytest.approx(20 / 22, abs=1e-6)


def test_an_avatar_looks_to_the_side_that_the_face_looks_to() -> None:
    """To the picture's right is to the face's own left: Unity turns about its axis upwards, positive to the right."""
    with listener() as listening, VmcSink(*listening.getsockname()) as sink:
        sink.write(tracked(seeing(face(), 20.0)))
        messages = told(listening.recv(65535))
        sink.write(tracked(face(rotation=turn(0, -np.radians(20), 0))))
        head = told(listening.recv(65535))
    bones = {arguments[0]: arguments[1:] for address, arguments in messages if address == "/VMC/Ext/Bone/Pos"}
    neck = next(arguments for _, arguments in head if arguments[:1] == ["Neck"])
    # a head that turns to the picture's right turns about the same axis, and the neck takes half of it
    assert np.sign(bones["LeftEye"][4]) == np.sign(neck[5])
    np.testing.assert_allclose(2 * np.arcsin(bones["LeftEye"][4]), 4 * np.arcsin(neck[5]), atol=1e-5)


def test_everything_of_the_eyes_is_sent() -> None:
    track = seeing(face(3), 30.0)
    assert track.eyes is not None
    with listener() as listening, OscSink(*listening.getsockname()) as sink:
        sink.write(tracked(track))
        listening.recv(65535)
        messages = dict(told(listening.recv(65535)))
    np.testing.assert_allclose(messages["/startrack/3/gaze"], [0.5, 0, -np.sqrt(0.75)], atol=1e-6)
    np.testing.assert_allclose(messages["/startrack/3/iris"], track.eyes.iris.ravel(), rtol=1e-6)
    assert "/startrack/3/gaze_in_head" in messages
