"""Small data sets of drawn people in the published formats of COCO and MPII."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
from scipy.io import savemat

from startrack.tracker.schemes import COCO_17, MPII_16, LandmarkScheme

_POSE_COCO = np.array(
    [
        *((0, -0.82), (0.05, -0.87), (-0.05, -0.87), (0.11, -0.84), (-0.11, -0.84)),
        *((0.22, -0.6), (-0.22, -0.6), (0.34, -0.3), (-0.34, -0.3), (0.38, 0.0), (-0.38, 0.0)),
        *((0.14, 0.05), (-0.14, 0.05), (0.17, 0.48), (-0.17, 0.48), (0.18, 0.92), (-0.18, 0.92)),
    ]
)
"""A standing person, 2 high, seen from the front: the person's left is on the picture's right."""
_FROM_COCO = (16, 14, 12, 11, 13, 15, None, None, None, None, 10, 8, 6, 5, 7, 9)
COLOURS = [(60, 60, 200), (200, 60, 60), (60, 200, 60), (200, 200, 60), (60, 200, 200), (200, 60, 200), (240, 240, 240)]


def coco_pose(rng: np.random.Generator, centre: tuple[float, float], size: float) -> np.ndarray:
    """(17, 2) pixels: arms and legs swing."""
    pose = _POSE_COCO.copy()
    for chain in ((5, 7, 9), (6, 8, 10), (11, 13, 15), (12, 14, 16)):
        turn = rng.normal(0, 0.35)
        spin = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
        pose[list(chain)] = (pose[list(chain)] - pose[chain[0]]) @ spin.T + pose[chain[0]]
    return pose * size + np.array(centre)


def mpii_pose(coco: np.ndarray) -> np.ndarray:
    """(16, 2) the same person in MPII's order."""
    pelvis, thorax = (coco[11] + coco[12]) / 2, (coco[5] + coco[6]) / 2
    neck = thorax * 0.6 + coco[0] * 0.4
    middle = iter((pelvis, thorax, neck, 2 * coco[0] - neck))
    return np.array([next(middle) if index is None else coco[index] for index in _FROM_COCO])


def draw_body(image: np.ndarray, points: np.ndarray, scheme: LandmarkScheme, width: int) -> None:
    for number, edge in enumerate(scheme.edges):
        line = (points[list(edge.indices)] * 16).round().astype(np.int32)
        cv2.polylines(image, [line], False, COLOURS[number % len(COLOURS)], width, cv2.LINE_AA, 4)


def make_coco(root: Path, *, train: int = 6, val: int = 3, size: tuple[int, int] = (160, 200), seed: int = 3) -> Path:
    """One person in each picture of `size` (width, height); a crowd and a person without a landmark beside them."""
    rng = np.random.default_rng(seed)
    (root / "annotations").mkdir(parents=True)
    for split, count in (("train", train), ("val", val)):
        (root / f"{split}2017").mkdir()
        images, annotations = [], []
        for number in range(1, count + 1):
            points = coco_pose(rng, (size[0] / 2 + rng.normal(0, 6), size[1] / 2 + rng.normal(0, 6)), 0.38 * size[1])
            image = np.full((size[1], size[0], 3), rng.integers(20, 90, 3), np.uint8)
            draw_body(image, points, COCO_17, 5)
            name = f"{number:012}.png"
            cv2.imwrite(str(root / f"{split}2017" / name), image)
            images.append({"id": number, "file_name": name, "width": size[0], "height": size[1]})
            annotations.append(_coco_person(points, number))
        nobody = dict(_coco_person(points, number), id=900, keypoints=[0] * 51, num_keypoints=0)
        crowd = dict(_coco_person(points, number), id=901, iscrowd=1)
        content = {
            "images": images,
            "annotations": [*annotations, nobody, crowd],
            "categories": [{"id": 1, "name": "person"}],
        }
        (root / "annotations" / f"person_keypoints_{split}2017.json").write_text(json.dumps(content))
    return root


def _coco_person(points: np.ndarray, number: int) -> dict:
    low, high = points.min(axis=0) - 6, points.max(axis=0) + 6
    box = [*low, *(high - low)]
    triples = np.column_stack([points, np.full(17, 2)])
    triples[number % 17] = 0  # one that is not annotated
    return {
        "id": 100 + number,
        "image_id": number,
        "category_id": 1,
        "iscrowd": 0,
        "num_keypoints": 16,
        "bbox": [float(value) for value in box],
        "area": float(box[2] * box[3] * 0.5),
        "keypoints": [float(value) for value in triples.ravel()],
    }


def make_mpii(root: Path, *, train: int = 4, valid: int = 3, seed: int = 4) -> Path:
    """HRNet's lists: coordinates count from 1."""
    rng = np.random.default_rng(seed)
    (root / "annot").mkdir(parents=True)
    (root / "images").mkdir()
    for split, count in (("train", train), ("valid", valid)):
        people, heads = [], np.zeros((2, 2, count))
        for number in range(count):
            points = mpii_pose(coco_pose(rng, (100, 100), 70))
            image = np.full((200, 200, 3), 40, np.uint8)
            draw_body(image, points, MPII_16, 5)
            name = f"{split}{number}.png"
            cv2.imwrite(str(root / "images" / name), image)
            known = np.ones(16, int)
            known[number % 16] = 0
            joints = np.where(known[:, None] > 0, points + 1, 0)
            people.append(
                {
                    "image": name,
                    "center": [101.0, 95.0],
                    "scale": 0.8,
                    "joints": joints.tolist(),
                    "joints_vis": known.tolist(),
                }
            )
            heads[:, :, number] = [[90, 20], [110, 45]]
        (root / "annot" / f"{split}.json").write_text(json.dumps(people))
        if split == "valid":
            savemat(root / "annot" / "gt_valid.mat", {"headboxes_src": heads})
    return root


def make_original_mpii(root: Path) -> Path:
    """The original .mat file: two pictures, one of the test."""
    (root / "images").mkdir(parents=True)
    cv2.imwrite(str(root / "images" / "a.png"), np.zeros((200, 200, 3), np.uint8))
    point = np.array(
        [(11.0, 21.0, 9, 1), (31.0, 41.0, 0, 0)], dtype=[("x", "O"), ("y", "O"), ("id", "O"), ("is_visible", "O")]
    )
    person = {
        "x1": 10.0,
        "y1": 10.0,
        "x2": 13.0,
        "y2": 14.0,
        "scale": 0.5,
        "objpos": {"x": 101.0, "y": 51.0},
        "annopoints": {"point": point},
    }
    annolist = np.array(
        [({"name": "a.png"}, person), ({"name": "b.png"}, {"scale": 1.0})], dtype=[("image", "O"), ("annorect", "O")]
    )
    release = {"annolist": annolist, "img_train": np.array([1, 0])}
    savemat(root / "mpii_human_pose_v1_u12_1.mat", {"RELEASE": release})
    return root
