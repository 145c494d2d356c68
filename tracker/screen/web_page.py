"""A page on this machine for --show web: the newest picture, as a stream that any browser shows."""

from __future__ import annotations

import threading
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import cv2
import numpy as np

from startrack.closing import Closing
from startrack.tracker.sinks.base import SinkError
from startrack.tracker.types import ImageArray

HOST = "127.0.0.1"
JPEG_QUALITY = 80
BOUNDARY = "frame"
WAKE_S = 0.5
"""How often a waiting viewer looks whether the page was closed."""
PAGE = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>startrack</title>
<link rel="icon" href="data:,">
<style>
  html, body { margin: 0; height: 100%; background: #101214; color: #b8c0c8; font: 15px system-ui, sans-serif }
  body { display: grid; grid-template-rows: auto 1fr }
  header { padding: .6rem 1rem; display: flex; gap: 1rem; align-items: baseline }
  h1 { font-size: 1rem; margin: 0; color: #40e0d0 }
  main { min-height: 0; display: grid; place-items: center; padding: 0 .5rem .5rem }
  img { width: 100%; height: 100%; min-width: 0; min-height: 0; object-fit: contain }
</style>
<header><h1>startrack</h1><span id="state" role="status">waiting for the first frame</span></header>
<main><img id="view" alt="The video with the landmarks of every face"></main>
<script>
  const view = document.getElementById("view"), state = document.getElementById("state");
  const open = () => { view.src = "stream.mjpg?" + Date.now() };
  view.onload = () => { state.textContent = `live, ${view.naturalWidth} × ${view.naturalHeight}` };
  view.onerror = () => { state.textContent = "tracking has ended; trying again"; setTimeout(open, 1000) };
  open();
</script>
</html>
"""


class WebPage(Closing):
    """Shows pictures to every browser on this machine that has the page open, like tracker.screen.window.Window.

    A picture is compressed only if somebody watches, in the viewer's thread; slow viewers miss pictures.
    """

    def __init__(self, port: int) -> None:
        """port: 0 takes a free one. Raises SinkError if the port is taken."""
        self._changed = threading.Condition()
        self._image: ImageArray | None = None
        self._number = 0
        self._encoded: tuple[int, bytes] = (0, b"")
        self._closed = False
        try:
            self._server = _Server((HOST, port), _Viewer)
        except OSError as error:
            raise SinkError(f"port {port}: no page can be shown there: {error.strerror}") from error
        self._server.page = self
        self.url = f"http://{HOST}:{self._server.server_port}/"
        serve = self._server.serve_forever
        self._thread = threading.Thread(target=serve, args=(0.1,), name="startrack-web", daemon=True)
        self._thread.start()

    def show(self, image: ImageArray) -> bool:
        """Make (H, W, 3) uint8 RGB the newest picture; the caller must not write into it afterwards. Always True: who
        watches has no say in when tracking ends."""
        with self._changed:
            self._image, self._number = image, self._number + 1
            self._changed.notify_all()
        return True

    def next_picture(self, after: int) -> tuple[int, bytes] | None:
        """Number and JPEG of a picture newer than number `after`; None once the page is closed."""
        with self._changed:
            while not self._closed and self._number <= after:
                self._changed.wait(WAKE_S)
            if self._closed or self._image is None:
                return None
            image, number = self._image, self._number
            if self._encoded[0] == number:
                return self._encoded
        picture = number, to_jpeg(image)
        with self._changed:
            self._encoded = max(self._encoded, picture)
        return picture

    def close(self) -> None:
        """End every stream and free the port. Safe to call twice."""
        with self._changed:
            if self._closed:
                return
            self._closed = True
            self._changed.notify_all()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


def to_jpeg(image: ImageArray) -> bytes:
    """(H, W, 3) uint8 RGB as a JPEG file."""
    _, encoded = cv2.imencode(".jpg", cv2.cvtColor(image, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
    return bytes(np.asarray(encoded).data)


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    page: WebPage

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A viewer that leaves is no error."""


class _Viewer(BaseHTTPRequestHandler):
    server: _Server

    def do_GET(self) -> None:
        # another site's name that points to this machine must not see the camera
        if self.headers.get("Host", "").rpartition(":")[0] not in (HOST, "localhost"):
            self.send_error(HTTPStatus.FORBIDDEN)
            return
        match self.path.partition("?")[0]:
            case "/":
                self._send("text/html; charset=utf-8", PAGE.encode())
            case "/stream.mjpg":
                self._stream()
            case _:
                self.send_error(HTTPStatus.NOT_FOUND)

    def _send(self, kind: str, body: bytes) -> None:
        self.send_response(HTTPStatus.OK)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _stream(self) -> None:
        self.send_response(HTTPStatus.OK)
        self.send_header("Content-Type", f"multipart/x-mixed-replace; boundary={BOUNDARY}")
        self.send_header("Cache-Control", "no-store")
        self.end_headers()
        number = 0
        while picture := self.server.page.next_picture(number):
            number, jpeg = picture
            head = f"--{BOUNDARY}\r\nContent-Type: image/jpeg\r\nContent-Length: {len(jpeg)}\r\n\r\n"
            self.wfile.write(head.encode() + jpeg + b"\r\n")

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing: the progress line has the screen."""
