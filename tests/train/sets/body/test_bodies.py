"""COCO and MPII as published, on small made sets, and the geometry of a body's crop."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest
from scipy.io import loadmat, savemat

from startrack.tracker.crop import crop_affine, transform_points
from startrack.tracker.schemes import COCO_17, MPII_16
from startrack.train.augment.half_body import BodyVariation, half_body_roi
from startrack.train.sets.body import coco_body, mpii
from startrack.train.sets.body.bodies import body_roi, roi_of
from startrack.train.sets.sample import DatasetError
from tests.train.made_bodies import make_coco, make_mpii, make_original_mpii


@pytest.fixture(scope="module")
def coco(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_coco(tmp_path_factory.mktemp("coco") / "set")


def test_coco_people(coco: Path) -> None:
    bodies = coco_body.load(coco, "train")
    assert len(bodies) == 6  # neither the crowd nor the one without a landmark
    first = bodies[0]
    assert first.image_id == 1
    assert first.area > 0
    assert np.flatnonzero(~first.sample.annotated).tolist() == [1]
    assert np.isnan(first.sample.landmarks[1]).all()
    assert first.sample.read_image().shape == (200, 160, 3)
    assert first.sample.box is not None
    assert (first.sample.box[2:] <= [159, 199]).all()
    assert len({body.sample.name for body in bodies}) == 6


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"keypoints": [1, 2, 3]}, "not as published"),
        ({"image_id": 77}, "KeyError"),
        ({"bbox": [1, 2]}, "not as published"),
        ({"area": "large"}, "not as published"),
        ({"keypoints": [5.0, 5.0, 7] * 17}, "visibility 0, 1 or 2"),
    ],
)
def test_what_is_not_coco_is_named(change: dict, message: str, tmp_path: Path) -> None:
    root = make_coco(tmp_path / "set", train=2, val=1)
    path = root / "annotations" / "person_keypoints_train2017.json"
    content = json.loads(path.read_text())
    content["annotations"][1] |= change
    path.write_text(json.dumps(content))
    with pytest.raises(DatasetError, match=rf"annotations\[1\].*{message}"):
        coco_body.load(root, "train")
    with pytest.raises(DatasetError, match="no split 'test'"):
        coco_body.load(root, "test")
    path.write_text("[")
    with pytest.raises(DatasetError, match="not JSON"):
        coco_body.load(root, "train")


def test_boxes_of_a_person_detector(coco: Path, tmp_path: Path) -> None:
    detections = [
        {"image_id": 2, "category_id": 1, "bbox": [10.0, 20.0, 50.0, 100.0], "score": 0.7},
        {"image_id": 2, "category_id": 18, "bbox": [10.0, 20.0, 50.0, 100.0], "score": 0.9},
        {"image_id": 1, "category_id": 1, "bbox": [10.0, 20.0, 50.0, 100.0], "score": 0.01},
        {"image_id": 1, "category_id": 1, "bbox": [900.0, 20.0, 50.0, 100.0], "score": 0.9},
    ]
    path = tmp_path / "boxes.json"
    path.write_text(json.dumps(detections))
    (body,) = coco_body.load_detected(coco, "val", path, min_score=0.1)
    assert (body.image_id, body.box_score) == (2, 0.7)
    assert body.sample.box.tolist() == [10, 20, 59, 119]
    assert not body.sample.annotated.any()
    path.write_text(json.dumps([{"image_id": 2}]))
    with pytest.raises(DatasetError, match=r"\[0\]: not as published"):
        coco_body.load_detected(coco, "val", path)


def test_mpii_lists(tmp_path: Path) -> None:
    root = make_mpii(tmp_path / "set")
    train, valid = mpii.load(root, "train"), mpii.load(root, "valid")
    assert (len(train), len(valid)) == (4, 3)
    assert [body.head_size for body in train] == [0] * 4
    assert valid[0].head_size == pytest.approx(0.6 * math.hypot(20, 25))
    roi = roi_of(valid[0].sample)
    # HRNet: centre 15 scales lower, counted from 0; 200 pixels of height times 1.25
    np.testing.assert_allclose(roi.centre, [100, 94 + 12])
    assert roi.side == pytest.approx(200)
    # coordinates count from 0 here: the drawn pelvis is where the picture shows it
    assert np.isnan(train[0].sample.landmarks[0]).all()
    points = train[1].sample.landmarks
    image = train[1].sample.read_image()
    x, y = points[6].round().astype(int)
    assert image[y, x].max() > 60
    (root / "annot" / "gt_valid.mat").unlink()
    with pytest.raises(DatasetError, match=r"gt_valid\.mat: not a \.mat file"):
        mpii.load(root, "valid")


def test_the_original_mpii_file(tmp_path: Path) -> None:
    root = make_original_mpii(tmp_path / "set")
    (body,) = mpii.load(root, "train")
    assert np.flatnonzero(body.sample.annotated).tolist() == [0, 9]
    assert body.sample.landmarks[9].tolist() == [10, 20]
    assert body.head_size == pytest.approx(0.6 * 5)
    np.testing.assert_allclose(roi_of(body.sample).centre, [100, 50 + 7.5])
    with pytest.raises(DatasetError, match=r"valid\.json: no such file"):
        mpii.load(root, "valid")


def test_the_middle_of_the_square_shows_the_box_at_its_aspect() -> None:
    for box in ([10.0, 20, 70, 220], [10.0, 20, 210, 70]):
        roi = body_roi(np.array(box), scale=1.0)
        corners = transform_points(crop_affine(roi, 256), np.array(box).reshape(2, 2))
        # pixel borders: the crop spans -0.5 to 255.5, the network sees 31.5 to 223.5
        assert corners.min() >= -0.5 - 1e-6
        np.testing.assert_allclose(corners[:, 0].mean(), 127.5)
        widest = max((corners[1, 0] - corners[0, 0]) / 192, (corners[1, 1] - corners[0, 1]) / 256)
        assert widest == pytest.approx(1)


def test_half_bodies() -> None:
    points = np.column_stack([np.linspace(0, 100, 17), np.linspace(0, 200, 17)])
    known = np.ones(17, bool)
    upper = COCO_17.upper_body
    rois = [half_body_roi(points, known, upper, np.random.default_rng(seed)) for seed in range(400)]
    above = sum(roi.centre[1] < 100 for roi in rois)
    assert 0.6 < above / 400 < 0.78  # a normal number below a half: 69 of 100
    upper_roi = next(roi for roi in rois if roi.centre[1] < 100)
    np.testing.assert_allclose(upper_roi.centre, points[:11].mean(axis=0))
    # 62.5 wide and 125 high: the height decides, times 1.5
    assert upper_roi.side == pytest.approx(125 * 1.5)
    # with two lower landmarks only, the upper half is shown whatever is asked for
    few = known.copy()
    few[13:] = False
    assert all(half_body_roi(points, few, upper, np.random.default_rng(s)).centre[1] < 100 for s in range(20))
    assert half_body_roi(points, np.arange(17) == 3, upper, np.random.default_rng(0)) is None


def test_variation_stays_in_its_bounds() -> None:
    points = np.random.default_rng(0).uniform(0, 100, (16, 2))
    known, plain = np.ones(16, bool), body_roi(np.array([0.0, 0, 75, 100]))
    vary = BodyVariation(scale=0.25, rotation_deg=30, half_body=0)
    found = [vary(plain, points, known, MPII_16, np.random.default_rng(seed)) for seed in range(300)]
    sides = np.array([roi.side for roi, _ in found]) / plain.side
    angles = np.degrees([roi.angle_rad for roi, _ in found])
    assert (sides.min(), sides.max()) == (pytest.approx(0.75), pytest.approx(1.25))
    assert np.abs(angles).max() <= 60 + 1e-9
    assert 0.3 < np.mean(angles == 0) < 0.5
    assert 0.4 < np.mean([mirrored for _, mirrored in found]) < 0.6
    assert all(roi.centre is plain.centre for roi, _ in found)


def test_an_original_list_of_unequal_lengths_is_named(tmp_path: Path) -> None:
    root = make_original_mpii(tmp_path / "set")
    path = root / mpii.ORIGINAL
    release = loadmat(path, struct_as_record=False)["RELEASE"][0, 0]
    savemat(path, {"RELEASE": {"annolist": release.annolist, "img_train": np.array([1, 0, 1])}})
    with pytest.raises(DatasetError, match=r"u12_1\.mat: not as published"):
        mpii.load(root, "train")


def test_a_damaged_mat_file_ends_a_process_of_its_own(tmp_path: Path) -> None:
    """Whatever its bytes are, this process goes on with one line."""
    root = make_mpii(tmp_path / "set")
    path = root / "annot" / "gt_valid.mat"
    content = bytearray(path.read_bytes())
    content[130:170] = b"\xff" * 40
    path.write_bytes(bytes(content))
    with pytest.raises(DatasetError, match=r"gt_valid\.mat: not a \.mat file that can be read: ") as caught:
        mpii.load(root, "valid")
    assert "\n" not in str(caught.value)
