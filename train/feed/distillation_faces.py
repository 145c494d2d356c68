"""The input of a student: its crop of a face, and the same as its teacher takes it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from torch import Tensor
from torch.utils.data import Dataset

from startrack.engines.base import EngineError, ModelSpec
from startrack.tracker.types import FloatArray
from startrack.train.augment.face_augment import Augmentation, Mixture
from startrack.train.feed.dataset import FaceDataset, ItemKey
from startrack.train.sets.backgrounds import Background
from startrack.train.sets.sample import Sample


class DistillationItem(NamedTuple):
    """One item, or B of them: a face or a background."""

    crops: Tensor
    """(B, S, S, 3) uint8, the student's, in its colour order."""
    landmarks: Tensor
    """(B, K, 2) float32, pixels of the student's crop: the true ones where weight is above 0."""
    presence: Tensor
    """(B,) float32, 1 for a face."""
    weight: Tensor
    """(B,) float32, of the true landmarks."""
    teacher_crops: Tensor
    """(B, T, T, 3) uint8: the same part of the picture, with the same changes, in the teacher's colour order."""


class DistillationFaces(Dataset[DistillationItem]):
    """Faces with true landmarks and faces without (weight 0), each cut twice.

    The two crops of an item come from two data sets of the same seed: the same turn, scale, shift and mirroring, and
    the same changes of texture up to the grain of noise. So the teacher sees the same as the student, and is as unsure
    of a hidden point as the student should be. Pictures stay at the resolution that the larger crop needs.
    """

    def __init__(
        self,
        samples: Sequence[Sample],
        student: ModelSpec,
        teacher: ModelSpec,
        *,
        augmentation: Augmentation | Mixture,
        backgrounds: Sequence[Background] = (),
        annotation_bias: FloatArray | None = None,
        seed: int = 0,
    ) -> None:
        """annotation_bias: as in FaceDataset. Raises EngineError if the two models do not say the same of a crop:
        scheme and scale."""
        for field in ("scheme", "crop_scale"):
            ours, theirs = getattr(student, field), getattr(teacher, field)
            if ours != theirs:
                raise EngineError(f"teacher {teacher.name}: its {field} is {theirs}; expected the student's, {ours}")
        self.student, self.teacher = (
            FaceDataset(
                samples,
                spec,
                augmentation=augmentation,
                backgrounds=backgrounds,
                annotation_bias=annotation_bias,
                seed=seed,
            )
            for spec in (student, teacher)
        )

    def __len__(self) -> int:
        return len(self.student)

    def __getitem__(self, key: ItemKey) -> DistillationItem:
        return DistillationItem(*self.student[key], teacher_crops=self.teacher[key].crops)
