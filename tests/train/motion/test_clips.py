"""Clips made from a drawn face: what is planted at a landmark is found where the truth says."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from startrack.tracker.schemes import IBUG_68
from startrack.tracker.types import ImageArray
from startrack.tracker.video.source import read_video
from startrack.train.motion import head_path
from startrack.train.motion.camera import Camera
from startrack.train.motion.clips import SCENARIOS, Scenario, choose_faces, make_clip, pulses, write_clip
from startrack.train.motion.expression import Expression, mouth_gap, opening
from startrack.train.sets.sample import DatasetError, Sample
from tests.train.conftest import face_points

SIZE = (320, 240)
LANDMARKS = face_points((100.0, 90.0), 50.0)
PLANTED = (8, 19, 30, 37, 44, 57)
"""Chin, brow, tip of the nose, upper lids, lower lip."""


def planted_picture() -> ImageArray:
    """Dark blobs on grey at some landmarks, none within reach of another."""
    rows, columns = np.mgrid[:180, :200]
    picture = np.full((180, 200), 160.0)
    for index in PLANTED:
        x, y = LANDMARKS[index]
        picture -= 120 * np.exp(-((columns - x) ** 2 + (rows - y) ** 2) / (2 * 1.5**2))
    return np.repeat(picture.clip(0, 255).astype(np.uint8)[..., None], 3, axis=-1)


@pytest.fixture
def sample(tmp_path: Path) -> Sample:
    picture = tmp_path / "drawn" / "faces" / "face.png"  # the motion follows name and folders
    picture.parent.mkdir(parents=True)
    cv2.imwrite(str(picture), planted_picture())
    return Sample(picture, LANDMARKS, "validation")


def find_blob(image: ImageArray, near: np.ndarray, radius: int = 4) -> np.ndarray:
    """Middle of the darkness around a place."""
    x, y = np.round(near).astype(int)
    part = image[y - radius : y + radius + 1, x - radius : x + radius + 1].mean(axis=-1)
    dark = (part.max() - part).clip(0) ** 2
    rows, columns = np.mgrid[-radius : radius + 1, -radius : radius + 1]
    return np.array([x + (dark * columns).sum() / dark.sum(), y + (dark * rows).sum() / dark.sum()])


@pytest.mark.parametrize("name", ["still", "fast", "shake", "approach", "jumps"])
def test_what_is_planted_at_a_landmark_is_where_the_truth_says(name: str, sample: Sample) -> None:
    quiet = Camera(noise=0)
    clip = make_clip(sample, Scenario(name, SCENARIOS[name].path, camera=quiet, seconds=3), size=SIZE, face_px=100)
    for t, image in enumerate(clip.make_frames()):
        if t % 10 == 5:
            for index in PLANTED:
                np.testing.assert_allclose(
                    find_blob(image, clip.landmarks[t, index]), clip.landmarks[t, index], atol=0.2
                )


@pytest.mark.parametrize(("feature", "depth"), [("blink", 0.7), ("mouth", 2.0)])
def test_lids_and_lips_move_as_the_truth_says(feature: str, depth: float, sample: Sample) -> None:
    scenario = Scenario("warped", expression=pulses(feature, depth), camera=Camera(noise=0), seconds=1.4)
    clip = make_clip(sample, scenario, size=SIZE, face_px=120)
    moved = np.linalg.norm(np.ptp(clip.landmarks, axis=0), axis=-1)
    assert moved[[37, 44] if feature == "blink" else [57, 66, 8]].min() > 2.5
    assert moved[[30, 40, 46, 19] if feature == "blink" else [30, 19, 37, 51]].max() < 0.4


@pytest.mark.parametrize("amplitudes", [(0.3, 0.0), (0.85, 0.0), (0.0, 0.5), (0.0, 2.5), (0.7, 1.5), (0.0, -0.5)])
def test_the_warped_picture_shows_each_landmark_where_it_moved_to(amplitudes: tuple[float, float]) -> None:
    """A picture whose pixels hold their own place: at a moved landmark stands the place it came from."""
    places = np.stack(np.meshgrid(np.arange(200), np.arange(180)), axis=-1).astype(np.float32)
    expression = Expression(LANDMARKS, IBUG_68, (180, 200))
    moved = expression.move(np.array(amplitudes)).astype(np.float32)
    shown = cv2.remap(expression.warp(places, np.array(amplitudes)), moved[:, None], None, cv2.INTER_LINEAR)[:, 0]
    # a closed lid is squeezed to a seventh: a pixel of the frame is seven of the picture
    np.testing.assert_allclose(shown, LANDMARKS, atol=0.3 / (1 - amplitudes[0]))


def test_amplitudes_are_shares_of_the_opening() -> None:
    expression = Expression(LANDMARKS, IBUG_68, (180, 200))
    faces = np.stack([expression.move(np.array(each)) for each in ((0.0, 0.0), (0.8, 0.0), (0.0, 1.0))])
    lids, lips = opening(faces, "blink", IBUG_68), opening(faces, "mouth", IBUG_68)
    assert lids[1] / lids[0] == pytest.approx(0.2, abs=0.02)
    assert lips[2] / lips[0] == pytest.approx(2.0, abs=0.15)
    assert lips[1] == pytest.approx(lips[0])
    assert mouth_gap(LANDMARKS, IBUG_68) == pytest.approx(lips[0])
    assert (faces[0] == LANDMARKS).all()


@pytest.mark.parametrize("amplitudes", [(0.9, 0.0), (0.0, 2.5), (0.9, 2.5)])
def test_the_warp_never_folds(amplitudes: tuple[float, float]) -> None:
    expression = Expression(LANDMARKS, IBUG_68, (180, 200))
    columns, rows = (axis.ravel() for axis in np.meshgrid(np.arange(20, 180, 3.0), np.arange(20, 180, 0.25)))
    points = np.stack([columns, rows], axis=-1)
    depth = rows + expression.field(points) @ np.array(amplitudes)  # the drawn face is upright: down is (0, 1)
    assert (np.diff(depth.reshape(-1, len(np.unique(columns))), axis=0) > 0).all()


def test_the_same_arguments_give_the_same_clip(sample: Sample) -> None:
    scenario = SCENARIOS["occluded"]
    first, again, other = (make_clip(sample, scenario, seed=seed, size=SIZE, face_px=90) for seed in (0, 0, 1))
    assert (first.landmarks == again.landmarks).all()
    assert (first.landmarks != other.landmarks).any()
    for one, two in zip(first.make_frames(), again.make_frames(), strict=True):
        assert (one == two).all()


def test_an_occluder_hides_what_it_says(sample: Sample) -> None:
    scenario = Scenario("hidden", camera=Camera(noise=0, occluder=True), seconds=2)
    clip = make_clip(sample, scenario, size=SIZE, face_px=100)
    bare = make_clip(sample, Scenario("hidden", camera=Camera(noise=0), seconds=2), size=SIZE, face_px=100)
    assert 0 < clip.occluded.mean() < 0.5
    assert np.isnan(clip.hidden[45:60]).all()  # away between two crossings
    for t, (image, plain) in enumerate(zip(clip.make_frames(), bare.make_frames(), strict=True)):
        changed = np.argwhere((image != plain).any(axis=-1))[:, ::-1]
        if np.isnan(clip.hidden[t, 0]):
            assert not len(changed)
        elif len(changed):
            assert np.linalg.norm(changed - clip.hidden[t, :2], axis=-1).max() < clip.hidden[t, 2] + 1.5


def test_noise_light_and_speed_are_as_asked(sample: Sample) -> None:
    noisy = list(make_clip(sample, Scenario("noisy", camera=Camera(noise=3.0), seconds=1), size=SIZE).make_frames())
    still = np.stack(noisy).astype(float)[:, :40, :40]
    assert np.sqrt(still.var(axis=0).mean()) == pytest.approx(3.0, abs=0.15)
    lit = make_clip(sample, Scenario("lit", camera=Camera(noise=0, light=0.4), seconds=2), size=SIZE)
    levels = [image.mean() for image in lit.make_frames()]
    assert max(levels) / min(levels) > 1.2
    times_s = np.arange(600) / 30
    for speed in (0.1, 1.6):
        centre = head_path.random_motion(speed)(times_s, np.random.default_rng(0)).centre[60:, 0]
        assert np.sqrt((np.diff(centre) ** 2).mean()) * 30 == pytest.approx(speed, rel=0.25)


def test_a_written_clip_is_read_back_frame_for_frame(sample: Sample, tmp_path: Path) -> None:
    clip = make_clip(sample, Scenario("short", head_path.random_motion(0.4), seconds=0.5), size=SIZE, face_px=120)
    write_clip(clip, tmp_path / "clip.mp4")
    with read_video(tmp_path / "clip.mp4") as video:
        frames = list(video)
    assert [frame.time_s for frame in frames] == pytest.approx(clip.times_s, abs=1e-3)
    for frame, made in zip(frames, clip.make_frames(), strict=True):
        assert np.abs(frame.image.astype(int) - made).mean() < 4


def test_faces_are_chosen_that_can_be_moved(tmp_path: Path) -> None:
    samples = []
    for number, (size, shift) in enumerate([(50.0, 0.0), (50.0, 0.0), (30.0, 0.0), (50.0, -6.0)]):
        points = face_points((100.0, 90.0), size)
        points[60:68, 1] = points[60:68, 1].mean() + (points[60:68, 1] - points[60:68, 1].mean()) * (1 + shift / 6)
        cv2.imwrite(str(tmp_path / f"{number}.png"), planted_picture())
        samples.append(Sample(tmp_path / f"{number}.png", points * 1.6 if size == 50.0 else points, "validation"))
    assert choose_faces(samples, 2) == samples[:2]  # the third is small, the fourth has closed lips
    with pytest.raises(DatasetError, match="2 of 4 faces can be set in motion, 3 asked for"):
        choose_faces(samples, 3)


def test_another_markup_is_refused(sample: Sample) -> None:
    with pytest.raises(DatasetError, match="98 landmarks, 68 expected"):
        make_clip(Sample(sample.path, np.zeros((98, 2)), "train"), SCENARIOS["still"])
