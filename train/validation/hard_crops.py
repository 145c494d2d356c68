"""Crops of faces made hard in ways that are known: turned, dark, out of focus, moving, small, and covered landmark by
landmark."""

# K landmarks, S crop pixels

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from startrack.engines.base import ModelSpec
from startrack.tracker.crop import bounding_box, crop_affine, cut_crop, roi_from_points, transform_points
from startrack.tracker.schemes import IBUG_68
from startrack.tracker.types import ImageArray, Roi
from startrack.train.augment.face_pastes import StoredFace, soft_ellipse
from startrack.train.augment.lookalikes import draw_limb
from startrack.train.evaluation.evaluate import crop_roi
from startrack.train.sets.sample import DatasetError, Sample

Float64Array = NDArray[np.float64]
Opacity = NDArray[np.float32]
"""(S, S) 0..1."""


@dataclass(frozen=True, slots=True, eq=False)
class HardCrop:
    """One crop and the truth in it."""

    image: ImageArray
    """(S, S, 3) uint8 RGB."""
    landmarks: Float64Array
    """(K, 2) crop pixels."""
    hidden: NDArray[np.bool_]
    """(K,) whether something lies over the landmark, or it is outside the photo."""


@dataclass(frozen=True, slots=True, eq=False)
class Scene:
    """The material of a change."""

    image: ImageArray
    landmarks: Float64Array
    others: Sequence[Sample]
    """Faces that may come before this one."""
    rng: np.random.Generator

    @property
    def side(self) -> float:
        """Of the face, crop pixels."""
        left, top, right, bottom = bounding_box(self.landmarks).tolist()
        return float(max(right - left, bottom - top))


Texture = Callable[[Scene], ImageArray]
Cover = Callable[[Scene], tuple[ImageArray, Opacity]]
"""What lies over the crop, (S, S, 3), and how much of it."""


@dataclass(frozen=True, slots=True)
class Condition:
    """How crops are made hard."""

    turn_deg: float = 0.0
    """Standard deviation of the crop's turn against the face; a tracker's own crops are upright to a few degrees."""
    shift: float = 0.0
    """Of its place along each axis, sides of the crop."""
    log_scale: float = 0.0
    """Of the logarithm of its size."""
    texture: Texture | None = None
    covers: tuple[Cover, ...] = ()
    """One of them is drawn for each face."""
    most_hidden: float = 0.5
    """Share of the landmarks that a cover may hide."""


def dark(scene: Scene) -> ImageArray:
    """A twentieth to a fifth of the light, and a sensor's noise: of 300 photons in full white, and of reading."""
    light = (scene.image / 255.0) ** 2.2 * math.exp(scene.rng.uniform(math.log(0.05), math.log(0.2)))
    seen = scene.rng.poisson(light * 300) / 300 + scene.rng.normal(0, 1 / 255 / 4, scene.image.shape)
    return np.asarray(255 * seen.clip(0, 1) ** (1 / 2.2), np.uint8)


def out_of_focus(scene: Scene) -> ImageArray:
    """A Gaussian of 1 to 4 % of the face's side."""
    return np.asarray(cv2.GaussianBlur(scene.image, (0, 0), scene.rng.uniform(0.01, 0.04) * scene.side), np.uint8)


def moving(scene: Scene) -> ImageArray:
    """A line of 5 to 16 % of the face's side, in any direction."""
    length = max(int(scene.rng.uniform(0.05, 0.16) * scene.side), 3) | 1
    kernel = np.zeros((length, length), np.float32)
    kernel[length // 2] = 1
    middle = (length - 1) / 2
    turn = cv2.getRotationMatrix2D((middle, middle), float(scene.rng.uniform(0, 180)), 1)
    kernel = np.asarray(cv2.warpAffine(kernel, turn, (length, length)), np.float32)
    return np.asarray(cv2.filter2D(scene.image, -1, kernel / max(float(kernel.sum()), 1e-6)), np.uint8)


def blurred(scene: Scene) -> ImageArray:
    """Out of focus or moving."""
    return (out_of_focus if scene.rng.random() < 0.5 else moving)(scene)


def small(scene: Scene) -> ImageArray:
    """A face of 16 to 48 pixels, drawn large."""
    size = len(scene.image)
    side = max(8, round(size * scene.rng.uniform(16, 48) / scene.side))
    shrunk = cv2.resize(scene.image, (side, side), interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.resize(shrunk, (size, size), interpolation=cv2.INTER_LINEAR), np.uint8)


def disc(scene: Scene) -> tuple[ImageArray, Opacity]:
    """A plain disc of 20 to 60 % of the face's side over one of its landmarks."""
    mask = np.zeros(scene.image.shape[:2], np.float32)
    x, y = scene.landmarks[int(scene.rng.integers(len(scene.landmarks)))].tolist()
    radius = scene.rng.uniform(0.1, 0.3) * scene.side
    cv2.circle(mask, (round(x * 16), round(y * 16)), round(radius * 16), 1.0, -1, cv2.LINE_AA, 4)
    return _plain(scene), mask


def bar(scene: Scene) -> tuple[ImageArray, Opacity]:
    """A band across the face, black or of one colour: eyes, nose or mouth under it."""
    size, mask = len(scene.image), np.zeros(scene.image.shape[:2], np.float32)
    y = float(scene.rng.choice(scene.landmarks[:, 1])) - scene.rng.uniform(0, 0.1) * scene.side
    height = scene.rng.uniform(0.12, 0.35) * scene.side
    mask[max(round(y - height / 2), 0) : max(round(y + height / 2), 1)] = 1
    turn = cv2.getRotationMatrix2D((size / 2, size / 2), float(scene.rng.normal(0, 8)), 1)
    mask = np.asarray(cv2.warpAffine(mask, turn, (size, size)), np.float32)
    return (np.zeros_like(scene.image) if scene.rng.random() < 0.4 else _plain(scene)), mask


def half(scene: Scene) -> tuple[ImageArray, Opacity]:
    """All on one side of a line through the face, plain or another part of the picture."""
    size = len(scene.image)
    turn = scene.rng.uniform(0, 2 * math.pi)
    y, x = np.mgrid[:size, :size] - scene.landmarks.mean(axis=0)[::-1, None, None]
    away = x * math.cos(turn) + y * math.sin(turn) - scene.rng.uniform(-0.15, 0.35) * scene.side
    picture = _plain(scene) if scene.rng.random() < 0.6 else np.roll(scene.image[::-1], size // 3, axis=1)
    return picture, (away + 0.5).clip(0, 1).astype(np.float32)


def limb(scene: Scene) -> tuple[ImageArray, Opacity]:
    """A hand, an arm or a bare shape of the face's own skin over one of its landmarks.

    A disc for other markups than iBUG's 68 points, whose cheeks are not known.
    """
    if len(scene.landmarks) != IBUG_68.num_landmarks:
        return disc(scene)
    size = len(scene.image)
    picture, opacity = draw_limb(size, StoredFace(scene.image, scene.landmarks), scene.rng)
    target = scene.landmarks[int(scene.rng.integers(len(scene.landmarks)))]
    shift = target - size / 2
    move = np.array([[1.0, 0.0, shift[0]], [0.0, 1.0, shift[1]]])
    opacity = np.asarray(cv2.warpAffine(opacity, move, (size, size)), np.float32)
    return np.asarray(cv2.warpAffine(picture, move, (size, size), borderMode=cv2.BORDER_REPLICATE), np.uint8), opacity


def head(scene: Scene) -> tuple[ImageArray, Opacity]:
    """Another person's head before this one, hair and all, from any side."""
    size, other = len(scene.image), scene.others[int(scene.rng.integers(len(scene.others)))]
    zoom, turn = scene.rng.uniform(0.8, 1.4), scene.rng.uniform(0, 2 * math.pi)
    patch_size = round(2.0 * zoom * scene.side)
    affine = crop_affine(roi_from_points(other.landmarks, 2.0), patch_size)
    patch = cut_crop(other.read_image(), affine, patch_size)
    alpha = soft_ellipse(patch_size, 0.0, scene.rng)
    away = scene.rng.uniform(0.45, 1.0) * scene.side * math.sqrt(zoom)
    middle = scene.landmarks.mean(axis=0) + away * np.array([math.cos(turn), math.sin(turn)])
    move = np.array([[1.0, 0.0, middle[0] - patch_size / 2], [0.0, 1.0, middle[1] - patch_size / 2]])
    return (
        np.asarray(cv2.warpAffine(patch, move, (size, size)), np.uint8),
        np.asarray(cv2.warpAffine(alpha, move, (size, size)), np.float32),
    )


def _plain(scene: Scene) -> ImageArray:
    colour = np.full(3, scene.rng.integers(0, 256)) if scene.rng.random() < 0.5 else scene.rng.integers(0, 256, 3)
    return np.broadcast_to(colour.astype(np.uint8), scene.image.shape)


COVERS = (disc, bar, half, limb, head)
CONDITIONS: Mapping[str, Condition] = {
    "plain": Condition(),
    "turned": Condition(turn_deg=20, shift=0.02, log_scale=0.05),
    "dark": Condition(texture=dark),
    "blurred": Condition(texture=blurred),
    "covered": Condition(covers=COVERS),
}
"""What ellipses must hold on."""
MOSTLY_HIDDEN = Condition(covers=COVERS, most_hidden=1.0)
"""Faces of which little or nothing may be left to be seen: for visibilities alone."""
DRAWS = 8
"""Of a cover, until it hides no more than it may."""


def hard_crop(sample: Sample, spec: ModelSpec, condition: Condition, others: Sequence[Sample], seed: int) -> HardCrop:
    """The crop around the true landmarks, changed; the same seed gives the same.

    Raises DatasetError for a face with another number of landmarks than the model's, or one without a place.
    """
    if np.shape(sample.landmarks) != (spec.num_landmarks, 2) or not np.isfinite(sample.landmarks).all():
        raise DatasetError(f"{sample.path}: expected {spec.num_landmarks} landmarks, each with a place")
    rng, size = np.random.default_rng(seed), spec.input_size
    base = crop_roi(sample, spec, "landmarks")
    turn, shift, scale = rng.standard_normal(), rng.standard_normal(2), rng.standard_normal()
    roi = Roi(
        np.asarray(base.centre, np.float64) + condition.shift * shift * base.side,
        base.side * math.exp(condition.log_scale * float(scale)),
        base.angle_rad + math.radians(condition.turn_deg * float(np.clip(turn, -2, 2))),
    )
    affine = crop_affine(roi, size)
    image = cut_crop(sample.read_image(), affine, size)
    landmarks = transform_points(affine, sample.landmarks)
    hidden: NDArray[np.bool_] = ~np.all((landmarks >= 0) & (landmarks <= size - 1), axis=-1)
    scene = Scene(image, landmarks, others, rng)
    if condition.texture:
        image = condition.texture(scene)
    if condition.covers:
        opacity, covered = np.zeros((size, size), np.float32), image
        columns, rows = landmarks.round().astype(int).clip(0, size - 1).T
        for _ in range(DRAWS):
            covered, opacity = condition.covers[int(rng.integers(len(condition.covers)))](scene)
            if (opacity[rows, columns] > 0.5).mean() <= condition.most_hidden:
                break
        image = (image + opacity[..., None] * (covered.astype(np.float32) - image)).clip(0, 255).astype(np.uint8)
        hidden |= opacity[rows, columns] > 0.5
    return HardCrop(image, landmarks, hidden)
