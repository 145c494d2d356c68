"""MediaPipe FaceMesh on a video or a folder of pictures: time per frame, peak memory, 68 landmarks.

It imports nothing of ours and runs in an environment of its own, because it needs numpy < 2:

    python3.11 -m venv facemesh
    facemesh/bin/pip install mediapipe==0.10.21
    facemesh/bin/python benchmarks/shared/peer_facemesh.py clip.mp4 --out facemesh

The package brings its models. Writes OUT.json (milliseconds of FaceMesh.process alone: decoding, colour conversion and
the reading of its result are left out) and OUT.npz: points (T, 68, 2) in frame pixels (nan without a face), cpu_ms
and wall_ms (T,).
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import time
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path
from typing import Any

# read by the libraries when they are loaded
for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[_name] = "1"
os.environ.setdefault("GLOG_minloglevel", "2")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

# fmt: off
IBUG_68: tuple[int | tuple[int, int], ...] = (
    127, 234, 93, (132, 58), (58, 172), 136, 150, 176, 152, 400, 379, 365, (397, 288), 361, 323, 454, 356,  # jaw
    70, 63, 105, 66, 107, 336, 296, 334, 293, 300,  # brows
    (168, 6), (197, 195), 5, 4, 75, 97, 2, 326, 305,  # nose
    33, 160, 158, 133, 153, 144, 362, 385, 387, 263, 373, 380,  # eyes
    61, 39, 37, 0, 267, 269, 291, 321, 314, 17, 84, 91, 78, 82, 13, 312, 308, 317, 14, 87,  # mouth
)
# fmt: on
"""FaceMesh's landmarks that lie nearest to the iBUG 300W markup; the mean of two where two are named."""
PICTURE_SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp")


def decode(source: Path, count: int | None) -> Iterator[Any]:
    """(H, W, 3) uint8 RGB, the frames of a video or the pictures of a folder by name."""
    import cv2

    if source.is_dir():
        paths = sorted(path for path in source.iterdir() if path.suffix.lower() in PICTURE_SUFFIXES)
        for path in paths[:count]:
            if (picture := cv2.imread(str(path))) is None:
                raise SystemExit(f"{path}: not a picture that OpenCV can decode")
            yield cv2.cvtColor(picture, cv2.COLOR_BGR2RGB)
        return
    video = cv2.VideoCapture(str(source))
    if not video.isOpened():
        raise SystemExit(f"{source}: cannot be read; expected a video or a folder of pictures")
    index = 0
    while count is None or index < count:
        read, image = video.read()
        if not read:
            break
        yield cv2.cvtColor(image, cv2.COLOR_BGR2RGB)
        index += 1
    video.release()


def to_ibug_68(mesh: Any) -> Any:
    """(478, 2) or (468, 2) → (68, 2)."""
    import numpy as np

    return np.array([mesh[list(index) if isinstance(index, tuple) else [index]].mean(axis=0) for index in IBUG_68])


def read_mesh(result: Any, width: int, height: int) -> Any:
    """(478, 2) or (468, 2) frame pixels of the first face, pixel centres at integers; None without a face."""
    import numpy as np

    if not result.multi_face_landmarks:
        return None
    landmarks = result.multi_face_landmarks[0].landmark
    return np.array([[one.x * width, one.y * height] for one in landmarks]) - 0.5  # MediaPipe counts from the corner


def run(images: Iterator[Any] | list[Any], *, refine: bool, static: bool) -> dict[str, Any]:
    """points, cpu_ms and wall_ms of each picture, and how many were without a face."""
    import mediapipe
    import numpy as np

    mesh = mediapipe.solutions.face_mesh.FaceMesh(
        static_image_mode=static, max_num_faces=1, refine_landmarks=refine
    )  # fmt: skip
    points, cpu_ms, wall_ms = [], [], []
    for image in images:
        image.flags.writeable = False  # then MediaPipe takes it without a copy
        cpu, wall = time.process_time(), time.perf_counter()
        result = mesh.process(image)
        cpu_ms.append(1e3 * (time.process_time() - cpu))
        wall_ms.append(1e3 * (time.perf_counter() - wall))
        found = read_mesh(result, image.shape[1], image.shape[0])
        points.append(np.full((68, 2), np.nan) if found is None else to_ibug_68(found))
    mesh.close()
    return {"points": np.array(points), "cpu_ms": np.array(cpu_ms), "wall_ms": np.array(wall_ms)}


def peak_memory_mb() -> float:
    """Largest resident size of this process so far, in MB (10⁶ bytes)."""
    status = Path("/proc/self/status")
    if status.exists():  # getrusage would tell the size of the parent, if that was larger when it started this process
        fields = dict(line.split(":", 1) for line in status.read_text().splitlines())
        return int(fields["VmHWM"].split()[0]) * 1024 / 1e6
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("source", type=Path, help="video, or folder of pictures")
    parser.add_argument("--out", type=Path, required=True, help="writes OUT.json and OUT.npz")
    parser.add_argument("--frames", type=int, help="frames to measure, after --warm-up; default: all")
    parser.add_argument("--warm-up", type=int, default=30, help="first frames, which are not timed")
    parser.add_argument("--refine", action="store_true", help="refine_landmarks: the attention mesh, 478 landmarks")
    parser.add_argument("--static", action="store_true", help="static_image_mode: detect in every picture")
    parser.add_argument("--stream", action="store_true", help="decode while running: for memory, not for time")
    parser.add_argument("--core", type=int, help="stay on this core")
    args = parser.parse_args()
    if args.core is not None:
        os.sched_setaffinity(0, {args.core})
    import cv2
    import numpy as np

    cv2.setNumThreads(1)
    frames = decode(args.source, None if args.frames is None else args.warm_up + args.frames)
    # decoder threads run ahead of the frame they gave, and would be counted to FaceMesh
    result = run(frames if args.stream else list(frames), refine=args.refine, static=args.static)
    timed = slice(args.warm_up if len(result["cpu_ms"]) > args.warm_up else 0, None)
    p50, p90, p99 = np.percentile(result["wall_ms"][timed], [50, 90, 99])
    report = {
        "model": "FaceMesh refined" if args.refine else "FaceMesh",
        "frames": len(result["cpu_ms"][timed]),
        "missed": int(np.isnan(result["points"][:, 0, 0]).sum()),
        "cpu_ms": round(float(result["cpu_ms"][timed].mean()), 3),
        "wall_ms_p50": round(float(p50), 3),
        "wall_ms_p90": round(float(p90), 3),
        "wall_ms_p99": round(float(p99), 3),
        "peak_memory_mb": round(peak_memory_mb(), 3),
        "versions": {name: metadata.version(name) for name in ("mediapipe", "numpy", "opencv-contrib-python")},
    }
    args.out.with_suffix(".json").write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    np.savez(args.out.with_suffix(".npz"), **result)
    print(json.dumps(report))


if __name__ == "__main__":
    main()
