"""Teacher and student look at the same part of a picture."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.utils.data import default_collate

from startrack.engines.base import EngineError, ModelSpec
from startrack.engines.zoo import FLOAT_LANDMARKS, zoo_path
from startrack.tracker.schemes import SCHEMES
from startrack.tracker.types import Roi
from startrack.train.augment.face_augment import Augmentation
from startrack.train.feed.dataset import ItemKey
from startrack.train.feed.distillation_faces import DistillationFaces
from startrack.train.feed.teacher import Teacher
from startrack.train.models.landmark_head import LandmarkOutput
from startrack.train.recipes.compact import COMPACT_SPEC, LARGE_SPEC
from startrack.train.recipes.load import load_landmark_network
from startrack.train.sets import ibug_300w
from startrack.train.sets.backgrounds import load_backgrounds
from startrack.train.sets.face_photos import FacePhoto
from startrack.train.sets.unlabelled import photo_faces
from tests.commands.invoke import done


class BrightestCell(nn.Module):
    """All landmarks at the centre of brightness."""

    def __init__(self, spec: ModelSpec) -> None:
        super().__init__()
        self.landmarks = spec.num_landmarks

    def forward(self, crops: Tensor) -> LandmarkOutput:
        bright = crops.float().mean(-1) ** 4
        mass = bright.sum((1, 2))
        along = torch.arange(crops.shape[1], dtype=torch.float32)
        x, y = (bright.sum(1) * along).sum(1) / mass, (bright.sum(2) * along).sum(1) / mass
        points = torch.stack([x, y], -1)[:, None].expand(-1, self.landmarks, 2)
        covariance = 9 * torch.eye(2).expand(*points.shape[:2], 2, 2)
        one = torch.ones(points.shape[:2])
        return LandmarkOutput(points, covariance, one, one[:, 0], one[..., None, None])


def teacher(spec: ModelSpec = LARGE_SPEC) -> Teacher:
    return Teacher([(spec, BrightestCell(spec))])


def faces(root: Path, photos: Path | None = None, *, spec: ModelSpec = LARGE_SPEC) -> DistillationFaces:
    samples = ibug_300w.load(root, "train")
    backgrounds = load_backgrounds(photos) if photos else ()
    return DistillationFaces(samples, COMPACT_SPEC, spec, augmentation=Augmentation(), backgrounds=backgrounds, seed=3)


def test_both_crops_show_the_same(made_300w: Path, made_backgrounds: Path) -> None:
    data = faces(made_300w, made_backgrounds)
    batch = default_collate([data[ItemKey(2, item)] for item in range(len(data))])
    said = teacher().batches(COMPACT_SPEC)(batch, "cpu")
    own = teacher(COMPACT_SPEC).read(batch.crops)
    # of another resolution, and of other grains of noise
    apart = (said.teacher_points - own.points).norm(dim=-1)[:, 0]
    assert float(apart.median()) < 0.3
    assert torch.allclose(said.teacher_covariance[0, 0], 9 * (128 / 192) ** 2 * torch.eye(2))
    assert set(batch.presence.tolist()) == {0.0, 1.0}
    assert torch.equal(said.crops, batch.crops)


class LeftSide(BrightestCell):
    """The centre of brightness for even landmarks, a point to its left for odd ones; surer at larger sizes."""

    def forward(self, crops: Tensor) -> LandmarkOutput:
        said = super().forward(crops)
        points, covariance = said.points.clone(), said.covariance.clone()
        points[:, 1::2, 0] -= crops.shape[1] / 16
        covariance[..., 0, 1] = covariance[..., 1, 0] = 2.0
        return said._replace(points=points, covariance=covariance)


def _blot(size: int, x: float, y: float) -> Tensor:
    """(1, size, size, 3) uint8: a soft spot at x, y."""
    away = torch.stack(torch.meshgrid(torch.arange(size) - y, torch.arange(size) - x, indexing="ij")).norm(dim=0)
    return (255 * torch.exp(-((away / size * 8) ** 2))).to(torch.uint8)[None, ..., None].expand(1, size, size, 3)


def test_a_mirrored_view_comes_back_into_the_crop() -> None:
    spot, spec = _blot(192, 60.0, 80.0), LARGE_SPEC
    plain = Teacher([(spec, LeftSide(spec))]).read(spot)
    both = Teacher([(spec, LeftSide(spec))], flip=True).read(spot)
    even = [k for k in range(68) if k % 2 == 0 and SCHEMES[spec.scheme].flip_order[k] % 2 == 0]
    odd = [k for k in range(68) if k % 2 == 1 and SCHEMES[spec.scheme].flip_order[k] % 2 == 1]
    assert torch.allclose(plain.points[0, 0], torch.tensor([60.0, 80.0]), atol=0.2)
    biased = Teacher([(spec, LeftSide(spec))], flip=True, annotation_bias=np.full((68, 2), [0.01, 0.0])).read(spot)
    # half of twice the bias, as the mirrored view is one of two
    assert torch.allclose(biased.points - both.points, torch.tensor([0.01 * 192 / 1.25, 0.0]), atol=1e-3)
    # the same place by both views: their correlations are opposite and leave none
    assert torch.allclose(both.points[0, even], plain.points[0, even], atol=0.2)
    assert torch.allclose(both.covariance[0, even], 9 * torch.eye(2), atol=0.2)
    # 12 to the left by one view and to the right by the other: in the middle, and unsure along x
    assert torch.allclose(both.points[0, odd], plain.points[0, even[:1]].expand(len(odd), 2), atol=0.2)
    assert torch.allclose(both.covariance[0, odd], torch.diag(torch.tensor([9.0 + 144, 9.0])), atol=5)


def test_members_of_an_ensemble_see_the_same_crop_at_their_own_size() -> None:
    bgr = replace(COMPACT_SPEC, colour_order="bgr")
    together = Teacher([(LARGE_SPEC, BrightestCell(LARGE_SPEC)), (bgr, LeftSide(bgr))])
    said = together.read(_blot(192, 100.0, 50.0))
    assert torch.allclose(said.points[0, 0], torch.tensor([100.0, 50.0]), atol=0.2)
    assert torch.allclose(said.points[0, 1], torch.tensor([100.0 - 6, 50.0]), atol=0.2)
    wide = 9 * (1 + 1.5**2) / 2
    assert torch.allclose(said.covariance[0, 0], torch.tensor([[wide, 2.25], [2.25, wide]]), atol=0.2)


def test_teachers_that_cannot_stand_together_are_refused() -> None:
    other = replace(COMPACT_SPEC, crop_scale=2.0)
    with pytest.raises(EngineError, match=r"crop_scale is 2\.0; expected the first's, 1\.25"):
        Teacher([(LARGE_SPEC, BrightestCell(LARGE_SPEC)), (other, BrightestCell(other))])
    plain = replace(LARGE_SPEC, scheme="points_68")
    with pytest.raises(EngineError, match="no mirroring: nothing says which landmarks are pairs"):
        Teacher([(plain, BrightestCell(plain))], flip=True)


def test_items_are_functions_of_their_key(made_300w: Path) -> None:
    first, second = faces(made_300w)[ItemKey(1, 4)], faces(made_300w)[ItemKey(1, 4)]
    assert all(torch.equal(one, other) for one, other in zip(first, second, strict=True))


def test_a_teacher_of_the_other_colour_order_gets_it(made_300w: Path) -> None:
    plain, turned = faces(made_300w), faces(made_300w, spec=replace(LARGE_SPEC, colour_order="bgr"))
    assert torch.equal(plain[ItemKey(0, 0)].teacher_crops.flip(-1), turned[ItemKey(0, 0)].teacher_crops)
    assert torch.equal(plain[ItemKey(0, 0)].crops, turned[ItemKey(0, 0)].crops)


def test_a_student_and_a_teacher_of_bgr_crops_both_get_them(made_300w: Path) -> None:
    samples = ibug_300w.load(made_300w, "train")
    student, teacher = (replace(spec, colour_order="bgr") for spec in (COMPACT_SPEC, LARGE_SPEC))
    turned = DistillationFaces(samples, student, teacher, augmentation=Augmentation(), seed=3)[ItemKey(0, 0)]
    plain = faces(made_300w)[ItemKey(0, 0)]
    assert torch.equal(plain.crops.flip(-1), turned.crops)
    assert torch.equal(plain.teacher_crops.flip(-1), turned.teacher_crops)


def test_a_teacher_of_other_crops_or_landmarks_is_refused(made_300w: Path) -> None:
    with pytest.raises(EngineError, match=r"crop_scale is 2\.0; expected the student's, 1\.25"):
        faces(made_300w, spec=replace(LARGE_SPEC, crop_scale=2.0))
    with pytest.raises(EngineError, match="68 landmarks; expected the student's 29"):
        teacher().batches(replace(COMPACT_SPEC, num_landmarks=29))


def test_faces_of_photos_are_cut_out_with_their_surroundings(tmp_path: Path) -> None:
    import cv2

    photo = np.zeros((200, 300, 3), np.uint8)
    cv2.circle(photo, (210, 90), 6, (255, 255, 255), -1)
    cv2.imwrite(str(tmp_path / "1_photo.png"), photo)
    squares, eyes = np.array([[205.0, 95.0, 60.0], [40.0, 40.0, 20.0]]), np.full((2, 2, 2), np.nan)
    face = FacePhoto(tmp_path / "1_photo.png", squares, eyes, np.empty((0, 3)))
    seen: list[Roi] = []

    def find(image: np.ndarray, rois: list[Roi]) -> tuple[np.ndarray, np.ndarray]:
        seen.extend(rois)
        points, presence = teacher().find(image, rois)
        return points + np.linspace(-20, 20, 68)[:, None], presence

    [sample] = photo_faces([face], find, crop_scale=1.25)  # the small one is left out
    assert [roi.side for roi in seen] == pytest.approx([75.0, 50.0])
    assert sample.weight == 0
    picture = sample.read_image()
    assert np.allclose(sample.landmarks.mean(axis=0), np.argwhere(picture[..., 0] > 250).mean(axis=0)[::-1], atol=0.5)
    assert picture.shape[:2] == (90, 90) or np.allclose(picture.shape[:2], 89, atol=2)


@pytest.mark.skipif(not zoo_path(FLOAT_LANDMARKS).is_file(), reason="no shipped model in this tree")
def test_a_student_of_an_ensemble_trains(made_300w: Path, made_backgrounds: Path, tmp_path: Path) -> None:
    teachers = ("--teacher", zoo_path(FLOAT_LANDMARKS)) * 2
    folders = ("--data", made_300w, "--backgrounds", made_backgrounds, "--out", tmp_path / "run")
    short = ("--epochs", "1", "--workers", "0", "--teacher-flip")
    words = ("train", "--recipe", "compact-300w-small", *folders, *teachers, *short)
    done(*words)
    log = [json.loads(line) for line in (tmp_path / "run" / "log.jsonl").read_text().splitlines()]
    assert log[-1]["train/teacher_mean0"] > 0
    assert load_landmark_network(tmp_path / "run" / "weights.safetensors")[0].name == "compact-300w-small"
