"""Share of faces found under hard conditions: coloured light, darkness, a half hidden, frame-filling faces.

Made from 300W validation faces (never the test set), one a picture, each stored in a square of twice its side;
"fills N %" cuts the square of side/N out of that and scales it to 640×640. A face counts as found when a detection of
the detector's own threshold overlaps its square by an IoU of FOUND_IOU. Pictures without a face are squares cut between
the faces of WIDER's validation photos; every detection there is wrong.

    python -m benchmarks.accuracy.detector_conditions data engines/zoo/face-detector.onnx
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

from benchmarks.shared.record import RESULTS, write_result
from startrack.engines import load_detector
from startrack.engines.zoo import DEFAULT_DETECTOR, zoo_path
from startrack.tracker.crop import crop_affine, cut_crop, roi_from_points
from startrack.tracker.detect.base import FaceDetector
from startrack.tracker.detect.nms import square_iou
from startrack.tracker.detect.zoo_detector import ZooDetector
from startrack.tracker.types import FloatArray, Frame, ImageArray, Roi
from startrack.train.augment.strong_light import darken, recolour
from startrack.train.sets import ibug_300w
from startrack.train.sets.backgrounds import Background, background_square
from startrack.train.sets.face_photos import corners_to_square, load_face_photos
from startrack.train.sets.sample import Sample

FOUND_IOU = 0.4
SEED = 16
NUM_FACELESS = 400
FACELESS_SIDE = 640
FILLED_SIDE = 640
FILLINGS = (0.71, 0.83, 1.0)
"""Side of the face over that of the picture."""
LARGE = 640
"""The longer side that frames are shrunk to, besides the model's own."""
GREY = 128

Change: TypeAlias = Callable[[ImageArray, FloatArray, np.random.Generator], ImageArray]
"""A picture, its face's square (3,) and chance → the picture changed; nothing moves."""


@dataclass(frozen=True, slots=True)
class Bar:
    """The share that a group of conditions must reach together."""

    conditions: tuple[str, ...]
    least: float
    """Share found, per cent."""


def light(red: float, green: float, blue: float) -> Change:
    """A lamp: each channel times its factor."""
    matrix = np.diag([red, green, blue])
    return lambda picture, square, rng: recolour(picture, matrix)


def exchanged(*order: int) -> Change:
    """Channels in another order."""
    matrix = np.eye(3)[list(order)]
    return lambda picture, square, rng: recolour(picture, matrix)


def dark(gain: float, noise: float) -> Change:
    """Values times gain, rounded to whole levels, with a sensor's noise of that share of the brightest value."""
    return lambda picture, square, rng: darken(picture, gain, noise=noise, rng=rng)


def half_grey(side: str) -> Change:
    """The left, right, upper or lower half of the face's square in one grey."""
    axis, first = {"left": (1, True), "right": (1, False), "upper": (0, True), "lower": (0, False)}[side]

    def change(picture: ImageArray, square: FloatArray, rng: np.random.Generator) -> ImageArray:
        low, high = (np.round(square[:2] + sign * square[2] / 2).astype(int).clip(0)[::-1] for sign in (-1, 1))
        middle = round(float(square[1 - axis]))
        (high if first else low)[axis] = max(middle, 0)
        changed = picture.copy()
        changed[low[0] : high[0], low[1] : high[1]] = GREY
        return changed

    return change


CHANGES: dict[str, Change] = {
    "as stored": lambda picture, square, rng: picture,
    "green light": light(0.2, 1, 0.2),
    "blue light": light(0.2, 0.2, 1),
    "red light": light(1, 0.2, 0.2),
    "green alone": light(0, 1, 0),
    "blue alone": light(0, 0, 1),
    "red and blue exchanged": exchanged(2, 1, 0),
    "channels moved on": exchanged(1, 2, 0),
    "dark, ×0.05": dark(0.05, 0.0),
    "dark, ×0.05, noise": dark(0.05, 0.05),
    "left half grey": half_grey("left"),
    "right half grey": half_grey("right"),
    "upper half grey": half_grey("upper"),
    "lower half grey": half_grey("lower"),
}
FILLED_LARGE = tuple(f"fills {100 * share:.0f} %, {LARGE}" for share in FILLINGS)
BARS = (
    Bar(("green light", "blue light", "green alone", "blue alone", "red and blue exchanged", "channels moved on"), 97),
    Bar(("dark, ×0.05", "dark, ×0.05, noise"), 90),
    Bar(("left half grey", "right half grey", "upper half grey", "lower half grey"), 65),
    Bar(FILLED_LARGE, 98),
)


def square_of(sample: Sample) -> NDArray[np.float64]:
    """(3,) centre x, y and side of the face's upright square, pixels of its picture."""
    roi = roi_from_points(sample.landmarks, 1.0)
    return np.array([*roi.centre, roi.side])


def filled(sample: Sample, share: float) -> tuple[ImageArray, NDArray[np.float64]]:
    """A square picture that the face fills to that share of its side, and the face's square (3,) in it."""
    x, y, side = square_of(sample)
    affine = crop_affine(Roi(np.array([x, y]), side / share), FILLED_SIDE)
    middle = (FILLED_SIDE - 1) / 2
    return cut_crop(sample.read_image(), affine, FILLED_SIDE), np.array([middle, middle, FILLED_SIDE * share])


def is_found(detect: FaceDetector, picture: ImageArray, square: FloatArray) -> bool:
    """Whether a detection lies on the square (3,)."""
    detected = np.array([corners_to_square(box.xyxy) for box in detect(Frame(picture, 0, 0.0))]).reshape(-1, 3)
    return bool((square_iou(detected, square) >= FOUND_IOU).any())


def count_found(samples: Sequence[Sample], detectors: dict[int, FaceDetector]) -> dict[str, int]:
    """Condition → faces found. detectors: by the longer side that they shrink frames to, the model's own first."""
    own = next(iter(detectors))
    counts: dict[str, int] = {}
    for number, sample in enumerate(samples):
        picture, square = sample.read_image(), square_of(sample)
        hits = {}
        for index, (name, change) in enumerate(CHANGES.items()):
            rng = np.random.default_rng((SEED, number, index))
            hits[name] = is_found(detectors[own], change(picture, square, rng), square)
        for share in FILLINGS:
            close = filled(sample, share)
            hits |= {
                f"fills {100 * share:.0f} %, {size}": is_found(detect, *close) for size, detect in detectors.items()
            }
        for name, hit in hits.items():
            counts[name] = counts.get(name, 0) + hit
    return counts


def background_pictures(data: Path) -> list[ImageArray]:
    """NUM_FACELESS squares of photos, (FACELESS_SIDE, FACELESS_SIDE, 3) or as small as they are."""
    rng = np.random.default_rng(SEED)
    photos = load_face_photos(data / "wider_photos", "validation")
    grounds = []
    for photo in photos:
        squares = np.concatenate([photo.squares, photo.ignored])
        # hair and chin reach beyond the square, and belong to the face
        half = 0.62 * squares[:, 2:]
        corners = np.concatenate([squares[:, :2] - half, squares[:, :2] + half], axis=1)
        grounds.append(Background(photo.read_image(), corners))
    pictures: list[ImageArray] = []
    while len(pictures) < NUM_FACELESS:
        ground = grounds[int(rng.integers(len(grounds)))]
        square = background_square(ground, rng, speck=0.0)
        if square is not None:
            size = min(max(round(float(square[2])), 32), FACELESS_SIDE)
            pictures.append(cut_crop(ground.image, crop_affine(Roi(square[:2], float(square[2])), size), size))
    return pictures


def measure(data: Path, model: Path, every: int = 1) -> dict[str, Any]:
    """All figures of one model file. every: use one face in so many."""
    samples = ibug_300w.load(data / "300w", "validation")[::every]
    with ExitStack() as stack:
        detectors: dict[int, FaceDetector] = {}
        for size in (None, LARGE):
            engine = load_detector(model, "cpu", threads=1)
            detector = stack.enter_context(closing(ZooDetector(engine, input_size=size)))
            detectors[size or engine.spec.input_size] = detector
        counts = count_found(samples, detectors)
        pictures = background_pictures(data)
        wrong = {
            str(size): sum(len(detect(Frame(picture, 0, 0.0))) for picture in pictures)
            for size, detect in detectors.items()
        }
    bars = [
        {
            "conditions": list(bar.conditions),
            "found": 100 * sum(counts[name] for name in bar.conditions) / (len(samples) * len(bar.conditions)),
            "at_least": bar.least,
        }
        for bar in BARS
    ]
    return {"faces": len(samples), "found": counts, "bars": bars, "faceless": len(pictures), "wrong": wrong}


def to_text(figures: dict[str, Any]) -> str:
    """The figures as lines for the screen."""
    faces = figures["faces"]
    lines = [f"{name:26}{100 * count / faces:6.1f} %  {count} of {faces}" for name, count in figures["found"].items()]
    lines += [
        f"detections in {figures['faceless']} pictures without a face, {size}: {count}"
        for size, count in figures["wrong"].items()
    ]
    for bar in figures["bars"]:
        state = "met" if bar["found"] >= bar["at_least"] else "MISSED"
        lines.append(f"{bar['found']:5.1f} %, at least {bar['at_least']}: {state}: {', '.join(bar['conditions'])}")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("data", type=Path, help="folder with 300w and wider_photos")
    parser.add_argument("model", type=Path, nargs="?", default=zoo_path(DEFAULT_DETECTOR), help="our .onnx detector")
    parser.add_argument("--every", type=int, default=1, help="use one face in so many")
    parser.add_argument("--out", type=Path, default=RESULTS / "detector_conditions.json")
    args = parser.parse_args()
    cv2.setNumThreads(1)
    figures = measure(args.data, args.model, args.every)
    print(to_text(figures))
    write_result(args.out, figures, model=args.model)


if __name__ == "__main__":
    main()
