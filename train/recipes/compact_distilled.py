"""compact-300w-distilled, -slim, -small, -large-distilled: compact networks that learn from a larger one, or several.

The student sees the 300W training faces with their landmarks, and these, the faces of other folders and the larger
faces of WIDER photos with the teacher's answers under the same augmentation: mean and covariance of its
heatmaps. Samples are cut and changed as in compact.py. Turned heads are repeated. compact-300w-slim has half the
channels inside its blocks, at three quarters of the time, and begins with the strongest of compact-300w
(train/weights/narrow.py) or its own weights; compact-300w-small is the first stack of the two alone, at half the cost.

Without a teacher the same networks are trained on the true landmarks alone.

Command: startrack train --recipe compact-300w-distilled --data 300w --extra helen256 --extra helen_reduced
--teacher large.onnx --unlabelled youtube_faces --unlabelled mebeauty --backgrounds wider_photos
--out runs/distilled
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
from startrack.train.feed.distillation_faces import DistillationFaces
from startrack.train.feed.teacher import Teacher
from startrack.train.losses.distillation import DistillationLoss
from startrack.train.recipes.compact import (
    COMPACT_SPEC,
    CROPS,
    LARGE_SPEC,
    SLIM_SPEC,
    SMALL_SPEC,
    Faces,
    adamw,
    compact_network,
    compact_validation,
    labelled_recipe,
    one_cycle,
)
from startrack.train.recipes.load import load_landmark_network
from startrack.train.recipes.recipe import Recipe
from startrack.train.sets import ibug_300w
from startrack.train.sets.backgrounds import load_backgrounds
from startrack.train.sets.face_photos import load_face_photos
from startrack.train.sets.sample import DatasetError, Sample
from startrack.train.sets.unlabelled import photo_faces
from startrack.train.targets.annotation_bias import IBUG_300W_BIAS


@dataclass(frozen=True, slots=True)
class TeacherInputs:
    """Where faces and their landmarks come from."""

    faces: Faces
    """Those with true landmarks; the photos of `backgrounds` also give faces without."""
    teacher: Sequence[Path]
    """Weights of trained networks, or their float model files; crops are cut as the first takes them."""
    flip: bool
    """Ask the teacher for the mirrored crop too."""
    unlabelled: Sequence[Path]
    """Folders of pictures of a face each, with rough .pts."""


def _distilled(student: ModelSpec) -> Callable[..., Recipe]:
    """The recipe of a student."""

    def recipe(
        data: Path,
        *,
        extra: Sequence[Path] = (),
        extra_weight: float = 1.0,
        teacher: Sequence[Path] = (),
        teacher_flip: bool = False,
        unlabelled: Sequence[Path] = (),
        backgrounds: Path | None = None,
        epochs: int = 40,
        seed: int = 0,
    ) -> Recipe:
        """The fields are those of Faces and Lessons. Raises EngineError if the teacher cannot be read, DatasetError if
        a folder cannot or if there are unlabelled faces and no teacher."""
        faces = Faces(data, extra, extra_weight, backgrounds)
        if teacher:
            inputs = TeacherInputs(faces, teacher, teacher_flip, unlabelled)
            return _distillation(student, inputs, epochs=epochs, seed=seed)
        if unlabelled:
            raise DatasetError(f"{unlabelled[0]}: faces without landmarks; expected a --teacher that says them")
        return labelled_recipe(student, faces, epochs=epochs, seed=seed)

    return recipe


compact_300w_distilled = _distilled(COMPACT_SPEC)
compact_300w_slim = _distilled(SLIM_SPEC)
compact_300w_small = _distilled(SMALL_SPEC)
compact_300w_large_distilled = _distilled(LARGE_SPEC)


def _distillation(student: ModelSpec, inputs: TeacherInputs, *, epochs: int, seed: int) -> Recipe:
    torch.manual_seed(seed)
    members = [load_landmark_network(path) for path in inputs.teacher]
    teacher = Teacher(members, flip=inputs.flip, annotation_bias=IBUG_300W_BIAS)
    backgrounds = load_backgrounds(inputs.faces.backgrounds) if inputs.faces.backgrounds else ()
    return Recipe(
        name=student.name,
        spec=student,
        model=compact_network(student)[0],
        loss=DistillationLoss(stride=student.stride),
        train_data=DistillationFaces(
            _faces(inputs, teacher),
            student,
            teacher.spec,
            augmentation=CROPS,
            backgrounds=backgrounds,
            annotation_bias=IBUG_300W_BIAS,
            seed=seed,
        ),
        prepare=teacher.batches(student),
        validate=compact_validation(inputs.faces.data, student),
        make_optimiser=adamw,
        learning_rate=functools.partial(one_cycle, peak=8e-4),
        epochs=epochs,
        batch_size=16,
        ema_decay=0.9995,
    )


def _faces(inputs: TeacherInputs, teacher: Teacher) -> list[Sample]:
    samples = inputs.faces.load()
    for folder in inputs.unlabelled:
        samples += [replace(face, weight=0.0) for face in ibug_300w.load_folder(folder, "unlabelled")]
    if inputs.faces.backgrounds:
        photos = load_face_photos(inputs.faces.backgrounds, "train")
        samples += photo_faces(photos, teacher.find, crop_scale=teacher.spec.crop_scale)
    return samples
