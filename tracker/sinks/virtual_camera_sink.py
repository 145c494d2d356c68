"""The overlay as a camera that other programs can choose (v4l2loopback, OBS)."""

from __future__ import annotations

from collections.abc import Callable

import cv2

from startrack.errors import install_line
from startrack.tracker.sinks.base import Sink, SinkError
from startrack.tracker.types import ImageArray, TrackedFrame


class VirtualCameraSink(Sink):
    """Shows each frame once it is there; frames of another size than the first are fitted to it."""

    def __init__(self, size: tuple[int, int], fps: float | None, draw: Callable[[TrackedFrame], ImageArray]) -> None:
        """size: width and height in pixels. Raises SinkError if this machine has no virtual camera."""
        try:
            import pyvirtualcam
        except ImportError as error:
            raise SinkError(f"pyvirtualcam is not installed; expected: {install_line('avatar')}") from error
        self._size, self._draw = size, draw
        try:
            self._camera = pyvirtualcam.Camera(*size, fps or 30)
        except RuntimeError as error:
            first, *_ = str(error).splitlines() or ["no reason given"]
            raise SinkError(f"no virtual camera: {first}; expected v4l2loopback on Linux, OBS elsewhere") from error

    def write(self, tracked: TrackedFrame) -> None:
        """Raises SinkError if the camera is taken away."""
        image = self._draw(tracked)
        if (image.shape[1], image.shape[0]) != self._size:
            image = cv2.resize(image, self._size)  # type: ignore[assignment]
        try:
            self._camera.send(image)
        except RuntimeError as error:
            raise SinkError(f"the virtual camera {self._camera.device} takes no pictures any more: {error}") from error

    def close(self) -> None:
        self._camera.close()
