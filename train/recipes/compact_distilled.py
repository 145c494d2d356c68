"""compact-300w-distilled, -slim, -small, -large-distilled: compact networks that learn from a larger one, or several.

The student sees the 300W training faces with their landmarks, and these, YouTube Faces frames and the larger faces of
WIDER photos with what the teacher says of them under the same augmentation: mean and covariance of its heatmaps.
Turned heads are repeated. compact-300w-slim has half the channels inside its blocks, at three quarters of the time, and
begins with the strongest of compact-300w (train/weights/narrow.py); compact-300w-small is the first stack of the two
alone, at half the cost.

Command: startrack train --recipe compact-300w-distilled --data 300w --teacher large.onnx --unlabelled youtube_faces
--backgrounds wider_photos --init compact-300w-float.onnx --out runs/distilled
Command: startrack train --recipe compact-300w-slim, with the same options and --epochs 20
Command: startrack train --recipe compact-300w-small, with the same options
Command: startrack train --recipe compact-300w-large-distilled --teacher large.safetensors --teacher medium.safetensors
--teacher-flip, with the same options
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch

from startrack.engines.base import ModelSpec
from startrack.train.augment.face_augment import Augmentation
from startrack.train.feed.taught_faces import TaughtFaces
from startrack.train.feed.teacher import Teacher
from startrack.train.losses.distillation import DistillationLoss
from startrack.train.recipes.compact import (
    COMPACT_SPEC,
    LARGE_SPEC,
    SLIM_SPEC,
    SMALL_SPEC,
    adamw,
    compact_network,
    compact_validation,
    one_cycle,
)
from startrack.train.recipes.load import load_landmark_network
from startrack.train.recipes.recipe import Recipe
from startrack.train.sets import ibug_300w
from startrack.train.sets.backgrounds import load_backgrounds
from startrack.train.sets.face_photos import load_face_photos
from startrack.train.sets.hard_poses import with_hard_poses_repeated
from startrack.train.sets.sample import Sample
from startrack.train.sets.unlabelled import photo_faces


@dataclass(frozen=True, slots=True)
class Lessons:
    """Where faces and what is said of them come from."""

    data: Path
    """The published 300W folders."""
    teacher: Sequence[Path]
    """Weights of trained networks, or their float model files; crops are cut as the first takes them."""
    flip: bool
    """Ask the teacher for the mirrored crop too."""
    unlabelled: Path | None
    """Pictures of a face each, with rough .pts."""
    backgrounds: Path | None
    """Photos with faces.json: for faces, and for crops without one."""


def _taught(student: ModelSpec) -> Callable[..., Recipe]:
    """The recipe of a student."""

    def recipe(
        data: Path,
        *,
        teacher: Sequence[Path],
        teacher_flip: bool = False,
        unlabelled: Path | None = None,
        backgrounds: Path | None = None,
        epochs: int = 40,
        seed: int = 0,
    ) -> Recipe:
        """The fields are those of Lessons. Raises EngineError if the teacher cannot be read, DatasetError if a folder
        cannot."""
        lessons = Lessons(data, teacher, teacher_flip, unlabelled, backgrounds)
        return _distillation(student, lessons, epochs=epochs, seed=seed)

    return recipe


compact_300w_distilled = _taught(COMPACT_SPEC)
compact_300w_slim = _taught(SLIM_SPEC)
compact_300w_small = _taught(SMALL_SPEC)
compact_300w_large_distilled = _taught(LARGE_SPEC)


def _distillation(student: ModelSpec, lessons: Lessons, *, epochs: int, seed: int) -> Recipe:
    torch.manual_seed(seed)
    teacher = Teacher([load_landmark_network(path) for path in lessons.teacher], flip=lessons.flip)
    backgrounds = load_backgrounds(lessons.backgrounds) if lessons.backgrounds else ()
    return Recipe(
        name=student.name,
        spec=student,
        model=compact_network(student)[0],
        loss=DistillationLoss(stride=student.stride),
        train_data=TaughtFaces(
            _faces(lessons, teacher),
            student,
            teacher.spec,
            augmentation=Augmentation(),
            backgrounds=backgrounds,
            seed=seed,
        ),
        prepare=teacher.teaching(student),
        validate=compact_validation(lessons.data, student),
        make_optimiser=adamw,
        learning_rate=functools.partial(one_cycle, peak=8e-4),
        epochs=epochs,
        batch_size=16,
        ema_decay=0.9995,
    )


def _faces(lessons: Lessons, teacher: Teacher) -> list[Sample]:
    samples = with_hard_poses_repeated(ibug_300w.load(lessons.data, "train"))
    if lessons.unlabelled:
        samples += [replace(face, weight=0.0) for face in ibug_300w.load_folder(lessons.unlabelled, "unlabelled")]
    if lessons.backgrounds:
        photos = load_face_photos(lessons.backgrounds, "train")
        samples += photo_faces(photos, teacher.find, crop_scale=teacher.spec.crop_scale)
    return samples
