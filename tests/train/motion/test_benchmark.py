"""The figures of trackers whose faults are known."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from startrack.engines import load_detector, load_engine
from startrack.engines.zoo import DEFAULT_DETECTOR, DEFAULT_LANDMARKS, zoo_path
from startrack.tracker.detect.zoo_detector import ZooDetector
from startrack.tracker.smooth import all_smoothers
from startrack.train.motion.benchmark import Filmed, figures, film, follow, mean_figures, still_faces, table, to_json
from startrack.train.motion.clips import SCENARIOS, choose_faces, make_clip
from startrack.train.motion.recording import replay
from startrack.train.sets.ibug_300w import load
from startrack.train.sets.sample import Sample
from tests.train.conftest import face_points
from tests.train.motion.test_clips import planted_picture


def filmed(name: str, tmp_path: Path) -> Filmed:
    """A clip of the drawn face; its file is not needed. The motion follows the picture's name and folders."""
    picture = tmp_path / "drawn" / "faces" / "face.png"
    picture.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(picture), planted_picture())
    sample = Sample(picture, face_points((100.0, 90.0), 50.0), "validation")
    return Filmed(SCENARIOS[name], make_clip(sample, SCENARIOS[name]), tmp_path / "none.mp4")


def late(truth: np.ndarray, frames: int) -> np.ndarray:
    return np.concatenate([truth[:1]] * frames + [truth[:-frames]])


def test_a_faultless_tracker(tmp_path: Path) -> None:
    clip = filmed("blink", tmp_path)
    truth = clip.clip.landmarks
    found = figures(truth, clip, unsmoothed=truth, ids=np.zeros(len(truth)))
    for value in (found.nme_percent, found.error_percent, found.jitter_percent, found.delay_frames):
        assert value == pytest.approx(0, abs=1e-9)
    assert found.opening_lag_frames == pytest.approx(0, abs=1e-6)
    assert found.peak_of_truth == found.peak_of_unsmoothed == pytest.approx(1)
    assert found.lost_frames == found.id_switches == 0


def test_a_late_tracker_another_markup_and_a_lost_face(tmp_path: Path) -> None:
    clip = filmed("slow", tmp_path)
    truth = clip.clip.landmarks
    assert figures(late(truth, 1), clip).delay_frames == pytest.approx(1, abs=0.05)
    other = figures(truth + np.array([3.0, -1.0]), clip)
    assert other.nme_percent > 2
    assert other.error_percent < 0.2  # the face turns a little under the offset
    lost = truth.copy()
    lost[60:70] = np.nan
    ids = np.repeat([0.0, np.nan, 1.0], [60, 10, 110])
    found = figures(lost, clip, ids=ids)
    assert (found.lost_frames, found.id_switches) == (10, 1)
    assert found.jitter_percent == pytest.approx(0, abs=1e-9)


def test_a_smoother_that_smears_is_found_out(tmp_path: Path) -> None:
    clip = filmed("mouth", tmp_path)
    truth = clip.clip.landmarks
    smeared = (truth + late(truth, 1) + late(truth, 2) + late(truth, 3) + late(truth, 4)) / 5
    found = figures(smeared, clip, unsmoothed=truth)
    assert found.peak_of_unsmoothed < 0.8
    assert found.opening_lag_frames == pytest.approx(2, abs=0.3)


def test_means_leave_out_what_a_clip_cannot_tell(tmp_path: Path) -> None:
    still, slow = filmed("still", tmp_path), filmed("slow", tmp_path)
    measured = [figures(one.clip.landmarks, one, ids=np.zeros(180)) for one in (still, slow)]
    mean = mean_figures(measured)
    assert mean["delay_frames"] == pytest.approx(0, abs=1e-9)
    assert "peak_of_truth" not in mean
    results = {"perfect": {"slow": measured}}
    assert to_json(results) == {"perfect": {"slow": mean}}
    assert "perfect" in table(results)


@pytest.mark.data
@pytest.mark.slow
def test_the_default_smoother_is_steadier_than_none_and_as_prompt(data_dir: Path, tmp_path: Path) -> None:
    faces = choose_faces(load(data_dir / "300w", "validation"), 1)
    engine = load_engine(zoo_path(DEFAULT_LANDMARKS))
    detect = ZooDetector(load_detector(zoo_path(DEFAULT_DETECTOR)))
    for one in film(still_faces(faces), [SCENARIOS["slow"], SCENARIOS["blink"]], tmp_path):
        recording = follow(one, detect, engine)
        raw, smooth = (
            figures(replay(recording, all_smoothers()[name]), one, unsmoothed=recording.points)
            for name in ("none", "kalman")
        )
        assert smooth.jitter_percent < 0.5 * raw.jitter_percent
        assert abs(smooth.delay_frames) < 0.3
        assert smooth.error_percent < raw.error_percent + 0.01
        if one.scenario.name == "blink":
            assert smooth.peak_of_unsmoothed > 0.95
