from __future__ import annotations

import json
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from http.client import HTTPConnection, HTTPResponse
from urllib.parse import urlsplit

import cv2
import numpy as np
import pytest

from startrack.tracker.screen.web_page import MOST_VIEWERS, WebPage, to_jpeg
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
    with connection.getresponse() as response:
        yield response
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


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "LOCALHOST", "127.0.0.1:80", "[::1]:8088"])
def test_every_name_of_this_machine_is_known(host: str) -> None:
    # browsers leave ":80" out
    with WebPage(0) as page, get(page, "/", Host=host) as shown:
        assert shown.status == 200


def test_other_sites_cannot_embed_the_stream() -> None:
    with WebPage(0) as page:
        page.show(picture(1))
        for path in ("/", "/stream.mjpg", "/status.json"):
            with get(page, path, **{"Sec-Fetch-Site": "cross-site"}) as refused:
                assert refused.status == 403
            with get(page, path, **{"Sec-Fetch-Site": "same-origin"}) as shown:
                assert shown.status == 200
                assert shown.getheader("Cross-Origin-Resource-Policy") == "same-origin"
                assert shown.getheader("X-Frame-Options") == "DENY"
                assert "frame-ancestors 'none'" in str(shown.getheader("Content-Security-Policy"))


def test_another_device_needs_the_token() -> None:
    with WebPage(0, "0.0.0.0") as page:
        port = urlsplit(page.url).port
        token = page.url.partition("token=")[2]
        assert len(token) >= 20
        page.show(picture(1))
        for query, status in (("", 403), ("?token=wrong", 403), (f"?token={token}", 200)):
            connection = HTTPConnection("127.0.0.1", port, timeout=10)
            connection.request("GET", f"/{query}", headers={"Host": "pi.local"})
            assert connection.getresponse().status == status
            connection.close()
    with WebPage(0) as local:
        assert "token" not in local.url


def test_viewers_are_limited_and_their_places_given_back() -> None:
    with WebPage(0) as page:
        page.show(picture(1))
        with ExitStack() as stack:
            viewers = [stack.enter_context(get(page, "/stream.mjpg")) for _ in range(MOST_VIEWERS)]
            assert {viewer.status for viewer in viewers} == {200}
            with get(page, "/stream.mjpg") as refused:
                assert refused.status == 503
        deadline = time.monotonic() + 20
        while True:
            page.show(picture(2))
            with get(page, "/stream.mjpg") as viewer:
                if viewer.status == 200:
                    break
            assert time.monotonic() < deadline
            time.sleep(0.1)


def test_the_strip_says_how_fast_it_is_and_what_faces_do() -> None:
    with WebPage(0) as page:
        for _ in range(4):
            page.show(picture(1), {"faces": [{"face": 0, "yaw": -12}]})
        with get(page, "/status.json") as shown:
            status = json.loads(shown.read())
    assert status == {"fps": 2.0, "faces": [{"face": 0, "yaw": -12}]}


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
