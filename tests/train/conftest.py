"""A small data set in the published layout of 300W: drawn faces, 68 landmarks each."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from startrack.train.sets import rendered
from startrack.train.sets.ibug_300w import TEST_FOLDERS, TRAIN_FOLDERS, validation_names
from startrack.train.sets.pts import write_pts
from startrack.train.sets.rendered_scenes import SCENES_FILE

_ANGLES = np.linspace(0.1 * np.pi, 0.9 * np.pi, 17)


@pytest.fixture(autouse=True)
def one_thread() -> None:
    """The networks of the tests are too small to be shared between threads, and sums keep their order."""
    torch.set_num_threads(1)


def face_points(centre: tuple[float, float], size: float) -> np.ndarray:
    """(68, 2) a plain face: jaw, brows, nose, eyes, mouth."""

    def ring(count: int, x: float, y: float, width: float, height: float) -> np.ndarray:
        turn = np.pi + np.arange(count) * 2 * np.pi / count
        return np.stack([x + width * np.cos(turn), y + height * np.sin(turn)], -1)

    jaw = np.stack([-np.cos(_ANGLES), np.sin(_ANGLES)], -1)
    brows = [np.stack([np.linspace(x, x + 0.5, 5), np.full(5, -0.5)], -1) for x in (-0.7, 0.2)]
    nose = np.stack([np.zeros(4), np.linspace(-0.2, 0.25, 4)], -1)
    nostrils = np.stack([np.linspace(-0.2, 0.2, 5), np.full(5, 0.32)], -1)
    eyes = [ring(6, x, -0.25, 0.16, 0.07) for x in (-0.45, 0.45)]
    mouth = [ring(12, 0, 0.6, 0.35, 0.14), ring(8, 0, 0.6, 0.26, 0.06)]
    return np.concatenate([jaw, *brows, nose, nostrils, *eyes, *mouth]) * size + np.array(centre)


def draw_face(points: np.ndarray, shape: tuple[int, int], rng: np.random.Generator) -> np.ndarray:
    """(H, W, 3) BGR."""
    image = np.full((*shape, 3), rng.integers(60, 120, 3), np.uint8)
    fixed = (points * 16).round().astype(np.int32)
    cv2.fillConvexPoly(image, cv2.convexHull(fixed), (150, 180, 220), cv2.LINE_AA, 4)
    for first, last, closed in [
        (17, 22, False),
        (22, 27, False),
        (27, 31, False),
        (31, 36, False),
        (36, 42, True),
        (42, 48, True),
        (48, 60, True),
    ]:
        cv2.polylines(image, [fixed[first:last]], closed, (30, 30, 60), 2, cv2.LINE_AA, 4)
    return image


@pytest.fixture(scope="session")
def made_300w(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """24 training faces, one of each folder with the name of a validation face, and 4 in each test folder."""
    root = tmp_path_factory.mktemp("300w")
    rng = np.random.default_rng(11)
    held_back = {name.rpartition("/")[0]: name for name in sorted(validation_names())}
    folders = [(folder, 8) for folder in TRAIN_FOLDERS] + [(f, 4) for fs in TEST_FOLDERS.values() for f in fs]
    for folder, count in folders:
        (root / folder).mkdir(parents=True)
        for number in range(count):
            points = face_points((80 + rng.normal(0, 4), 75 + rng.normal(0, 4)), 40 + rng.normal(0, 3))
            stem = root / folder / f"photo_{folder.replace('/', '')}{number}_1"
            if folder in held_back and number == 5:
                stem = root / held_back[folder]
            cv2.imwrite(f"{stem}.png", draw_face(points, (160, 170), rng))
            write_pts(stem.with_suffix(".pts"), points)
    return root


@pytest.fixture(scope="session")
def made_renders(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """60 drawn faces in the layout of startrack render, every second one said to be turned by 70°."""
    root = tmp_path_factory.mktemp("renders")
    rng = np.random.default_rng(13)
    (root / rendered.SERIES_FILE).write_text('{"backgrounds": ""}')
    for number in range(60):
        points = face_points((110 + rng.normal(0, 4), 105 + rng.normal(0, 4)), 50 + rng.normal(0, 3))
        stem = root / rendered.picture_stem(number)
        stem.parent.mkdir(exist_ok=True)
        cv2.imwrite(f"{stem}.jpg", draw_face(points, (224, 224), rng))
        write_pts(stem.with_suffix(".pts"), points)
        facts = {"visible": [1] * 68, "turn_deg": 70.0 * (number % 2), "attributes": {}}
        stem.with_suffix(".json").write_text(json.dumps(facts))
    return root


@pytest.fixture(scope="session")
def made_scenes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """30 pictures of two drawn faces in the layout of startrack render --scenes, and of a third one mostly hidden."""
    root = tmp_path_factory.mktemp("scenes")
    rng = np.random.default_rng(14)
    (root / SCENES_FILE).write_text('{"backgrounds": ""}')
    (root / "people" / "0000").mkdir(parents=True)
    (root / "people" / "0000" / "0000000.json").write_text("{}")
    for number in range(30):
        stem = root / rendered.picture_stem(number)
        stem.parent.mkdir(exist_ok=True)
        picture, faces = np.full((160, 240, 3), 90, np.uint8), []
        for middle, visible in (((60.0, 60.0), 1.0), ((180.0, 90.0), 0.8), ((120.0, 40.0), 0.1)):
            points = face_points(middle, 25 + rng.normal(0, 3))
            five = [points[36:42].mean(0), points[42:48].mean(0), points[30], points[48], points[54]]
            square = [*((points.min(0) + points.max(0)) / 2), np.ptp(points, axis=0).max()]
            places = {"square": square, "points": np.array(five).tolist()}
            faces.append(places | {"visible": visible, "turn_deg": 10.0})
            drawn = draw_face(points, (160, 240), rng)
            picture = np.where(drawn == drawn[0, 0], picture, drawn)
        cv2.imwrite(f"{stem}.jpg", picture)
        stem.with_suffix(".json").write_text(json.dumps({"faces": faces}))
    return root


@pytest.fixture(scope="session")
def made_backgrounds(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two photos of noise, one of them with a place that may be a face."""
    root = tmp_path_factory.mktemp("backgrounds")
    rng = np.random.default_rng(12)
    for name in ("a.jpg", "b.jpg"):
        cv2.imwrite(str(root / name), rng.integers(0, 256, (120, 200, 3), dtype=np.uint8))
    faces = {"a.jpg": [], "b.jpg": [[20, 20, 60, 70, 0.4]]}
    (root / "faces.json").write_text(json.dumps({"columns": "x,y,w,h,score", "images": faces}))
    return root
