"""Discs in place of faces for every test of the command line."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from tests.commands.invoke import disc_picture
from tests.conftest import Clip, MakeClip
from tests.tracker.disc_world import SHAPE, DiscDetector, disc_engine, disc_frame


@pytest.fixture
def clip(make_clip: MakeClip) -> Clip:
    """Ten frames of a disc that moves to the right by a pixel a frame."""
    return make_clip("disc.mp4", size=(200, 120), picture=disc_picture)


@pytest.fixture(autouse=True)
def fake_models(monkeypatch: pytest.MonkeyPatch) -> None:
    """Discs in place of faces: no model file is read."""
    monkeypatch.setattr("startrack.engines.load_engine", lambda path, device, threads: disc_engine())
    monkeypatch.setattr("startrack.tracker.detect.fetch.resolve_model", lambda explicit_path: Path("detector.tflite"))
    monkeypatch.setattr(
        "startrack.tracker.detect.mediapipe_detector.MediaPipeDetector", lambda path, **options: DiscDetector()
    )
    monkeypatch.setattr("startrack.engines.load_detector", lambda path: None)
    monkeypatch.setattr("startrack.tracker.detect.zoo_detector.ZooDetector", lambda engine, **options: DiscDetector())


@pytest.fixture
def real_models(fake_models: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()


@pytest.fixture
def disc_300w(tmp_path: Path) -> Path:
    """The folder of the challenging test set, with discs."""
    from startrack.train.sets.pts import write_pts

    (tmp_path / "300w" / "ibug").mkdir(parents=True)
    for number in range(3):
        place = np.array([100.0 + 10 * number, 60])
        stem = tmp_path / "300w" / "ibug" / f"image_{number}"
        cv2.imwrite(f"{stem}.png", disc_frame([(*place, 30)], size=(240, 120)).image)
        write_pts(stem.with_suffix(".pts"), place + SHAPE * 30)
    return tmp_path / "300w"
