"""Known faces that cross and hide each other: scenes in which a tracker must keep ids apart."""

# T frames, F faces, K landmarks

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from startrack.tracker.crop import bounding_box, crop_affine, cut_crop, roi_from_points, transform_points
from startrack.tracker.types import Frame, ImageArray, Roi, TrackedFrame
from startrack.train.augment.face_pastes import blend
from startrack.train.motion.head_path import Float64Array
from startrack.train.sets.sample import Sample

SIZE = (640, 480)
"""Width and height of the frames in which faces cross."""
FPS = 30.0
PATCH_SIDES = 1.9
"""Side of the picture around a pasted face, in sides of the face."""
VISIBLE = 0.7
"""Share of a face's landmarks that are not hidden, from which it must be found."""
ON_FACE = 0.25
"""Mean distance of a track's landmarks from the truth, in sides of the face, up to which it lies on that face."""


@dataclass(frozen=True, slots=True, eq=False)
class CrowdScene:
    """Where each face is in each frame. The last face is in front of all others."""

    landmarks: Float64Array
    """(T, F, K, 2) frame pixels."""
    visible: NDArray[np.bool_]
    """(T, F, K) whether no face before it hides the landmark, and it is in the frame."""
    patches: tuple[ImageArray, ...]
    """F pictures (s, s, 3) of the faces, s even."""
    corners: NDArray[np.int64]
    """(T, F, 2) x, y of each patch's upper left pixel."""
    background: ImageArray
    """(H, W, 3) RGB."""

    def frames(self) -> Iterator[Frame]:
        """T frames at 30 per second."""
        masks = [_mask(len(patch)) for patch in self.patches]
        for t, corners in enumerate(self.corners):
            image = self.background.copy()
            for patch, mask, (left, top) in zip(self.patches, masks, corners, strict=True):
                blend(image, patch, (int(left), int(top)), mask)
            yield Frame(image, t, t / FPS)


def crossing(samples: Sequence[Sample], seed: int, *, seconds: float = 5.0) -> CrowdScene:
    """Two or three faces of `samples` that walk past each other, there and back: each crossing hides the rear ones.

    Raises DatasetError for a picture that cannot be read.
    """
    rng = np.random.default_rng(seed)
    chosen = [samples[int(index)] for index in rng.choice(len(samples), int(rng.integers(2, 4)), replace=False)]
    times_s = np.arange(round(seconds * FPS)) / FPS
    sides = rng.uniform(80, 150, len(chosen))
    sides.sort()  # who is nearer is larger, and drawn later
    patches, marks, corners = [], [], []
    for sample, side in zip(chosen, sides, strict=True):
        patch, points = _cut(sample, float(side))
        patches.append(patch)
        marks.append(points)
        period_s, phase = rng.uniform(3.0, 6.0), rng.uniform(0, 2 * np.pi)
        sway = 2 * np.pi * times_s / period_s + phase
        x = SIZE[0] / 2 + (0.42 * SIZE[0] - side / 2) * np.sin(sway)
        y = SIZE[1] / 2 + rng.uniform(-25, 25) + 6 * np.sin(2.3 * sway)
        corners.append(np.rint(np.stack([x, y], axis=-1) - len(patch) / 2).astype(np.int64))
    corner = np.stack(corners, axis=1)
    landmarks = np.stack(marks)[None] + corner[:, :, None]
    return CrowdScene(landmarks, _visible(landmarks, SIZE), tuple(patches), corner, _shades(SIZE, rng))


def standing_crowd(samples: Sequence[Sample], seed: int, *, rows: int, columns: int, seconds: float) -> CrowdScene:
    """Faces of `samples` in rows of a 720p picture, each swaying in its own place: none hides another.

    Raises DatasetError for a picture that cannot be read.
    """
    size, count = (1280, 720), rows * columns
    rng = np.random.default_rng(seed)
    times_s = np.arange(round(seconds * FPS)) / FPS
    room = np.array(size) / (columns, rows)
    side = 0.75 * float(room.min()) / PATCH_SIDES
    patches, marks, corners = [], [], []
    for place, index in enumerate(rng.choice(len(samples), count, replace=False)):
        patch, points = _cut(samples[int(index)], side)
        patches.append(patch)
        marks.append(points)
        sway = 2 * np.pi * times_s[:, None] / rng.uniform(1.5, 4.0, 2) + rng.uniform(0, 2 * np.pi, 2)
        middle = room * (np.array(divmod(place, columns)[::-1]) + 0.5) + (room - len(patch)) / 2 * np.sin(sway)
        corners.append(np.rint(middle - len(patch) / 2).astype(np.int64))
    corner = np.stack(corners, axis=1)
    landmarks = np.stack(marks)[None] + corner[:, :, None]
    return CrowdScene(landmarks, _visible(landmarks, size), tuple(patches), corner, _shades(size, rng))


def crossing_pair(sample: Sample, other: Sample, share: float, *, still_frames: int, seed: int) -> CrowdScene:
    """A face of 110 pixels that crosses a 720p picture by `share` of its side a frame after some frames at rest, below
    another one that stays where it is. Raises DatasetError for a picture that cannot be read."""
    size, side = (1280, 720), 110.0
    (still, still_points), (patch, points) = _cut(other, side), _cut(sample, side)
    first, last = 0.75 * side, size[0] - 0.75 * side
    x = first + share * side * np.maximum(
        np.arange(int((last - first) / (share * side)) + still_frames) - still_frames, 0
    )
    middle = np.stack([x, 500 + 12 * np.sin(x / 130)], axis=-1)
    there = np.broadcast_to([0.5 * size[0], 200.0], middle.shape)
    corners = np.rint(np.stack([there, middle], axis=1) - len(patch) / 2).astype(np.int64)
    landmarks = np.stack([still_points, points])[None] + corners[:, :, None]
    shades = _shades(size, np.random.default_rng(seed))
    return CrowdScene(landmarks, _visible(landmarks, size), (still, patch), corners, shades)


@dataclass(frozen=True, slots=True)
class IdentityCounts:
    """How well the ids of a crowd were kept, over all faces and frames."""

    visible: int
    """Frames × faces in which a face must be found."""
    missed: int
    """Of these, without a track on it."""
    switches: int
    """Times that a face is found under another id than when it was last found."""
    false_positives: int
    """Frames × tracks that lie on no face, or on one that has a track already."""

    def __add__(self, other: IdentityCounts) -> IdentityCounts:
        return IdentityCounts(
            self.visible + other.visible,
            self.missed + other.missed,
            self.switches + other.switches,
            self.false_positives + other.false_positives,
        )


class KnownFaces(Protocol):
    """A scene in which every face's place is known."""

    @property
    def landmarks(self) -> Float64Array: ...

    """(T, F, K, 2) frame pixels; nan where a face is not in the picture."""

    @property
    def visible(self) -> NDArray[np.bool_]: ...

    """(T, F, K) whether the landmark can be seen."""


def count_identities(tracked: Sequence[TrackedFrame], scene: KnownFaces) -> IdentityCounts:
    """Compare tracks with the truth frame by frame; one track a face, the nearest."""
    last: dict[int, int] = {}
    visible = missed = switches = false_positives = 0
    for frame, truth_FK2, seen_FK in zip(tracked, scene.landmarks, scene.visible, strict=True):
        size_F = np.array([np.ptp(points, axis=0).max() for points in truth_FK2])
        predicted = np.array([one.landmarks.points for one in frame.tracks]).reshape(-1, 1, *truth_FK2.shape[1:])
        distance = np.linalg.norm(predicted - truth_FK2[None], axis=-1).mean(axis=-1) / size_F
        owner: dict[int, int] = {}
        for row, face in zip(*np.unravel_index(np.argsort(distance, axis=None), distance.shape), strict=True):
            if distance[row, face] < ON_FACE and face not in owner and row not in owner.values():
                owner[int(face)] = int(row)
        false_positives += len(frame.tracks) - len(owner)
        for face in range(len(truth_FK2)):
            must = float(seen_FK[face].mean()) >= VISIBLE
            visible += must
            missed += must and face not in owner
            if face in owner:
                identity = frame.tracks[owner[face]].id
                switches += must and last.get(face, identity) != identity
                if must:
                    last[face] = identity
    return IdentityCounts(visible, missed, switches, false_positives)


def _cut(sample: Sample, side: float) -> tuple[ImageArray, Float64Array]:
    """The picture around a face of `side` pixels, and its (K, 2) landmarks in it."""
    size = 2 * round(side * PATCH_SIDES / 2)
    whole = roi_from_points(sample.landmarks, size / side)
    affine = crop_affine(Roi(whole.centre, whole.side), size)
    return cut_crop(sample.read_image(), affine, size), transform_points(affine, sample.landmarks)


def _mask(size: int) -> NDArray[np.float32]:
    """(size, size) 0..1: an ellipse around the face."""
    mask = np.zeros((size, size), np.float32)
    cv2.ellipse(mask, (size // 2, size // 2), (round(0.34 * size), round(0.42 * size)), 0, 0, 360, 1.0, -1)
    return np.asarray(cv2.GaussianBlur(mask, (0, 0), 2.0), np.float32)


def _shades(size: tuple[int, int], rng: np.random.Generator) -> ImageArray:
    """(H, W, 3) a plain ground, darker on the left."""
    shade = np.linspace(60, 150, size[0])[None, :, None] + rng.uniform(-20, 20, (1, 1, 3))
    return np.ascontiguousarray(np.broadcast_to(shade, (size[1], size[0], 3)).astype(np.uint8))


def _visible(landmarks_TFK2: Float64Array, size: tuple[int, int]) -> NDArray[np.bool_]:
    """A face hides what lies in the ellipse of its box, grown to hair and cheeks as its mask is."""
    seen: NDArray[np.bool_] = np.all((landmarks_TFK2 >= 0) & (np.array(size) - 1 >= landmarks_TFK2), axis=-1)
    boxes = np.array([[bounding_box(points) for points in faces] for faces in landmarks_TFK2])
    middle, half = (
        (boxes[..., 2:] + boxes[..., :2]) / 2,
        (boxes[..., 2:] - boxes[..., :2]).max(axis=-1) * PATCH_SIDES / 2,
    )
    for rear in range(landmarks_TFK2.shape[1]):
        for front in range(rear + 1, landmarks_TFK2.shape[1]):
            away = (landmarks_TFK2[:, rear] - middle[:, front, None]) / (half[:, front, None, None] * [0.68, 0.84])
            seen[:, rear] &= (away**2).sum(axis=-1) > 1
    return seen
