"""A Triton server under load: latency and faces per second of N clients, with dynamic batching and without.

Each client is a process that sends crops of the model's size, one request after the other. The server is NVIDIA's own,
with the python backend and our model on the CPU: the figures show what batching is worth there, not a GPU's speed.

    python -m benchmarks.speed.serve --pytriton pytriton/bin/python --clients 1 4 8 --seconds 10
"""

from __future__ import annotations

import argparse
import multiprocessing
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from benchmarks.shared.record import RESULTS, write_result
from benchmarks.shared.tritonserver import serve
from startrack.engines import load_engine, triton_repository
from startrack.engines.zoo import DEFAULT_LANDMARKS, zoo_path

WARM_UP = 5


@dataclass(frozen=True, slots=True)
class Load:
    """What N clients saw."""

    clients: int
    dynamic_batching: bool
    latency_ms_p50: float
    latency_ms_p99: float
    faces_per_s: float
    requests: int


def client(url: str, faces: int, seconds: float, seed: int) -> list[tuple[float, float]]:
    """Start and end of each request, seconds of the system's clock, after a warm-up."""
    with load_engine(url) as engine:
        size = engine.spec.input_size
        crops = np.random.default_rng(seed).integers(0, 256, (faces, size, size, 3), dtype=np.uint8)
        for _ in range(WARM_UP):
            engine(crops)
        calls = []
        end = time.monotonic() + seconds
        while (start := time.monotonic()) < end:
            engine(crops)
            calls.append((start, time.monotonic()))
        return calls


def drive(url: str, clients: int, settings: argparse.Namespace, *, dynamic_batching: bool) -> Load:
    """Run the clients at the same time."""
    given = [(url, settings.faces, settings.seconds, seed) for seed in range(clients)]
    with multiprocessing.get_context("spawn").Pool(clients) as pool:
        calls = pool.starmap(client, given, chunksize=1)
    return summarise(calls, faces=settings.faces, dynamic_batching=dynamic_batching)


def summarise(calls: list[list[tuple[float, float]]], *, faces: int, dynamic_batching: bool) -> Load:
    """Percentiles over all requests, and faces per second between the last client's start and the first one's end.

    Raises SystemExit if the clients did not run at the same time, as on a machine that is busy otherwise.
    """
    every = [call for one in calls for call in one]
    begin, end = max(one[0][0] for one in calls), min(one[-1][1] for one in calls)
    if end <= begin:
        raise SystemExit(
            f"{len(calls)} clients never ran at the same time; expected an idle machine, or more --seconds"
        )
    answered = sum(begin < done <= end for _, done in every)
    p50, p99 = np.percentile([1e3 * (done - start) for start, done in every], [50, 99])
    rate = answered * faces / (end - begin)
    return Load(len(calls), dynamic_batching, float(p50), float(p99), rate, len(every))


def measure(settings: argparse.Namespace) -> list[Load]:
    """Every number of clients, with dynamic batching and without, each on a server of its own."""
    loads = []
    for batching in (True, False):
        with tempfile.TemporaryDirectory(prefix="startrack-models-") as folder:
            repository, delay_us = Path(folder), settings.delay_us
            version = triton_repository.write(
                settings.model, repository, backend="python", dynamic_batching=batching, max_delay_us=delay_us
            )
            with serve(settings.pytriton, repository) as server:
                url = f"{server}/{version.parent.name}"
                loads += [drive(url, clients, settings, dynamic_batching=batching) for clients in settings.clients]
    return loads


def table(loads: list[Load]) -> str:
    """Markdown."""
    lines = ["| clients | dynamic batching | p50 ms | p99 ms | faces/s |", "|---|---|---|---|---|"]
    for load in loads:
        batching = "yes" if load.dynamic_batching else "no"
        figures = f"{load.latency_ms_p50:.1f} | {load.latency_ms_p99:.1f} | {load.faces_per_s:.0f}"
        lines.append(f"| {load.clients} | {batching} | {figures} |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--pytriton", type=Path, required=True, help="Python of an environment with nvidia-pytriton")
    parser.add_argument("--model", type=Path, default=zoo_path(DEFAULT_LANDMARKS), help=".onnx to serve")
    parser.add_argument("--clients", type=int, nargs="+", default=[1, 4, 8])
    parser.add_argument("--faces", type=int, default=1, help="in one request")
    parser.add_argument("--seconds", type=float, default=10.0, help="for each number of clients")
    parser.add_argument("--delay-us", type=int, default=1000, help="longest wait for others of dynamic batching")
    parser.add_argument("--out", type=Path, default=RESULTS / "serve.json")
    settings = parser.parse_args()
    loads = measure(settings)
    given = {"faces_per_request": settings.faces, "seconds": settings.seconds, "max_delay_us": settings.delay_us}
    write_result(settings.out, {**given, "loads": [asdict(load) for load in loads]}, model=settings.model)
    print(table(loads))


if __name__ == "__main__":
    main()
