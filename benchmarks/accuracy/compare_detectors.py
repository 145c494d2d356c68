"""Our face detector against MediaPipe's full-range model, and YuNet if given: recall, false positives, time and size.

Photos: WIDER FACE photos of the events held back in training; their labels are YuNet's, which is no judge of itself
there. Mosaics: pictures with held-back 300W faces pasted in, so that every box is exact; made once, kept in the
temporary folder. Recall is given at equal false positives: MediaPipe's number at its own threshold, and 10.

    python -m benchmarks.accuracy.compare_detectors data engines/zoo/face-detector.onnx
"""

from __future__ import annotations

import argparse
import json
import math
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from functools import partial
from itertools import islice
from pathlib import Path
from typing import TypeAlias

import cv2
import numpy as np

from benchmarks.shared.record import RESULTS, write_result
from startrack.engines import load_detector
from startrack.tracker.crop import crop_affine, cut_crop, roi_from_points, transform_points
from startrack.tracker.detect.base import FaceDetector
from startrack.tracker.detect.fetch import resolve_model
from startrack.tracker.detect.mediapipe_detector import MediaPipeDetector
from startrack.tracker.detect.nms import square_iou
from startrack.tracker.detect.yunet_detector import YuNetDetector
from startrack.tracker.detect.zoo_detector import ZooDetector
from startrack.tracker.types import FloatArray, Frame, ImageArray, Roi
from startrack.tracker.video.source import read_video
from startrack.train.augment.face_augment import Augmentation, change_texture
from startrack.train.augment.face_pastes import StoredFace, paste_face
from startrack.train.augment.textures import drawn_pattern
from startrack.train.evaluation.evaluate_faces import evaluate_faces
from startrack.train.metrics.detection import PictureResult, ScoredDetections, score_detections
from startrack.train.sets import ibug_300w
from startrack.train.sets.backgrounds import Background, background_square
from startrack.train.sets.face_photos import FacePhoto, corners_to_square, load_face_photos, square_to_row
from startrack.train.sets.sample import Sample

OURS, BEFORE, PEER = "startrack", "startrack before", "MediaPipe full range"
LOWEST_SCORE = 0.05
LEAST_SIDES = (16, 32)
BOOTSTRAPS = 1000

NUM_MOSAICS, WIDTH, HEIGHT = 200, 640, 480
MOSAIC_VERSION = 2
MOSAIC_TEXTURE = Augmentation(occlusion=0.0, blur=0.15)
FOUND_IOU = 0.4
NO_FACE_CLIP, TIMED_CLIP, TIMED_FRAMES = "09_noface_cartoon.mp4", "10_classroom_many_faces.mp4", 150
CUT_CLIP, CUT_FRAME = "06_face_then_noface.mov", 72

Makers: TypeAlias = dict[str, Callable[[float | None], FaceDetector]]
"""Name → what makes the detector with a least score, None for its own."""
Rows: TypeAlias = dict[str, dict[str, float]]
"""Measurement → detector → figure."""
Curves: TypeAlias = dict[str, list[ScoredDetections]]
"""Per photo: "own" threshold, and "low", LOWEST_SCORE, which changes the boxes too where MediaPipe averages them."""


def load_mosaics(data: Path) -> list[FacePhoto]:
    """Pictures with pasted faces, drawn on the first call of a MOSAIC_VERSION."""
    folder = Path(tempfile.gettempdir()) / f"startrack-mosaics-{MOSAIC_VERSION}"
    if not (folder / "faces.json").is_file():
        folder.mkdir(exist_ok=True)
        photos = load_face_photos(data / "wider_photos", "validation")
        samples = ibug_300w.load(data / "300w", "validation")
        rows = {f"{number:03}.png": _draw_mosaic(folder, number, photos, samples) for number in range(NUM_MOSAICS)}
        (folder / "faces.json").write_text(json.dumps({"images": rows}), encoding="utf-8")
    return load_face_photos(folder)


def _draw_mosaic(
    folder: Path, number: int, photos: Sequence[FacePhoto], samples: Sequence[Sample]
) -> list[list[float]]:
    """Write one mosaic; its rows of faces.json."""
    rng = np.random.default_rng((MOSAIC_VERSION, number))
    picture, unknown = _ground(photos[int(rng.integers(len(photos)))], rng)
    faces: list[FloatArray] = []
    for _ in range(int(rng.integers(1, 7))):
        side = math.exp(rng.uniform(math.log(16), math.log(300)))
        x, y = rng.uniform(0.4 * side, WIDTH - 0.4 * side), rng.uniform(0.4 * side, HEIGHT - 0.4 * side)
        if all(max(abs(x - other[0]), abs(y - other[1])) > 0.7 * (side + other[2]) for other in faces):
            sample = samples[int(rng.integers(len(samples)))]
            angle = rng.uniform(-math.pi, math.pi) if rng.random() < 0.1 else rng.normal(0, math.radians(15))
            stored = StoredFace(sample.read_image(), sample.landmarks)
            faces.append(paste_face(picture, stored, np.array([x, y, side]), float(angle), rng).square)
    # change_texture takes squares
    picture = change_texture(picture, MOSAIC_TEXTURE, rng)[:HEIGHT]
    cv2.imwrite(str(folder / f"{number:03}.png"), cv2.cvtColor(picture, cv2.COLOR_RGB2BGR))
    # a score below the trusted one: there may be a face
    return [square_to_row(face) for face in faces] + [[*square_to_row(square), 0.0] for square in unknown]


def _ground(photo: FacePhoto, rng: np.random.Generator) -> tuple[ImageArray, FloatArray]:
    """(640, 640, 3) a part of a photo or a drawn pattern, and (I, 3) squares in it that may be faces."""
    known = np.concatenate([photo.squares, photo.ignored])
    corners = np.concatenate([known[:, :2] - 0.62 * known[:, 2:], known[:, :2] + 0.62 * known[:, 2:]], axis=1)
    square = background_square(Background(photo.read_image(), corners), rng) if rng.random() < 0.85 else None
    if square is None:
        return drawn_pattern(WIDTH, rng), np.zeros((0, 3))
    affine = crop_affine(Roi(square[:2], float(square[2])), WIDTH)
    moved = np.concatenate([transform_points(affine, known[:, :2]), 1.24 * known[:, 2:] * affine[0, 0]], axis=1)
    return cut_crop(photo.read_image(), affine, WIDTH), moved


def compare_on(kind: str, photos: Sequence[FacePhoto], makers: Makers) -> Rows:
    """AP and recalls in per cent by least side of the faces."""
    results: dict[str, dict[str, Sequence[PictureResult]]] = {name: {} for name in makers}
    for name, make in makers.items():
        for way, min_score in (("own", None), ("low", LOWEST_SCORE)):
            with make(min_score) as detect:
                results[name][way] = evaluate_faces(detect, photos, name).pictures
    rows: Rows = {}
    for side in LEAST_SIDES:
        scored = partial(score_detections, min_side=side)
        curves = {name: {way: [scored([one]) for one in ways[way]] for way in ways} for name, ways in results.items()}
        own = {name: merge(parts["own"]) for name, parts in curves.items()}
        allowed = own[PEER].at_score(0.0)[1]
        recall = {count: {name: 100 * recall_at(curves[name], count) for name in makers} for count in (10, allowed)}
        low, high = _difference_interval(curves[OURS], curves[PEER])
        head = f"{kind}, {own[PEER].num_faces} faces of {side}+ px: "
        rows |= {
            f"{head}AP@0.5": {name: 100 * merge(parts["low"]).average_precision() for name, parts in curves.items()},
            f"{head}recall at own threshold": {name: 100 * one.at_score(0.0)[0] for name, one in own.items()},
            f"{head}false at own threshold": {name: one.at_score(0.0)[1] for name, one in own.items()},
            f"{head}recall at 10 false": recall[10],
            f"{head}recall at {allowed} false": recall[allowed],
            f"{head}this less {PEER}'s, 95 % from": {OURS: low},
            f"{head}to": {OURS: high},
        }
    return rows


def merge(parts: Sequence[ScoredDetections]) -> ScoredDetections:
    """The detections of several photos as one list, best first."""
    scores = np.concatenate([part.scores for part in parts])
    order = np.argsort(-scores, kind="stable")
    correct = np.concatenate([part.correct for part in parts])[order]
    return ScoredDetections(scores[order], correct, sum(part.num_faces for part in parts))


def recall_at(curves: Curves, allowed: int) -> float:
    """With so many false positives, from whichever threshold does better."""
    return max(merge(parts).recall_at(allowed)[0] for parts in curves.values())


def _difference_interval(ours: Curves, peer: Curves) -> list[float]:
    """Of recall_at_equal, in points: a bootstrap over photos."""
    rng = np.random.default_rng(0)
    differences = []
    for _ in range(BOOTSTRAPS):
        resampled = rng.integers(len(ours["low"]), size=len(ours["low"]))
        drawn = [{way: [parts[i] for i in resampled] for way, parts in curves.items()} for curves in (ours, peer)]
        allowed = merge(drawn[1]["own"]).at_score(0.0)[1]
        differences.append(100 * (recall_at(drawn[0], allowed) - recall_at(drawn[1], allowed)))
    return [float(bound) for bound in np.nanpercentile(differences, [2.5, 97.5])]


def found_share(detect: FaceDetector, samples: Sequence[Sample], *, turned: bool = False) -> float:
    """Per cent of the labelled faces with a detection on them. turned: by 90° anticlockwise."""
    hits = 0
    for sample in samples:
        image, points = sample.read_image(), np.asarray(sample.landmarks, np.float64)
        if turned:
            points = np.stack([points[:, 1], image.shape[1] - 1 - points[:, 0]], axis=1)
            image = np.ascontiguousarray(np.rot90(image))
        truth = roi_from_points(points, 1.0)
        squares = np.array([corners_to_square(box.xyxy) for box in detect(Frame(image, 0, 0.0))]).reshape(-1, 3)
        hits += bool((square_iou(squares, np.array([*truth.centre, truth.side])) >= FOUND_IOU).any())
    return 100 * hits / len(samples)


def count_detections(detect: FaceDetector, clip: Path, first: int = 0) -> int:
    """How many in the frames from `first` on."""
    with read_video(clip) as frames:
        return sum(len(detect(frame)) for frame in frames if frame.index >= first)


def cpu_ms(detectors: dict[str, FaceDetector], clip: Path) -> dict[str, float]:
    """Median CPU milliseconds of a 720p frame, all threads, resizing included; the detectors take turns."""
    # read first: the decoder's threads would count too
    with read_video(clip) as stream:
        frames = list(islice(stream, TIMED_FRAMES))
    spent: dict[str, list[float]] = {name: [] for name in detectors}
    for frame in frames:
        for name, detect in detectors.items():
            start = time.process_time()
            detect(frame)
            spent[name].append(1000 * (time.process_time() - start))
    return {name: float(np.median(times[10:])) for name, times in spent.items()}


def compare_detectors(data: Path, makers: Makers, split: str) -> Rows:
    """split: of 300W, whose faces are to be found."""
    clips = data / "clips"
    faces, validation = (ibug_300w.load(data / "300w", name) for name in (split, "validation"))
    rows = compare_on("photos", load_face_photos(data / "wider_photos", "validation"), makers)
    rows |= compare_on("mosaics", load_mosaics(data), makers)
    with ExitStack() as stack:
        detectors = {name: stack.enter_context(make(None)) for name, make in makers.items()}
        tasks: dict[str, Callable[[FaceDetector], float]] = {
            f"found of {len(faces)} faces, 300W {split}": lambda detect: found_share(detect, faces),
            f"found of {len(validation)}, turned by 90°": lambda detect: found_share(detect, validation, turned=True),
            "false in clip 09": lambda detect: count_detections(detect, clips / NO_FACE_CLIP),
            "false in clip 06 after the cut": lambda detect: count_detections(detect, clips / CUT_CLIP, CUT_FRAME),
        }
        for label, task in tasks.items():
            rows[label] = {name: task(detect) for name, detect in detectors.items()}
        rows["CPU ms per 720p frame"] = cpu_ms(detectors, clips / TIMED_CLIP)
    return rows


def to_markdown(rows: Rows) -> str:
    names = list(rows["CPU ms per 720p frame"])
    lines = [["", *names], ["---"] * (1 + len(names))]
    lines += [[label, *(f"{row[name]:.4g}" if name in row else "" for name in names)] for label, row in rows.items()]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("data", type=Path, help="folder with 300w, wider_photos and clips")
    parser.add_argument("model", type=Path, help="our .onnx detector")
    parser.add_argument("--before", type=Path, default=None, help="an earlier .onnx detector of ours")
    parser.add_argument("--yunet", type=Path, default=None)
    parser.add_argument("--faces", choices=ibug_300w.SPLITS, default="common", help="of 300W, to be found")
    parser.add_argument("--out", type=Path, default=RESULTS / "detectors.json")
    args = parser.parse_args()
    cv2.setNumThreads(1)
    further = {BEFORE: args.before, "YuNet": args.yunet}
    files = {OURS: args.model, PEER: resolve_model()} | {name: path for name, path in further.items() if path}
    makers: Makers = {
        OURS: lambda score: ZooDetector(load_detector(args.model, "cpu", threads=1), min_score=score),
        BEFORE: lambda score: ZooDetector(load_detector(args.before, "cpu", threads=1), min_score=score),
        PEER: lambda score: MediaPipeDetector(files[PEER], min_score=0.5 if score is None else score),
        "YuNet": lambda score: YuNetDetector(args.yunet, min_score=0.6 if score is None else score),
    }
    rows = compare_detectors(args.data, {name: makers[name] for name in files}, args.faces)
    rows["model kB"] = {name: path.stat().st_size / 1000 for name, path in files.items()}
    print(to_markdown(rows))
    write_result(args.out, {"rows": rows}, model=args.model)


if __name__ == "__main__":
    main()
