"""Plays numbered pictures as a live stream over the loopback device, from a process of its own."""

from __future__ import annotations

import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

SENDER = """
import sys, time
from fractions import Fraction
import av, numpy as np
url, fps, seconds = sys.argv[1], int(sys.argv[2]), float(sys.argv[3])
with av.open(url, "w", format="mpegts", options={"flush_packets": "1"}) as container:
    video = container.add_stream("mpeg2video", rate=fps, options={"g": "5", "bf": "0", "b": "400k"})
    video.width, video.height, video.pix_fmt = 64, 48, "yuv420p"
    print("ready", flush=True)
    began = time.monotonic()
    for index in range(int(fps * seconds)):
        time.sleep(max(0.0, began + index / fps - time.monotonic()))
        picture = np.full((48, 64, 3), 40 + index % 100, np.uint8)
        frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
        frame.pts, frame.time_base = index, Fraction(1, fps)
        container.mux(video.encode(frame))
    container.mux(video.encode())
"""


def free_port() -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def playing(port: int, *, fps: int = 30, seconds: float) -> Iterator[subprocess.Popen[bytes]]:
    """The sender, which is playing; killed at the end of the block."""
    command = [sys.executable, "-c", SENDER, f"udp://127.0.0.1:{port}?pkt_size=1316", str(fps), str(seconds)]
    sender = subprocess.Popen(command, stdout=subprocess.PIPE)
    try:
        assert sender.stdout is not None
        assert sender.stdout.readline() == b"ready\n"
        yield sender
    finally:
        sender.kill()
        sender.communicate()
