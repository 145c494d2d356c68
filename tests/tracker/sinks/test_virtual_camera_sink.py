"""The driver is not at hand in tests: pyvirtualcam's Camera is played by a class with the same methods."""

from __future__ import annotations

import sys
from types import SimpleNamespace

import numpy as np
import pytest

from startrack.tracker.sinks.base import SinkError
from startrack.tracker.sinks.virtual_camera_sink import VirtualCameraSink
from startrack.tracker.types import ImageArray, TrackedFrame
from tests.tracker.sinks.faces import tracked


class Camera:
    device = "/dev/video9"

    def __init__(self, width: int, height: int, fps: float) -> None:
        self.made = (width, height, fps)
        self.sent: list[ImageArray] = []
        self.closed = False

    def send(self, image: ImageArray) -> None:
        if image.shape != (self.made[1], self.made[0], 3):
            raise ValueError("unexpected frame size")
        if self.closed:
            raise RuntimeError("device is gone")
        self.sent.append(image)

    def close(self) -> None:
        self.closed = True


@pytest.fixture
def camera(monkeypatch: pytest.MonkeyPatch) -> list[Camera]:
    made: list[Camera] = []

    def make(*arguments: float) -> Camera:
        made.append(Camera(*arguments))  # type: ignore[arg-type]
        return made[-1]

    monkeypatch.setitem(sys.modules, "pyvirtualcam", SimpleNamespace(Camera=make))
    return made


def grey(_: TrackedFrame) -> ImageArray:
    return np.full((480, 640, 3), 9, np.uint8)


def test_pictures_are_shown_at_the_size_that_was_announced(camera: list[Camera]) -> None:
    with VirtualCameraSink((320, 240), None, grey) as sink:
        sink.write(tracked())
    assert camera[0].made == (320, 240, 30)
    assert [image.shape for image in camera[0].sent] == [(240, 320, 3)]
    assert camera[0].closed


def test_a_camera_that_is_taken_away_is_named(camera: list[Camera]) -> None:
    sink = VirtualCameraSink((640, 480), 25.0, grey)
    camera[0].closed = True
    with pytest.raises(SinkError, match="/dev/video9 takes no pictures any more: device is gone"):
        sink.write(tracked())


def test_what_is_missing_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("'auto' backend: no v4l2loopback device\nmore")

    monkeypatch.setitem(sys.modules, "pyvirtualcam", SimpleNamespace(Camera=fail))
    with pytest.raises(SinkError, match=r"^no virtual camera: 'auto' backend: no v4l2loopback device; expected"):
        VirtualCameraSink((640, 480), 25.0, grey)
    monkeypatch.setitem(sys.modules, "pyvirtualcam", None)
    with pytest.raises(SinkError, match=r"pip install 'startrack\[avatar\]'"):
        VirtualCameraSink((640, 480), 25.0, grey)
