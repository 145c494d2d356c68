"""A window on the screen, and the choice of what --show opens."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext, suppress

import cv2

from startrack.closing import Closing
from startrack.tracker.screen.web_page import HOST, WebPage
from startrack.tracker.sinks.base import SinkError
from startrack.tracker.types import ImageArray
from startrack.tracker.video.base import VideoInfo

KEYS_TO_STOP = (ord("q"), ord("Q"), 27)
"""27 is Escape."""
PROBE = "import {order}; cv2.namedWindow('startrack'); cv2.destroyAllWindows()"
PROBE_SECONDS = 20.0
SHARE_LIBXCB = ("cv2", "av")
"""Packages whose order of loading decides whether a window opens (tracker.video.pyav); the better one."""


def display_problem() -> str | None:
    """Why no window can be opened on this machine, as far as its environment says; None if it may work."""
    if not sys.platform.startswith("linux") or os.environ.get("QT_QPA_PLATFORM"):
        return None
    if os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"):
        return None
    return "no display: neither DISPLAY nor WAYLAND_DISPLAY is set"


def window_problem() -> str | None:
    """Why no window can be opened on this machine, tried in a process of its own (about half a second); None if one
    can."""
    return display_problem() or _probe()


class Window(Closing):
    """Shows pictures until its user has seen enough: `if not window.show(image): break`."""

    def __init__(self, title: str) -> None:
        """Raises SinkError with the reason when this machine cannot show windows."""
        self._title = title
        self._shown = False
        if problem := window_problem():
            raise SinkError(problem)

    def show(self, image: ImageArray, status: Mapping[str, object] | None = None) -> bool:
        """Put (H, W, 3) uint8 RGB on the screen; status is for a page. False once q or Escape was pressed or the window
        closed by hand."""
        if self._shown and cv2.getWindowProperty(self._title, cv2.WND_PROP_VISIBLE) < 1:
            return False
        if not self._shown:
            cv2.namedWindow(self._title, cv2.WINDOW_NORMAL | cv2.WINDOW_KEEPRATIO)
            cv2.resizeWindow(self._title, image.shape[1], image.shape[0])
            self._shown = True
        cv2.imshow(self._title, cv2.cvtColor(image, cv2.COLOR_RGB2BGR))
        return cv2.waitKey(1) & 0xFF not in KEYS_TO_STOP

    def close(self) -> None:
        """Safe to call twice, and after the window was closed by hand."""
        if self._shown:
            self._shown = False
            with suppress(cv2.error):
                cv2.destroyWindow(self._title)


def open_screen(
    show: str, info: VideoInfo, *, port: int, host: str = HOST, report: Callable[[str], None] = print
) -> AbstractContextManager[Window | WebPage | None]:
    """Where a source is watched. show: "window", "web" (a page on `port` of `host`, by default for this machine alone),
    "none", or "auto": a window for a live source where the display works. report: is given the page's address.

    Raises SinkError as Window and WebPage do; "auto" reports the reason and goes on without a window.
    """
    if show == "web":
        page = WebPage(port, host)
        report(f"watch at {page.url}")
        return page
    if show == "none" or (show == "auto" and not info.is_live):
        return nullcontext()
    try:
        return Window(f"startrack: {info.name}")
    except SinkError as error:
        if show == "window":
            raise SinkError(f"{error}; leave out --show, or write a video with --save-video") from error
        report(f"tracking without a window: {error}")
        return nullcontext()


def _import_order() -> list[str]:
    """SHARE_LIBXCB in the order in which this process has loaded them; those that it has not follow."""
    loaded = [name for name in sys.modules if name in SHARE_LIBXCB]
    return loaded + [name for name in SHARE_LIBXCB if name not in loaded]


def _probe() -> str | None:
    """Open a window in a process of its own, with this process's order of imports, and return what went wrong.

    Qt aborts the whole process when the display does not answer, which no except clause catches and which would leave
    a video unfinished; with PyAV loaded before OpenCV it never returns. OpenCV without windows fails here too.
    """
    if not sys.platform.startswith("linux"):
        return None
    order = _import_order()
    command = [sys.executable, "-P", "-c", PROBE.format(order=", ".join(order))]
    try:
        result = subprocess.run(command, capture_output=True, text=True, timeout=PROBE_SECONDS, check=False)
    except subprocess.TimeoutExpired:
        cure = "" if order[0] == "cv2" else ", with PyAV loaded before OpenCV (import cv2 before av)"
        return f"OpenCV opened no window within {PROBE_SECONDS:g} s{cure}"
    if result.returncode == 0:
        return None
    if "not implemented" in result.stderr:
        return "this OpenCV has no windows (opencv-python has; --show web opens a page instead)"
    lines = [line.strip() for line in result.stderr.splitlines() if line.strip()]
    return f"OpenCV cannot open a window ({lines[0] if lines else f'exit status {result.returncode}'})"
