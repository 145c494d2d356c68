"""Pictures per second of whole STAR training steps on a GPU, and where the time goes.

    python -m benchmarks.gpu.throughput --out OUT [--pack faces.pack]

A step is augmentation, targets, network, 12 losses, gradients, Adam and the running average. Every way of running it
(float32, TF32, bfloat16; order in memory; compiled) is tried with batches of 16 to 256 until --minutes are over, those
that compile last; what does not fit or compile says so. Without a pack, pictures are noise: times do not depend on
their results.

OUT/throughput.json is written after each configuration, OUT/profile.txt last. A dry run without a GPU:

    python -m benchmarks.gpu.throughput --out OUT --device cpu --channels 16 --stacks 1 --faces 8 --batches 2
"""

from __future__ import annotations

import argparse
import json
import math
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.gpu.step import PARTS, Setting, Step
from benchmarks.shared.record import machine
from benchmarks.star.star_code import face
from startrack.tracker.schemes import IBUG_68
from startrack.train.augment.star_augment import StarAugmentation
from startrack.train.feed.star_batches import StarBatches
from startrack.train.packs.packed_faces import PackedFaces, load_packed_faces

AIM = 1000
"""Pictures per second of the network with four stacks."""


@dataclass(frozen=True)
class Result:
    """What one configuration took."""

    way: str
    batch: int
    images_per_s: float | None
    """None: it did not run, see error."""
    step_ms: float | None = None
    start_s: float | None = None
    """The first steps, with compilation."""
    memory_gb: float | None = None
    """Peak of what torch allocated."""
    parts_ms: dict[str, float] | None = None
    """Of the step, each part alone."""
    error: str | None = None


def drawn_faces(count: int, size: int) -> PackedFaces:
    """Noise with the landmarks of faces."""
    rng = np.random.default_rng(0)
    landmarks = np.stack([face(IBUG_68, rng) for _ in range(count)]) / 256 * size / 2 + size / 4
    return PackedFaces(
        scheme=IBUG_68,
        pictures=torch.randint(0, 256, (count, size, size, 3), dtype=torch.uint8),
        landmarks=torch.from_numpy(landmarks),
        zooms=torch.ones(count).double(),
        weights=torch.ones(count),
        names=("drawn",) * count,
        subsets=("drawn",) * count,
    )


def measure(step: Step, setting: Setting, batch: int, seconds: float) -> Result:
    """Run a configuration for so many seconds after its first steps."""
    cuda = step.device.startswith("cuda")
    if cuda:
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()
    start = time.perf_counter()
    try:
        for _ in range(3):
            step.run(batch)
        step.wait()
        started = time.perf_counter()
        count = 0
        while time.perf_counter() - started < seconds:
            for _ in range(2):
                step.run(batch)
            step.wait()
            count += 2
        elapsed_s = time.perf_counter() - started
        parts = step.parts_ms(batch, steps=5 if cuda else 1)
    except torch.OutOfMemoryError:
        return Result(setting.name, batch, None, error="out of memory")
    except Exception as error:  # a way that cannot be compiled must not end a job of ten minutes
        return Result(setting.name, batch, None, error=f"{type(error).__name__}: {error}".splitlines()[0][:200])
    return Result(
        way=setting.name,
        batch=batch,
        images_per_s=round(count * batch / elapsed_s, 1),
        step_ms=round(1e3 * elapsed_s / count, 2),
        start_s=round(started - start, 1),
        memory_gb=round(torch.cuda.max_memory_allocated() / 1e9, 2) if cuda else None,
        parts_ms={name: round(value, 3) for name, value in parts.items()},
    )


def profile(step: Step, batch: int) -> str:
    """Table of the operations that take most of three steps."""
    activities = [torch.profiler.ProfilerActivity.CPU]
    if step.device.startswith("cuda"):
        activities.append(torch.profiler.ProfilerActivity.CUDA)
    step.run(batch)
    step.wait()
    with torch.profiler.profile(activities=activities) as recorded:
        for _ in range(3):
            step.run(batch)
        step.wait()
    by = "self_cuda_time_total" if step.device.startswith("cuda") else "self_cpu_time_total"
    return str(recorded.key_averages().table(sort_by=by, row_limit=30, max_name_column_width=70))


def in_order(settings: Sequence[Setting], batches: Sequence[int]) -> list[tuple[Setting, int]]:
    """Variants to try, most informative first: the quick ones, then those that compile for a minute, from batches of
    128."""
    return sorted(
        ((setting, batch) for batch in batches for setting in settings),
        key=lambda one: (one[0].compiled, abs(math.log2(one[1] / 128)) if one[0].compiled else one[1]),
    )


def table(results: list[Result]) -> str:
    """Short, best last, so that a cut-off log still shows it."""
    rows = sorted(results, key=lambda result: result.images_per_s or 0)
    head = f"{'way':38}{'batch':>6}{'images/s':>10}{'step ms':>9}{'start s':>9}{'GB':>7}  " + "".join(
        f"{name:>10}" for name in PARTS
    )
    lines = [head]
    for row in rows:
        if row.images_per_s is None or row.parts_ms is None:
            lines.append(f"{row.way:38}{row.batch:>6}  {row.error}")
            continue
        parts = "".join(f"{row.parts_ms[name]:>10.2f}" for name in PARTS)
        lines.append(
            f"{row.way:38}{row.batch:>6}{row.images_per_s:>10.1f}{row.step_ms:>9.2f}{row.start_s:>9.1f}"
            f"{row.memory_gb or 0:>7.2f}  {parts}"
        )
    return "\n".join(lines)


def hardware() -> dict[str, Any]:
    about = machine() | {"torch": torch.__version__}
    if torch.cuda.is_available():
        properties = torch.cuda.get_device_properties(0)
        about |= {"gpu": properties.name, "gpu_memory_gb": round(properties.total_memory / 1e9, 1)}
    return about


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True, help="folder of the results")
    parser.add_argument("--pack", type=Path, help="file of startrack pack; default: noise")
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--minutes", type=float, default=8.5, help="no configuration begins later")
    parser.add_argument("--seconds", type=float, default=3, help="of each configuration")
    parser.add_argument(
        "--batches", type=lambda text: [int(n) for n in text.split(",")], default=[16, 32, 64, 128, 256]
    )
    parser.add_argument("--ways", help=f"of {', '.join(setting.name for setting in Setting.all())}; default: all")
    parser.add_argument("--stacks", type=int, default=4)
    parser.add_argument("--channels", type=int, default=256)
    parser.add_argument("--faces", type=int, default=2009, help="drawn ones")
    return parser.parse_args()


def main() -> None:
    options, began = arguments(), time.perf_counter()
    options.out.mkdir(parents=True, exist_ok=True)
    faces = load_packed_faces(options.pack) if options.pack else drawn_faces(options.faces, 320)
    made = StarBatches(faces, crop_scale=1.25, augmentation=StarAugmentation())
    chosen = [way for way in Setting.all() if not options.ways or way.name in options.ways.split(",")]
    results: list[Result] = []
    for setting, batch in in_order(chosen, options.batches):
        if time.perf_counter() - began > 60 * options.minutes:
            break
        step = Step(made, setting, stacks=options.stacks, channels=options.channels, device=options.device)
        results.append(measure(step, setting, batch, options.seconds))
        print(json.dumps(asdict(results[-1])), flush=True)
        record = {"machine": hardware(), "aim": AIM, "stacks": options.stacks, "channels": options.channels}
        text = json.dumps(record | {"results": [asdict(result) for result in results]}, indent=2)
        (options.out / "throughput.json").write_text(text + "\n", encoding="utf-8")
        del step
    best = max(results, key=lambda result: result.images_per_s or 0)
    setting = next(way for way in chosen if way.name == best.way)
    step = Step(made, setting, stacks=options.stacks, channels=options.channels, device=options.device)
    (options.out / "profile.txt").write_text(profile(step, best.batch) + "\n", encoding="utf-8")
    print((options.out / "profile.txt").read_text(encoding="utf-8"))
    print(table(results))


if __name__ == "__main__":
    main()
