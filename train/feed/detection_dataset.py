"""What a face detector is fed: parts of photos, faces on other grounds, pictures and things without a face."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset

from startrack.tracker.crop import Affine, crop_affine, cut_crop, transform_points
from startrack.tracker.types import FloatArray, ImageArray, Roi
from startrack.train.augment.face_augment import Augmentation, change_texture
from startrack.train.augment.face_pastes import Placed, StoredFace, blend, paste_face, soft_ellipse
from startrack.train.augment.lettering import draw_word
from startrack.train.augment.lookalikes import draw_limb
from startrack.train.augment.textures import faceless_picture
from startrack.train.feed.dataset import ItemKey
from startrack.train.sets.backgrounds import Background
from startrack.train.sets.face_photos import FacePhoto

MAX_FACES = 24
MAX_IGNORED = 32
SMALLEST_SIDE = 11.0
"""Smaller faces, in pixels, are neither to be found nor wrong when found."""
LEAST_VISIBLE = 0.45
"""Share of a face's square in the picture below which the same holds."""
MOST_TURN = math.radians(120)
"""Heads upside down are left out: few videos show one."""
PICTURE_TEXTURE = Augmentation(
    occlusion=0.0, blur=0.0, low_resolution=0.0, gamma=0.25, colour=0.35, noise=0.15, grey=0.12, compression=0.15
)
"""Without hiding or blurring whole pictures, which would wipe out small faces; pastes have their own changes."""


class PictureBatch(NamedTuple):
    """Pictures and their faces; one item has no leading B. (A NamedTuple, because torch collates those.)"""

    pictures: Tensor
    """(B, S, S, 3) uint8 RGB."""
    squares: Tensor
    """(B, MAX_FACES, 3) float32 centre x, y, side in pixels; side 0 where there is no further face."""
    eyes: Tensor
    """(B, MAX_FACES, 2, 2) float32 the face's own right eye, then its left; NaN where unknown."""
    ignored: Tensor
    """(B, MAX_IGNORED, 3) float32 squares where nothing is known; side 0 for none."""


class _Scene:
    """A picture under construction with its faces."""

    def __init__(self, picture: ImageArray) -> None:
        self.picture = picture
        self.faces: list[Placed] = []
        self.ignored: list[FloatArray] = []

    def is_free(self, square: FloatArray) -> bool:
        """Whether a face there would hide none of those that must be found."""
        taken = np.array([face.square for face in self.faces]).reshape(-1, 3)
        apart = np.abs(taken[:, :2] - square[:2]).max(axis=1)
        return bool((apart > 0.55 * (taken[:, 2] + square[2])).all())


class DetectionDataset(Dataset[PictureBatch]):
    """Random pictures for a detector. What item i of epoch e shows depends on (seed, e, i) alone."""

    def __init__(
        self,
        photos: Sequence[FacePhoto],
        cut_outs: Sequence[StoredFace],
        *,
        size: int,
        textures: Sequence[Background] = (),
        length: int = 4096,
        seed: int = 0,
    ) -> None:
        """cut_outs: faces to paste. size: side of the pictures. length: items that are called one epoch."""
        self.photos = [(photo, photo.read_image()) for photo in photos]
        self.cut_outs = cut_outs
        self.size = size
        self.grounds = [*(_ground(photo, image) for photo, image in self.photos), *textures]
        self.length = length
        self.seed = seed

    def __len__(self) -> int:
        return self.length

    def __getitem__(self, key: ItemKey) -> PictureBatch:
        rng = np.random.default_rng((self.seed, key.epoch, key.item))
        draw = rng.random()
        if draw < 0.6:
            scene = self._photo_scene(rng)
            pastes = int(rng.integers(0, 2))
        elif draw < 0.72:
            scene = self._close_up(rng)
            pastes = int(rng.integers(0, 2))
        else:
            scene = _Scene(faceless_picture(self.grounds, self.size, rng))
            pastes = int(rng.integers(1, 6)) if draw < 0.87 else 0
        for _ in range(int(rng.integers(0, 3))):
            self._paste_nothing(scene, rng)
        for _ in range(pastes):
            self._paste(scene, rng)
        return to_item(scene.faces, scene.ignored, change_texture(scene.picture, PICTURE_TEXTURE, rng))

    def _photo_scene(self, rng: np.random.Generator) -> _Scene:
        """Part of a photo: mostly around one of its faces, at a random size."""
        photo, image = self.photos[int(rng.integers(len(self.photos)))]
        height, width = image.shape[:2]
        size = self.size
        if len(photo.squares) and rng.random() < 0.85:
            square = photo.squares[int(rng.integers(len(photo.squares)))]
            # faces of photos are enlarged little: blurred small ones would pass for large ones
            zoom = min(_face_side(size, rng) / square[2], 2.0)
            middle = square[:2] + rng.uniform(-0.45, 0.45, 2) * size / zoom
        else:
            zoom = _log_uniform(size / max(height, width), 2.0, rng)
            middle = rng.uniform(0.2, 0.8, 2) * [width, height]
        affine, mirrored = _turned(middle, size / zoom, size, _turn(rng, 0.15), rng)
        scene = _Scene(self._on_ground(image, affine, rng))
        for square, eyes in zip(photo.squares, photo.eyes, strict=True):
            moved = transform_points(affine, eyes)
            scene.faces.append(Placed(_moved(affine, square), moved[::-1] if mirrored else moved))
        scene.ignored += [_moved(affine, square) for square in photo.ignored]
        return scene

    def _on_ground(self, image: ImageArray, affine: Affine, rng: np.random.Generator) -> ImageArray:
        """The photo through the affine; where the picture reaches beyond it, another photo, or black as in letterboxed
        pictures."""
        picture = cut_crop(image, affine, self.size)
        inside = cv2.warpAffine(np.full(image.shape[:2], 255, np.uint8), affine, (self.size, self.size))
        if rng.random() < 0.2 or np.count_nonzero(inside < 128) < 0.02 * inside.size:
            return picture
        ground = faceless_picture(self.grounds, self.size, rng)
        return np.where(inside[..., None] >= 128, picture, ground)

    def _close_up(self, rng: np.random.Generator) -> _Scene:
        """One large face in its own surroundings, of which nothing is known beyond the face itself."""
        face = self.cut_outs[int(rng.integers(len(self.cut_outs)))]
        x, y, side = face.square()
        shown = _log_uniform(0.4, 1.05, rng) * self.size
        middle = np.array([x, y]) + rng.uniform(-0.4, 0.4, 2) * (side / shown) * max(self.size - shown, 0.2 * shown)
        affine, mirrored = _turned(middle, side * self.size / shown, self.size, _turn(rng, 0.25), rng)
        scene = _Scene(cut_crop(face.image, affine, self.size))
        eyes = transform_points(affine, face.eyes())
        square = _moved(affine, np.array([x, y, side]))
        scene.faces.append(Placed(square, eyes[::-1] if mirrored else eyes))
        # half of a neighbour's face may show at the edge of the cut-out
        steps = [(i, j) for i in (-1, 0, 1) for j in (-1, 0, 1) if i or j]
        scene.ignored += [square * [1, 1, 0.9] + np.array([i, j, 0]) * square[2] for i, j in steps]
        return scene

    def _paste(self, scene: _Scene, rng: np.random.Generator) -> None:
        face = self.cut_outs[int(rng.integers(len(self.cut_outs)))]
        for _ in range(5):
            square = np.array([*rng.uniform(0, self.size, 2), _face_side(self.size, rng)])
            if scene.is_free(square):
                scene.faces.append(paste_face(scene.picture, face, square, _turn(rng, 0.25), rng))
                return

    def _paste_nothing(self, scene: _Scene, rng: np.random.Generator) -> None:
        """What is no face where one may be: a word, a hand or the like, or a soft ellipse of another picture, so that
        the cut's edge tells nothing."""
        side = _log_uniform(12, 0.5 * self.size, rng)
        square = np.array([*rng.uniform(0, self.size, 2), side])
        draw = rng.random()
        if draw < 0.4:
            patch, alpha = draw_word(round(rng.uniform(0.2, 1.1) * self.size), rng)
            square[2] = max(patch.shape[:2])
        else:
            patch_side = max(round(2 * side), 16)
            if draw < 0.7:
                patch, alpha = draw_limb(patch_side, self.cut_outs[int(rng.integers(len(self.cut_outs)))], rng)
            else:
                patch = faceless_picture(self.grounds, patch_side, rng)
                alpha = soft_ellipse(patch_side, _turn(rng, 0.2), rng)
        if scene.is_free(square):
            corner = (round(square[0] - patch.shape[1] / 2), round(square[1] - patch.shape[0] / 2))
            blend(scene.picture, patch, corner, alpha)


def to_item(faces: Sequence[Placed], ignored: Sequence[FloatArray], picture: ImageArray) -> PictureBatch:
    """Sort out the faces that cannot be asked for, and pad to fixed shapes."""
    size = picture.shape[0]
    squares, eyes = np.zeros((MAX_FACES, 3), np.float32), np.full((MAX_FACES, 2, 2), np.nan, np.float32)
    unknown = np.zeros((MAX_IGNORED, 3), np.float32)
    left_out = [square for square in ignored if visible_share(square, size) > 0]
    count = 0
    for face in faces:
        visible = visible_share(face.square, size)
        if visible >= LEAST_VISIBLE and face.square[2] >= SMALLEST_SIDE and count < MAX_FACES:
            squares[count], eyes[count] = face.square, face.eyes
            count += 1
        elif visible > 0:
            left_out.append(face.square)
    # the largest ones, if there are too many: they cover most cells
    for row, square in enumerate(sorted(left_out, key=lambda each: -each[2])[:MAX_IGNORED]):
        unknown[row] = square
    return PictureBatch(
        torch.from_numpy(np.ascontiguousarray(picture)), *(torch.from_numpy(part) for part in (squares, eyes, unknown))
    )


def visible_share(square: FloatArray, size: int) -> float:
    """Share of a square (3,) that lies in a picture of that side."""
    half = square[2] / 2
    low, high = (square[:2] - half).clip(-0.5, size - 0.5), (square[:2] + half).clip(-0.5, size - 0.5)
    return float((high - low).prod() / max(square[2] ** 2, 1e-9))


def _ground(photo: FacePhoto, image: ImageArray) -> Background:
    """The photo with every face and possible face as a box, a quarter wider than ours: hair and chin show faces too."""
    squares = np.concatenate([photo.squares, photo.ignored])
    half = squares[:, 2:] * 0.62
    return Background(image, np.concatenate([squares[:, :2] - half, squares[:, :2] + half], axis=1))


def _log_uniform(low: float, high: float, rng: np.random.Generator) -> float:
    return math.exp(rng.uniform(math.log(low), math.log(max(high, low))))


def _face_side(size: int, rng: np.random.Generator) -> float:
    """Pixels: mostly small and middling, as in a shrunk frame; some frame-filling."""
    return _log_uniform(12, 0.4 * size, rng) if rng.random() < 0.7 else _log_uniform(0.2 * size, 0.8 * size, rng)


def _turn(rng: np.random.Generator, any_share: float) -> float:
    """Radians: mostly heads' usual 15° of roll, in a share of the pictures up to lying on either side and beyond."""
    return rng.uniform(-MOST_TURN, MOST_TURN) if rng.random() < any_share else float(rng.normal(0, math.radians(15)))


def _turned(
    middle: FloatArray, side: float, size: int, angle_rad: float, rng: np.random.Generator
) -> tuple[Affine, bool]:
    """The affine to a size×size picture of the square at `middle`, and whether it mirrors."""
    affine = crop_affine(Roi(np.asarray(middle, np.float64), side, angle_rad), size)
    mirrored = bool(rng.random() < 0.5)
    if mirrored:
        affine = np.diag([-1.0, 1.0]) @ affine + np.array([[0, 0, size - 1], [0, 0, 0]])
    return affine, mirrored


def _moved(affine: Affine, square: FloatArray) -> NDArray[np.float64]:
    """(3,) a square through a similarity."""
    zoom = math.sqrt(abs(float(np.linalg.det(affine[:, :2]))))
    return np.array([*transform_points(affine, square[:2]), square[2] * zoom])
