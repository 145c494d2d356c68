from __future__ import annotations

import shutil
import socket
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection, HTTPResponse
from urllib.parse import urlsplit

import cv2
import numpy as np
import pytest

from startrack.tracker.screen.web_page import WebPage, to_jpeg
from startrack.tracker.sinks.base import SinkError
from startrack.tracker.types import ImageArray

BROWSER = shutil.which("chromium") or shutil.which("google-chrome")


def picture(level: int) -> ImageArray:
    image = np.full((48, 64, 3), level, np.uint8)
    image[..., 0] = 200  # red
    return image


@contextmanager
def get(page: WebPage, path: str, **headers: str) -> Iterator[HTTPResponse]:
    connection = HTTPConnection(urlsplit(page.url).netloc, timeout=10)
    connection.request("GET", path, headers=headers)
    yield connection.getresponse()
    connection.close()


def next_part(response: HTTPResponse) -> ImageArray:
    """One picture of a multipart stream."""
    assert response.readline() == b"--frame\r\n"
    assert response.readline() == b"Content-Type: image/jpeg\r\n"
    size = int(response.readline().removeprefix(b"Content-Length: "))
    assert response.readline() == b"\r\n"
    decoded = cv2.imdecode(np.frombuffer(response.read(size), np.uint8), cv2.IMREAD_COLOR_RGB)
    assert response.readline() == b"\r\n"
    return np.asarray(decoded, np.uint8)


def test_viewers_get_the_newest_picture() -> None:
    with WebPage(0) as page:
        assert page.show(picture(10))
        assert page.show(picture(100))
        with get(page, "/stream.mjpg") as first, get(page, "/stream.mjpg") as second:
            for viewer in (first, second):
                assert viewer.getheader("Content-Type") == "multipart/x-mixed-replace; boundary=frame"
                np.testing.assert_allclose(next_part(viewer).mean(axis=(0, 1)), [200, 100, 100], atol=3)
            page.show(picture(50))
            np.testing.assert_allclose(next_part(first).mean(axis=(0, 1)), [200, 50, 50], atol=3)


def test_a_picture_is_compressed_once_and_only_if_somebody_watches(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[bytes] = []

    def counted(image: ImageArray) -> bytes:
        made.append(to_jpeg(image))
        return made[-1]

    monkeypatch.setattr("startrack.tracker.screen.web_page.to_jpeg", counted)
    with WebPage(0) as page:
        for level in range(9):
            page.show(picture(level))
        assert made == []
        assert page.next_picture(0) == page.next_picture(0) == (9, made[0])
    assert len(made) == 1


def test_closing_ends_every_stream() -> None:
    page = WebPage(0)
    page.show(picture(1))
    with get(page, "/stream.mjpg") as viewer:
        next_part(viewer)
        closing = threading.Timer(0.2, page.close)
        closing.start()
        assert viewer.read() == b""
        closing.join()
    page.close()
    with pytest.raises(ConnectionRefusedError), get(page, "/"):
        pass


def test_only_this_machine_may_look() -> None:
    with WebPage(0) as page:
        with get(page, "/", Host="attacker.example:80") as refused:
            assert refused.status == 403
        with get(page, "/") as shown:
            assert (shown.status, shown.getheader("Content-Type")) == (200, "text/html; charset=utf-8")
            assert b"<title>startrack</title>" in shown.read()
        with get(page, "/etc/passwd") as missing:
            assert missing.status == 404


def test_a_taken_port_is_named() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(SinkError, match=rf"port {port}: no page can be shown there"):
            WebPage(port)


@pytest.mark.skipif(BROWSER is None, reason="no browser on this machine")
def test_a_browser_shows_the_video() -> None:
    assert BROWSER is not None
    with WebPage(0) as page:
        stop = threading.Event()

        def play() -> None:
            while not stop.wait(0.05):
                page.show(picture(90))

        player = threading.Thread(target=play)
        player.start()
        flags = ("--headless", "--no-sandbox", "--disable-gpu", "--virtual-time-budget=2000", "--dump-dom")
        shown = subprocess.run([BROWSER, *flags, page.url], capture_output=True, text=True, timeout=60, check=False)
        stop.set()
        player.join()
    assert "live, 64 × 48" in shown.stdout
