"""Videos and streams from a URL."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from http.server import BaseHTTPRequestHandler, HTTPServer, SimpleHTTPRequestHandler
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

import av
import pytest

from startrack.tracker.video import source
from startrack.tracker.video.source import open_source, open_stream
from tests.tracker.video.noise import noise

if TYPE_CHECKING:
    from tests.conftest import MakeClip


@contextmanager
def http_server(handler: Callable[..., BaseHTTPRequestHandler]) -> Iterator[str]:
    with HTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


class QuietFiles(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        pass


class EndlessTs(BaseHTTPRequestHandler):
    """Sends a transport stream whose length is not known."""

    protocol_version = "HTTP/1.1"

    def __init__(self, path: Path, *rest: object) -> None:
        self.clip = path
        super().__init__(*rest)  # type: ignore[arg-type]

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "video/mp2t")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        data = self.clip.read_bytes()
        self.wfile.write(b"%x\r\n%b\r\n0\r\n\r\n" % (len(data), data))

    def log_message(self, *_: object) -> None:
        pass


def test_a_finite_url_keeps_its_own_times(make_clip: MakeClip) -> None:
    clip = make_clip("clip.mkv", frames=10)
    with (
        http_server(partial(QuietFiles, directory=str(clip.path.parent))) as url,
        open_source(f"{url}/clip.mkv") as video,
    ):
        assert not video.info.is_live
        assert [frame.time_s for frame in video] == pytest.approx(clip.times_s)


def write_transport_stream(path: Path) -> None:
    """100 frames with a key frame in every 5, larger than what is read to recognise the stream."""
    with av.open(str(path), "w") as container:
        video = container.add_stream("libx264", rate=25, options={"crf": "10", "g": "5"})
        video.width, video.height, video.pix_fmt = 64, 48, "yuv420p"
        for index in range(100):
            container.mux(video.encode(av.VideoFrame.from_ndarray(noise(index, 64, 48), format="rgb24")))
        container.mux(video.encode())


def test_a_recorders_stream_that_has_a_length_is_live(make_clip: MakeClip, monkeypatch: pytest.MonkeyPatch) -> None:
    clip, opened = make_clip("clip.mp4"), source.open_container
    monkeypatch.setattr(source, "open_container", lambda name, url, **_: opened(name, f"file:{clip.path}"))
    with open_stream("rtsp://user:secret@recorder/1") as video:
        assert (video.info.name, video.info.is_live) == ("rtsp://user:***@recorder/1", True)
        assert (video.info.duration_s, video.info.frame_count, video.info.start_time_s) == (None, None, None)
        assert all(frame.arrived_s is not None for frame in video)


def test_an_endless_url_is_timed_by_arrival(tmp_path: Path) -> None:
    write_transport_stream(tmp_path / "clip.ts")
    with http_server(partial(EndlessTs, tmp_path / "clip.ts")) as url, open_stream(f"{url}/live") as video:
        assert (video.info.is_live, video.info.frame_count, video.info.duration_s) == (True, None, None)
        times = [frame.time_s for frame in video]
    assert len(times) > 50
    assert times[0] == 0
    assert all(before < after for before, after in pairwise(times))
    assert times[-1] < 2
