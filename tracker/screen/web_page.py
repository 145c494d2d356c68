"""A page on this machine for --show web: the newest picture, as a stream that any browser shows."""

from __future__ import annotations

import ipaddress
import json
import math
import secrets
import threading
import time
from collections import deque
from collections.abc import Mapping
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import cv2
import numpy as np

from startrack.closing import Closing
from startrack.tracker.sinks.base import SinkError
from startrack.tracker.types import ImageArray, Track, TrackedFrame

HOST = "127.0.0.1"
LOCAL_NAMES = ("127.0.0.1", "localhost", "::1")
MOST_VIEWERS = 8
"""Streams at a time; each costs a thread and the network."""
TIMEOUT_S = 10.0
"""A viewer that sends no request, or takes no picture, for so long is let go."""
FPS_OVER_S = 2.0
SECURITY_HEADERS = {
    # no other site may show the camera in a frame or as a picture, and the page itself loads nothing from elsewhere
    "Content-Security-Policy": (
        "default-src 'none'; img-src 'self' data:; connect-src 'self'; style-src 'unsafe-inline'; "
        "script-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
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
  #strip { margin-left: auto; overflow: hidden; text-overflow: ellipsis; white-space: nowrap }
  img { width: 100%; height: 100%; min-width: 0; min-height: 0; object-fit: contain }
</style>
<header><h1>startrack</h1><span id="state" role="status">waiting for the first frame</span>
<span id="strip"></span></header>
<main><img id="view" alt="The video with the landmarks of every face"></main>
<script>
  const view = document.getElementById("view"), state = document.getElementById("state");
  const strip = document.getElementById("strip"), key = new URLSearchParams(location.search).get("token") || "";
  const query = () => "?token=" + encodeURIComponent(key) + "&at=" + Date.now();
  const open = () => { view.src = "stream.mjpg" + query() };
  const look = async () => {
    try {
      const now = await (await fetch("status.json" + query())).json();
      const line = face => Object.entries(face).map(([name, value]) => name + " " + value).join(" ");
      const faces = (now.faces || []).map(line);
      strip.textContent = [now.fps + " fps", ...faces].join(" · ");
    } catch { strip.textContent = "" }
    setTimeout(look, 500);
  };
  look();
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

    def __init__(self, port: int, host: str = HOST) -> None:
        """port: 0 takes a free one. host: an address of this machine that other devices reach, "0.0.0.0" for all of
        them; the page then asks for the token that is part of `url`. Raises SinkError if the port is taken.
        """
        self.token = "" if _is_local(host) else secrets.token_urlsafe(16)
        self._viewers = threading.Semaphore(MOST_VIEWERS)
        self._shown_s: deque[float] = deque(maxlen=120)
        self._status: Mapping[str, object] = {}
        self._changed = threading.Condition()
        self._image: ImageArray | None = None
        self._number = 0
        self._encoded: tuple[int, bytes] = (0, b"")
        self._closed = False
        try:
            self._server = _Server((host, port), _Viewer)
        except OSError as error:
            raise SinkError(f"port {port}: no page can be shown there: {error.strerror}") from error
        self._server.page = self
        self.url = f"http://{host}:{self._server.server_port}/" + (f"?token={self.token}" if self.token else "")
        serve = self._server.serve_forever
        self._thread = threading.Thread(target=serve, args=(0.1,), name="startrack-web", daemon=True)
        self._thread.start()

    def show(self, image: ImageArray, status: Mapping[str, object] | None = None) -> bool:
        """Make (H, W, 3) uint8 RGB the newest picture; the caller must not write into it afterwards. status: numbers
        for the page's strip (frame_status). Always True: who watches has no say in when tracking ends."""
        with self._changed:
            self._image, self._number = image, self._number + 1
            self._status = status or {}
            self._shown_s.append(time.monotonic())
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

    def status(self) -> dict[str, object]:
        """Pictures per second of late, and the newest one's numbers."""
        with self._changed:
            since = time.monotonic() - FPS_OVER_S
            recent = sum(shown > since for shown in self._shown_s)
            return {"fps": round(recent / FPS_OVER_S, 1), **self._status}

    def allows(self, host: str, path: str, site: str | None) -> bool:
        """Whether a request may see the camera. host, site: its headers Host and Sec-Fetch-Site.

        Another site's name that points to this machine must not, nor a page of another site that embeds the stream.
        """
        if site not in (None, "none", "same-origin"):
            return False
        if self.token:
            given = parse_qs(urlsplit(path).query).get("token", [""])[0]
            return secrets.compare_digest(given.encode(), self.token.encode())
        try:
            return urlsplit(f"//{host}").hostname in LOCAL_NAMES
        except ValueError:
            return False

    def enter(self) -> bool:
        """Take a viewer's place; False if there is none. leave gives it back."""
        return self._viewers.acquire(blocking=False)

    def leave(self) -> None:
        self._viewers.release()

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


def frame_status(tracked: TrackedFrame) -> dict[str, object]:
    """Numbers of a frame for the strip: for each face its id and what its signals say."""
    return {"faces": [_face_status(track) for track in tracked.tracks]}


def _face_status(track: Track) -> dict[str, float]:
    status: dict[str, float] = {"face": track.id}
    if track.signals is not None:
        angles = zip(("pitch", "yaw", "roll"), track.signals.pose.angles_rad, strict=True)
        status |= {name: round(math.degrees(angle)) for name, angle in angles}
        status |= {name.replace("_", " "): round(value, 2) for name, value in track.signals.values.items()}
    return status


def _is_local(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


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
    timeout = TIMEOUT_S

    def do_GET(self) -> None:
        page = self.server.page
        if not page.allows(self.headers.get("Host", ""), self.path, self.headers.get("Sec-Fetch-Site")):
            self.send_error(HTTPStatus.FORBIDDEN)
            return
        match self.path.partition("?")[0]:
            case "/":
                self._send("text/html; charset=utf-8", PAGE.encode())
            case "/status.json":
                self._send("application/json", json.dumps(page.status()).encode())
            case "/stream.mjpg" if page.enter():
                try:
                    self._stream()
                finally:
                    page.leave()
            case "/stream.mjpg":
                self.send_error(HTTPStatus.SERVICE_UNAVAILABLE, f"{MOST_VIEWERS} viewers already")
            case _:
                self.send_error(HTTPStatus.NOT_FOUND)

    def _send(self, kind: str, body: bytes) -> None:
        self.send_response(HTTPStatus.OK)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Cache-Control", "no-store")
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

    def end_headers(self) -> None:
        for name, value in SECURITY_HEADERS.items():
            self.send_header(name, value)
        super().end_headers()

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing: the progress line has the screen."""
