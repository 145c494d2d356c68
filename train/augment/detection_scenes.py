"""Scenes that a face detector learns from: parts of photos, close-ups, groups, pictures without a face."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import cv2
import numpy as np
from numpy.typing import NDArray

from startrack.tracker.crop import Affine, crop_affine, cut_crop, eye_angle, transform_points
from startrack.tracker.types import FloatArray, ImageArray, Roi
from startrack.train.augment.coverings import cover_face, paint_face
from startrack.train.augment.face_pastes import Placed, StoredFace, blend, paste_face, soft_ellipse
from startrack.train.augment.lettering import draw_word
from startrack.train.augment.lookalikes import draw_limb
from startrack.train.augment.textures import background_picture
from startrack.train.sets.backgrounds import Background
from startrack.train.sets.face_photos import FacePhoto

LEAST_VISIBLE = 0.45
"""Share of a face's square in the picture below which it is neither to be found nor wrong when found."""
MOST_TURN = math.radians(120)
"""Heads upside down are left out: few videos show one."""
LEAST_CHANGED_SIDE = 20.0
"""Smaller faces, in pixels, are not covered or painted."""
COVERED, PAINTED = 0.12, 0.05
"""Shares of the larger faces that are partly hidden, and that are painted."""
LARGEST_FACE = 1.35
"""Side of the largest faces to be found, in sides of the picture: of more, too little is seen."""
TOO_NEAR = (1.7, 3.0)
"""Range of faces so close, in sides of the picture, that nothing is to be found, and a part of one is no face."""


class Scene:
    """A picture under construction with its faces."""

    def __init__(self, picture: ImageArray) -> None:
        self.picture = picture
        self.faces: list[Placed] = []
        self.ignored: list[FloatArray] = []

    def is_free(self, square: FloatArray, *, without: Placed | None = None) -> bool:
        """Whether a patch there would hide none of the faces that must be found, `without` aside."""
        taken = np.array([face.square for face in self.faces if face is not without]).reshape(-1, 3)
        apart = np.abs(taken[:, :2] - square[:2]).max(axis=1)
        return bool((apart > 0.55 * (taken[:, 2] + square[2])).all())


class SceneMaker:
    """Random square scenes. All pictures are held in memory."""

    def __init__(
        self, photos: Sequence[FacePhoto], cut_outs: Sequence[StoredFace], textures: Sequence[Background] = ()
    ) -> None:
        """cut_outs: faces for close-ups and to paste. textures: further pictures without a face."""
        self.photos = [(photo, photo.read_image()) for photo in photos]
        # groups count more, or each of their faces would be seen too seldom
        weight = np.sqrt([1 + len(photo.squares) for photo in photos])
        self.photo_chance = weight / weight.sum()
        self.cut_outs = cut_outs
        self.grounds = [*(_ground(photo, image) for photo, image in self.photos), *textures]

    def photo_part(self, size: int, rng: np.random.Generator) -> Scene:
        """Part of a photo: mostly around one of its faces, at a random size."""
        photo, image = self.photos[int(rng.choice(len(self.photos), p=self.photo_chance))]
        height, width = image.shape[:2]
        if len(photo.squares) and rng.random() < 0.85:
            square = photo.squares[int(rng.integers(len(photo.squares)))]
            # faces of photos are enlarged little: blurred small ones would pass for large ones
            zoom = min(_face_side(size, rng) / square[2], 2.0)
            middle = square[:2] + rng.uniform(-0.45, 0.45, 2) * size / zoom
        else:
            zoom = log_uniform(size / max(height, width), 2.0, rng)
            middle = rng.uniform(0.2, 0.8, 2) * [width, height]
        affine, mirrored = _turned(middle, size / zoom, size, _turn(rng, 0.15), rng)
        scene = Scene(self._on_ground(image, affine, size, rng))
        for square, eyes in zip(photo.squares, photo.eyes, strict=True):
            moved = transform_points(affine, eyes)
            scene.faces.append(Placed(_moved(affine, square), moved[::-1] if mirrored else moved))
        scene.ignored += [_moved(affine, square) for square in photo.ignored]
        return scene

    def _on_ground(self, image: ImageArray, affine: Affine, size: int, rng: np.random.Generator) -> ImageArray:
        """The photo through the affine; where the picture reaches beyond it, another photo, or black as in letterboxed
        pictures."""
        picture = cut_crop(image, affine, size)
        inside = cv2.warpAffine(np.full(image.shape[:2], 255, np.uint8), affine, (size, size))
        if rng.random() < 0.2 or np.count_nonzero(inside < 128) < 0.02 * inside.size:
            return picture
        ground = background_picture(self.grounds, size, rng)
        return np.where(inside[..., None] >= 128, picture, ground)

    def close_up(self, size: int, rng: np.random.Generator) -> Scene:
        """One large face in its own surroundings, of which nothing is known beyond the face itself. It may fill the
        picture, and be so close that it is none to be found."""
        face = self._any_face(rng)
        x, y, side = face.square()
        draw = rng.random()
        if draw < 0.5:
            share = log_uniform(0.4, 1.05, rng)
        else:
            share = rng.uniform(0.6, LARGEST_FACE) if draw < 0.88 else rng.uniform(*TOO_NEAR)
        shown = share * size
        middle = np.array([x, y]) + rng.uniform(-0.4, 0.4, 2) * (side / shown) * max(size - shown, 0.2 * shown)
        affine, mirrored = _turned(middle, side * size / shown, size, _turn(rng, 0.25), rng)
        scene = Scene(cut_crop(face.image, affine, size))
        if share >= TOO_NEAR[0]:
            return scene
        eyes = transform_points(affine, face.eyes())
        square = _moved(affine, np.array([x, y, side]))
        scene.faces.append(Placed(square, eyes[::-1] if mirrored else eyes))
        # half of a neighbour's face may show at the edge of the cut-out
        steps = [(i, j) for i in (-1, 0, 1) for j in (-1, 0, 1) if i or j]
        scene.ignored += [square * [1, 1, 0.9] + np.array([i, j, 0]) * square[2] for i, j in steps]
        return scene

    def group(self, size: int, rng: np.random.Generator) -> Scene:
        """Two to five rows of as many small scenes, mostly with a face each."""
        count = int(rng.integers(2, 6))
        tile = -(-size // count)
        whole = Scene(np.zeros((tile * count, tile * count, 3), np.uint8))
        for row in range(count):
            for column in range(count):
                draw = rng.random()
                make = self.close_up if draw < 0.6 else self.photo_part if draw < 0.88 else self.background
                self._lay(whole, make(tile, rng), np.array([column * tile, row * tile]))
        whole.picture = np.ascontiguousarray(whole.picture[:size, :size])
        return whole

    @staticmethod
    def _lay(whole: Scene, part: Scene, corner: NDArray[np.int64]) -> None:
        """Put a small scene into a larger one. Faces cut off at its edges are not asked for."""
        size = part.picture.shape[0]
        left, top = (int(value) for value in corner)
        whole.picture[top : top + size, left : left + size] = part.picture
        moved = np.array([left, top, 0])
        unknown = list(part.ignored)
        for face in part.faces:
            if visible_share(face.square, size) >= LEAST_VISIBLE:
                whole.faces.append(replace(face, square=face.square + moved, eyes=face.eyes + moved[:2]))
            else:
                unknown.append(face.square)
        whole.ignored += [
            square + moved for square in unknown if (np.abs(square[:2] - (size - 1) / 2) <= size / 2).all()
        ]

    def background(self, size: int, rng: np.random.Generator) -> Scene:
        """A picture without a face (train/augment/textures.py)."""
        return Scene(background_picture(self.grounds, size, rng))

    def paste(self, scene: Scene, rng: np.random.Generator) -> None:
        """Lay one more face into the scene, where there is room."""
        size = scene.picture.shape[0]
        face = self._any_face(rng)
        for _ in range(5):
            square = np.array([*rng.uniform(0, size, 2), _face_side(size, rng)])
            if scene.is_free(square):
                scene.faces.append(paste_face(scene.picture, face, square, _turn(rng, 0.25), rng))
                return

    def paste_nothing(self, scene: Scene, rng: np.random.Generator) -> None:
        """Lay something into the scene that is no face where one may be: a word, a hand or the like, what else covers
        faces, or a soft ellipse of another picture, so that the cut's edge is no clue."""
        size = scene.picture.shape[0]
        square = np.array([*rng.uniform(0, size, 2), log_uniform(12, 0.5 * size, rng)])
        draw = rng.random()
        if draw < 0.2:
            if scene.is_free(square * [1, 1, 1.3]):
                change = rng.random()
                if change < 0.7:
                    cover_face(scene.picture, square, _turn(rng, 0.2), self._any_face(rng), rng)
                if change > 0.5:
                    paint_face(scene.picture, square, _turn(rng, 0.2), rng)
            return
        patch_side = max(round(2 * square[2]), 16)
        if draw < 0.5:
            patch, alpha = draw_word(round(rng.uniform(0.2, 1.1) * size), rng)
            square[2] = max(patch.shape[:2])
        elif draw < 0.75:
            patch, alpha = draw_limb(patch_side, self._any_face(rng), rng)
        else:
            patch = background_picture(self.grounds, patch_side, rng)
            alpha = soft_ellipse(patch_side, _turn(rng, 0.2), rng)
        if scene.is_free(square):
            corner = (round(square[0] - patch.shape[1] / 2), round(square[1] - patch.shape[0] / 2))
            blend(scene.picture, patch, corner, alpha)

    def change_faces(self, scene: Scene, rng: np.random.Generator) -> None:
        """Cover or paint some of the scene's faces, in place, where that leaves the others as they are."""
        for face in scene.faces:
            chance = rng.random(2)
            if (
                face.square[2] < LEAST_CHANGED_SIDE
                or min(chance / (COVERED, PAINTED)) >= 1
                or not scene.is_free(face.square, without=face)
            ):
                continue
            angle = eye_angle(face.eyes[0], face.eyes[1]) if np.isfinite(face.eyes).all() else 0.0
            if chance[1] < PAINTED:
                paint_face(scene.picture, face.square, angle, rng)
            if chance[0] < COVERED:
                cover_face(scene.picture, face.square, angle, self._any_face(rng), rng)

    def _any_face(self, rng: np.random.Generator) -> StoredFace:
        return self.cut_outs[int(rng.integers(len(self.cut_outs)))]


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


def log_uniform(low: float, high: float, rng: np.random.Generator) -> float:
    """Of even chance in every octave; low where high is less."""
    return math.exp(rng.uniform(math.log(low), math.log(max(high, low))))


def _face_side(size: int, rng: np.random.Generator) -> float:
    """Pixels: mostly small and middling, as in a shrunk frame; some frame-filling."""
    draw = rng.random()
    if draw < 0.35:
        return log_uniform(12, 40, rng)
    return log_uniform(12, 0.4 * size, rng) if draw < 0.75 else log_uniform(0.2 * size, 0.8 * size, rng)


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
