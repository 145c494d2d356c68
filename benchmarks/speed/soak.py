"""A long run on live input: whether memory stays flat, frames do not get older, and nothing that was tracked is lost.

    python -m benchmarks.speed.soak --minutes 60

The demo clip, whose motion begins and ends at rest, is played in a loop over the loopback device by another process;
it is tracked with the latest-frame policy and the shipped models and written as JSON Lines with all derived signals.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, field
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np

from benchmarks.shared.record import RESULTS, write_result
from startrack.engines import load_detector, load_engine
from startrack.engines.zoo import DEFAULT_DETECTOR, DEFAULT_LANDMARKS, zoo_path
from startrack.tracker.detect.zoo_detector import ZooDetector
from startrack.tracker.model_scheme import scheme_of
from startrack.tracker.pipeline import track_frames
from startrack.tracker.session.demo import make_demo_clip
from startrack.tracker.signals import SignalStage, with_signals
from startrack.tracker.sinks.jsonl_sink import JsonlSink
from startrack.tracker.types import TrackedFrame
from startrack.tracker.video.buffer import latest
from startrack.tracker.video.source import open_stream

URL = "udp://127.0.0.1:{port}"
WARM_UP = 3
"""Minutes: FFmpeg's ring for datagrams holds 5.4 MB, which are resident only once it has been filled."""
STALL_AT_S, STALL_S = 60.0, 1.0
"""Once in the warm-up nothing is tracked for so long, as on a busy machine: then as many frames are alive as ever can
be, one that is tracked, one that waits and one that is being read. Two of them are 5.5 MB."""
SENDER = """
import sys, time
from fractions import Fraction
import av
clip, url, fps = sys.argv[1], sys.argv[2], int(sys.argv[3])
with av.open(clip) as source:
    stream = source.streams.video[0]
    pictures = [frame.reformat(format="yuv420p") for frame in source.decode(stream)]
    size = pictures[0].width, pictures[0].height
with av.open("/dev/null", "w", format="mpegts") as nowhere:
    encoder = nowhere.add_stream("libx264", rate=fps, options={"g": str(fps), "bf": "0", "preset": "veryfast"})
    encoder.width, encoder.height = size
    encoder.pix_fmt = "yuv420p"
    packets = []
    for index, picture in enumerate(pictures):
        picture.pts, picture.time_base = index, Fraction(1, fps)
        packets += [(bytes(packet), packet.is_keyframe) for packet in encoder.encode(picture)]
    packets += [(bytes(packet), packet.is_keyframe) for packet in encoder.encode(None)]
    with av.open(url, "w", format="mpegts", options={"flush_packets": "1"}) as container:
        video = container.add_stream_from_template(encoder)
        print("ready", flush=True)
        began, index = time.monotonic(), 0
        while True:
            time.sleep(max(0.0, began + index / fps - time.monotonic()))
            data, is_key = packets[index % len(packets)]
            packet = av.Packet(data)
            packet.stream, packet.pts, packet.dts, packet.time_base = video, index, index, Fraction(1, fps)
            packet.is_keyframe = is_key
            container.mux(packet)
            index += 1
"""
"""Encodes the clip once and plays its packets for ever, so that a long run costs the sender next to nothing."""


@dataclass(slots=True)
class Minute:
    """The minute that is going on."""

    ages_ms: list[float] = field(default_factory=list)
    """From a frame's arrival until its line was written."""
    tracker_ms: list[float] = field(default_factory=list)
    with_face: int = 0
    first_index: int = 0
    last_index: int = 0

    def add(self, tracked: TrackedFrame) -> None:
        assert tracked.frame.arrived_s is not None
        if not self.ages_ms:
            self.first_index = tracked.frame.index
        self.last_index = tracked.frame.index
        self.with_face += bool(tracked.tracks)
        self.tracker_ms.append(tracked.latency.total_ms)
        self.ages_ms.append(1e3 * (time.monotonic() - tracked.frame.arrived_s))

    def figures(self) -> MinuteFigures:
        frames = len(self.ages_ms)
        age_p50, age_p99 = np.percentile(self.ages_ms, [50, 99])
        dropped = self.last_index - self.first_index + 1 - frames
        tracker_ms = float(np.median(self.tracker_ms))
        return MinuteFigures(frames, self.with_face, dropped, float(age_p50), float(age_p99), tracker_ms, resident_mb())


@dataclass(frozen=True, slots=True)
class MinuteFigures:
    """A minute that is over: all that is kept of it, so that the books of a long run do not grow."""

    frames: int
    with_face: int
    dropped: int
    age_ms_p50: float
    age_ms_p99: float
    tracker_ms_p50: float
    memory_mb: float
    """Resident at its end, 10⁶ bytes."""


@contextmanager
def stream_server(clip: Path, port: int, fps: int) -> Iterator[None]:
    """The clip is played for as long as the block lasts."""
    url = URL.format(port=port) + "?pkt_size=1316"
    sender = subprocess.Popen([sys.executable, "-c", SENDER, str(clip), url, str(fps)], stdout=subprocess.PIPE)
    try:
        assert sender.stdout is not None
        if sender.stdout.readline() != b"ready\n":
            raise SystemExit("the sender does not play")
        yield
    finally:
        sender.kill()
        sender.communicate()


def resident_mb() -> float:
    """Memory of this process now."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def soak(url: str, lines: Path, weights: Path, seconds: float) -> list[MinuteFigures]:
    """Track the stream for so long and write every frame."""
    done: list[MinuteFigures] = []
    minute = Minute()
    has_stalled = False
    with ExitStack() as stack:
        engine = stack.enter_context(load_engine(weights, "cpu", threads=1))
        detect = stack.enter_context(ZooDetector(load_detector(zoo_path(DEFAULT_DETECTOR))))
        sink = stack.enter_context(JsonlSink(lines, overwrite=True))
        frames = stack.enter_context(latest(open_stream(url, end_s=seconds)))
        for tracked in with_signals(track_frames(frames, detect, engine), SignalStage(scheme_of(engine.spec))):
            sink.write(tracked)
            if tracked.frame.time_s >= 60 * (len(done) + 1):
                done.append(minute.figures())
                minute = Minute()
                print(len(done), done[-1], flush=True)
            minute.add(tracked)
            if not has_stalled and tracked.frame.time_s >= STALL_AT_S:
                has_stalled = True
                time.sleep(STALL_S)
        done.append(minute.figures())
    return done


@dataclass(frozen=True, slots=True)
class Verdict:
    """The purpose of a soak."""

    memory_growth_mb: float
    """Largest over smallest after the warm-up."""
    age_growth_ms: float
    """p50 of a minute: median of the last third of the run over that of the first."""
    lines_missing: int
    """Tracked frames without a line, or out of order."""


def judge(minutes: list[MinuteFigures], lines: Path) -> Verdict:
    steady = minutes[WARM_UP:] or minutes
    memory = [minute.memory_mb for minute in steady]
    ages = [minute.age_ms_p50 for minute in steady]
    third = max(1, len(ages) // 3)
    with lines.open(encoding="utf-8") as written:
        indices = [json.loads(line)["index"] for line in written]
    disorder = sum(after <= before for before, after in pairwise(indices))
    missing = sum(minute.frames for minute in minutes) - len(indices)
    growth = float(np.median(ages[-third:]) - np.median(ages[:third]))
    return Verdict(max(memory) - min(memory), growth, missing + disorder)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--fps", type=int, default=25)
    parser.add_argument("--size", type=int, nargs=2, default=(1280, 720), metavar=("WIDTH", "HEIGHT"))
    parser.add_argument("--weights", type=Path, default=zoo_path(DEFAULT_LANDMARKS))
    parser.add_argument("--port", type=int, default=5555)
    parser.add_argument("--out", type=Path, default=RESULTS / "soak.json")
    args = parser.parse_args()
    cv2.setNumThreads(1)
    with tempfile.TemporaryDirectory(prefix="startrack-soak-") as folder:
        clip, lines = Path(folder) / "demo.mp4", Path(folder) / "soak.jsonl"
        make_demo_clip(clip, seconds=10, fps=args.fps, size=tuple(args.size))
        with stream_server(clip, args.port, args.fps):
            minutes = soak(URL.format(port=args.port), lines, args.weights, 60 * args.minutes)
        verdict = judge(minutes, lines)
    print(verdict)
    each = [asdict(minute) for minute in minutes]
    figures = {"fps": args.fps, "size": list(args.size), **asdict(verdict), "minutes": each}
    write_result(args.out, figures, model=args.weights)


if __name__ == "__main__":
    main()
