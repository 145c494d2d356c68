"""NME on 300W faces made hard: blurred, dark, small, half hidden; and of faces as they are, by how far they look aside.

Each condition changes the stored pictures, which the faces fill to a half; crops are cut by the true box all the same,
so the figures speak of the landmark model alone. Sizes are shares of the face's side, brows to chin. Yaw is
that of the head fitted to the true landmarks (tracker/signals/head_pose.py).

    python -m benchmarks.accuracy.robustness /path/to/300w
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from benchmarks.shared.record import model_result, write_result
from startrack.engines import load_engine
from startrack.engines.zoo import DEFAULT_LANDMARKS, zoo_path
from startrack.tracker.crop import bounding_box
from startrack.tracker.signals.head_pose import head_rotation
from startrack.tracker.types import FloatArray, ImageArray
from startrack.train.augment.face_pastes import StoredFace
from startrack.train.augment.lookalikes import draw_limb
from startrack.train.evaluation.evaluate import evaluate
from startrack.train.evaluation.measure import Evaluation
from startrack.train.metrics.nme import bootstrap_interval
from startrack.train.sets import ibug_300w
from startrack.train.sets.sample import Sample, read_picture

YAW_EDGES = (0, 15, 30, 45, 60, 90)
"""Degrees, either way."""

Change = Callable[[ImageArray, FloatArray, np.random.Generator], ImageArray]
"""A picture, the landmarks of its face and chance → the picture changed; nothing moves."""


def side(landmarks: FloatArray) -> float:
    """Of a face, brows to chin, pixels."""
    left, top, right, bottom = bounding_box(landmarks)
    return float(max(right - left, bottom - top))


def out_of_focus(image: ImageArray, landmarks: FloatArray, rng: np.random.Generator) -> ImageArray:
    """A Gaussian of 2 % of the face's side."""
    return cv2.GaussianBlur(image, (0, 0), 0.02 * side(landmarks))  # type: ignore[return-value]


def moving(image: ImageArray, landmarks: FloatArray, rng: np.random.Generator) -> ImageArray:
    """A line of 12 % of the face's side, in any direction."""
    length = max(int(0.12 * side(landmarks)), 3) | 1
    kernel = np.zeros((length, length), np.float32)
    kernel[length // 2] = 1
    middle = (length - 1) / 2
    turn = cv2.getRotationMatrix2D((middle, middle), float(rng.uniform(0, 180)), 1)
    kernel = np.asarray(cv2.warpAffine(kernel, turn, (length, length)), np.float32)
    return cv2.filter2D(image, -1, kernel / kernel.sum(), borderType=cv2.BORDER_REPLICATE)  # type: ignore[return-value]


def dark(image: ImageArray, landmarks: FloatArray, rng: np.random.Generator) -> ImageArray:
    """A twentieth of the light, and a sensor's noise: of 300 photons in full white, and of reading one level in 255."""
    light = (image / 255.0) ** 2.2 / 20
    seen = rng.poisson(light * 300) / 300 + rng.normal(0, 1 / 255 / 4, image.shape)
    return (255 * seen.clip(0, 1) ** (1 / 2.2)).astype(np.uint8)


def hand(image: ImageArray, landmarks: FloatArray, rng: np.random.Generator) -> ImageArray:
    """A hand, arm or bare shape in the colours of the face's own skin, somewhere on the lower half of the face."""
    size = int(0.9 * side(landmarks))
    limb, opacity = draw_limb(size, StoredFace(image, landmarks), rng)
    middle = landmarks[[30, 33, 48, 54, 57]][int(rng.integers(5))] + rng.normal(0, 0.05 * size, 2)
    return _laid_over(image, limb, opacity, middle)


def half_hidden(image: ImageArray, landmarks: FloatArray, rng: np.random.Generator) -> ImageArray:
    """A grey disc over one eye and the cheek below it: 0.45 of the face's side across."""
    size = int(0.45 * side(landmarks))
    disc = np.zeros((size, size), np.float32)
    cv2.circle(disc, (size // 2, size // 2), size // 2, 1.0, -1)
    eye = landmarks[36:42] if rng.random() < 0.5 else landmarks[42:48]
    return _laid_over(
        image, np.full((size, size, 3), 110, np.uint8), disc, eye.mean(axis=0) + np.array([0, 0.1 * size])
    )


def _laid_over(image: ImageArray, cover: ImageArray, opacity: FloatArray, middle: FloatArray) -> ImageArray:
    """`image` with a square of another picture on it, cut off at the image's border."""
    left, top = np.round(np.asarray(middle) - len(cover) / 2).astype(int)
    height, width = image.shape[:2]
    rows = slice(max(top, 0), min(top + len(cover), height))
    columns = slice(max(left, 0), min(left + len(cover), width))
    part = np.s_[rows.start - top : rows.stop - top, columns.start - left : columns.stop - left]
    alpha = opacity[part][..., None]
    changed = image.copy()
    changed[rows, columns] = (alpha * cover[part] + (1 - alpha) * image[rows, columns]).astype(np.uint8)
    return changed


CHANGES: dict[str, Change] = {
    "out of focus": out_of_focus,
    "moving": moving,
    "dark": dark,
    "hand": hand,
    "half hidden": half_hidden,
}
SMALL_PX = (48, 24, 16)
"""Sides that faces are shrunk to."""


@dataclass(frozen=True, slots=True, eq=False)
class Changed:
    """A stored picture that is changed when it is read (train.sets.sample.Picture)."""

    sample: Sample
    change: Change
    seed: int

    def read(self) -> ImageArray:
        rng = np.random.default_rng(self.seed)
        return self.change(self.sample.read_image(), np.asarray(self.sample.landmarks, np.float64), rng)


@dataclass(frozen=True, slots=True, eq=False)
class Shrunk:
    """A stored picture made smaller when it is read, by averaging."""

    path: Path
    zoom: tuple[float, float]
    """Along x and y."""

    def read(self) -> ImageArray:
        image = read_picture(self.path)
        size = (round(image.shape[1] * self.zoom[0]), round(image.shape[0] * self.zoom[1]))
        return cv2.resize(image, size, interpolation=cv2.INTER_AREA)  # type: ignore[return-value]


def shrunk(sample: Sample, side_px: int) -> Sample:
    """The sample with its face `side_px` pixels large."""
    height, width = sample.read_image().shape[:2]
    wanted = side_px / side(sample.landmarks)
    zoom = (max(round(width * wanted), 1) / width, max(round(height * wanted), 1) / height)
    # pixel x covers x - 0.5 to x + 0.5
    landmarks = (np.asarray(sample.landmarks, np.float64) + 0.5) * zoom - 0.5
    return replace(sample, landmarks=landmarks, picture=Shrunk(sample.path, zoom))


def conditions(samples: Sequence[Sample]) -> dict[str, list[Sample]]:
    """Every condition's faces; the first is none."""
    conditions = {"as they are": list(samples)}
    for name, change in CHANGES.items():
        conditions[name] = [replace(each, picture=Changed(each, change, seed)) for seed, each in enumerate(samples)]
    for size in SMALL_PX:
        conditions[f"{size} px"] = [shrunk(each, size) for each in samples]
    return conditions


def summary(evaluation: Evaluation) -> dict[str, Any]:
    """Figures of a group of faces, in per cent."""
    figures = evaluation.summary()
    low, high = bootstrap_interval(evaluation.nme) if len(evaluation.nme) > 1 else (np.nan, np.nan)
    return {
        "faces": figures.faces,
        "nme": figures.nme,
        "interval95": [100 * low, 100 * high] if len(evaluation.nme) > 1 else None,
        "nme51": 100 * float(evaluation.inner_nme.mean()),
        "fr8": figures.fr8,
        "fr10": figures.fr10,
        "coverage90": 100 * evaluation.coverage(0.9),
        "taken_for_none": 100 * float(np.mean(evaluation.presence < 0.5)),
    }


def by_yaw(evaluation: Evaluation) -> dict[str, dict[str, Any]]:
    """Groups of faces by the yaw of the head fitted to the true landmarks; empty ones are left out."""
    yaw = [abs(np.degrees(np.arcsin(head_rotation(sample.landmarks)[0, 2]))) for sample in evaluation.samples]
    bins = np.digitize(yaw, YAW_EDGES[1:-1])
    samples = tuple(
        replace(sample, attributes=(f"yaw {YAW_EDGES[bin]} to {YAW_EDGES[bin + 1]}°",))
        for sample, bin in zip(evaluation.samples, bins, strict=True)
    )
    marked = replace(evaluation, samples=samples)
    names = sorted({name for sample in samples for name in sample.attributes})
    return {name: summary(marked.of_subset(name)) for name in names}


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("root", type=Path, help="300W as published: afw, helen, lfpw, ibug")
    parser.add_argument("--split", choices=ibug_300w.SPLITS, default="validation")
    parser.add_argument("--every", type=int, default=1, help="use one face in so many")
    parser.add_argument("--weights", type=Path, default=zoo_path(DEFAULT_LANDMARKS), help="landmark model, .onnx")
    parser.add_argument("--out", type=Path, help="by default in benchmarks/results, by the model's name")
    args = parser.parse_args()
    cv2.setNumThreads(1)
    samples = ibug_300w.load(args.root, args.split)[:: args.every]
    figures: dict[str, Any] = {"split": args.split, "conditions": {}}
    with load_engine(args.weights, "cpu", threads=1) as engine:
        for name, faces in conditions(samples).items():
            evaluation = evaluate(engine, faces)
            figures["conditions"][name] = summary(evaluation)
            if name == "as they are":
                figures["yaw"] = by_yaw(evaluation)
    print(f"{'':16} faces   NME    51   FR@.10  in 90 % ellipse  taken for none")
    for name, one in (figures["conditions"] | figures["yaw"]).items():
        print(
            f"{name:16} {one['faces']:5} {one['nme']:5.2f} {one['nme51']:5.2f}  {one['fr10']:6.1f}  "
            f"{one['coverage90']:15.1f}  {one['taken_for_none']:14.1f}"
        )
    write_result(args.out or model_result("robustness", args.weights), figures, model=args.weights)


if __name__ == "__main__":
    main()
