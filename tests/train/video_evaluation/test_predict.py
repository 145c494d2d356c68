"""A planted predictor on made videos: every error is known, wherever the crop was cut."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

from startrack.engines.base import EngineError, LandmarkBatch, ModelSpec
from startrack.engines.fake_engine import FakeEngine
from startrack.tracker.crop import crop_affine, roi_from_points, transform_points
from startrack.tracker.metrics.stability import Stability
from startrack.tracker.schemes import IBUG_68, WFLW_98
from startrack.tracker.types import ImageArray
from startrack.train.report.video_json import set_name
from startrack.train.sets.ibug_300vw import AnnotatedVideo
from startrack.train.sets.ibug_300vw_protocol import FRAME_COUNTS
from startrack.train.video_evaluation.measures import MEASURES
from startrack.train.video_evaluation.predict import FHR_SCALE, VideoSettings, evaluate_video
from startrack.train.video_evaluation.results import Seconds, VideoResult, figures_by_category, problems
from startrack.train.video_evaluation.store import Store
from tests.conftest import MakeClip
from tests.tracker.disc_world import SHAPE, DiscDetector, disc_engine, disc_frame
from tests.train.conftest import face_points

SIZE, SCALE = 64, 1.25
FACE = face_points((30, 24), 15)
CORNERS = float(np.linalg.norm(FACE[36] - FACE[45]))
SIDE = float(np.ptp(FACE, axis=0).max())
TRACKER = VideoSettings(mode="tracker", smooth="none")


def planted(landmarks: int = 68, bad: float = 0.0, scheme: str = "ibug_68") -> FakeEngine:
    """Says where the face lies in a crop of SCALE, k crop pixels too far to the right in its k-th crop from 0.

    In WFLW's markup the landmarks that iBUG does not have are nowhere near."""
    right = transform_points(crop_affine(roi_from_points(FACE, SCALE), SIZE), FACE)
    calls = 0

    def answer(crops: np.ndarray) -> LandmarkBatch:
        nonlocal calls
        points = np.repeat((right + np.array([calls + bad, 0]))[None], len(crops), axis=0).astype(np.float32)
        calls += 1
        if scheme == "wflw_98":
            points, known = np.full((len(crops), 98, 2), 500, np.float32), points
            points[:, list(WFLW_98.ibug_68)] = known
        ones = np.ones(points.shape[:2], np.float32)
        covariance = np.broadcast_to(np.eye(2, dtype=np.float32), (*points.shape, 2))
        return LandmarkBatch(points, covariance, ones, ones[:, 0])

    return FakeEngine(ModelSpec("planted", scheme, landmarks, SIZE, 16, SCALE), answer)


def video(make_clip: MakeClip, frames: int, numbers: list[int], video_id: str = "114") -> AnnotatedVideo:
    """A face on its way to the right, a pixel a frame."""
    clip = make_clip("vid.avi", frames=frames)
    truth = np.array([FACE + np.array([number, 0]) for number in numbers])
    return AnnotatedVideo(video_id, clip.path, np.array(numbers), truth)


def test_the_errors_of_an_oracle(make_clip: MakeClip) -> None:
    """k crop pixels are k · SCALE · SIDE / SIZE frame pixels."""
    found = evaluate_video(video(make_clip, 5, [1, 2, 3, 4, 5]), planted(), None, VideoSettings())
    expected = np.arange(5) * SCALE * SIDE / SIZE / CORNERS
    np.testing.assert_allclose(found.scored_errors(), expected, atol=1e-6)
    assert (found.coverage, found.unannotated, found.beyond, found.note) == (1.0, 0, 0, "")
    assert found.worst[0].number == 5
    assert found.worst[0].jpeg.startswith(b"\xff\xd8")
    assert found.seconds.total >= found.seconds.decode + found.seconds.engine > 0


def test_the_crop_of_fhr_is_1_3_faces(make_clip: MakeClip) -> None:
    """The planted face, drawn for SCALE, comes out larger about the middle of its box."""
    found = evaluate_video(video(make_clip, 1, [1]), planted(), None, VideoSettings(crop="fhr"))
    middle = (FACE.min(axis=0) + FACE.max(axis=0)) / 2
    away = np.linalg.norm((FACE - middle) * (FHR_SCALE / SCALE - 1), axis=-1).mean()
    assert found.scored_errors()[0] == pytest.approx(away / CORNERS, rel=1e-5)


def test_excluded_frames_are_seen_and_not_counted(make_clip: MakeClip) -> None:
    """411 leaves out 19 and 20."""
    found = evaluate_video(video(make_clip, 21, list(range(1, 22)), "411"), planted(), None, VideoSettings())
    assert len(found.errors[68, "inter_ocular"]) == 21
    ks = np.array([*range(18), 20])
    np.testing.assert_allclose(found.scored_errors(), ks * SCALE * SIDE / SIZE / CORNERS, atol=1e-6)
    figures = figures_by_category([found])["category3"]
    assert (figures.counts.annotated, figures.counts.scored, figures.counts.complete) == (21, 19, False)
    assert figures.measures[68, "inter_ocular"].nme == pytest.approx(100 * ks.mean() * SCALE * SIDE / SIZE / CORNERS)
    assert all(each.number not in (19, 20) for each in found.worst)


def test_frames_beyond_the_annotation_and_beyond_the_video(make_clip: MakeClip) -> None:
    short = evaluate_video(video(make_clip, 6, [2, 3]), planted(), None, VideoSettings())
    # frame 2 is the first that is read, as it is the first with a box
    np.testing.assert_allclose(short.scored_errors(), [0, SCALE * SIDE / SIZE / CORNERS], atol=1e-6)
    assert (short.unannotated, short.beyond, short.decoded) == (4, 0, 6)
    long = evaluate_video(video(make_clip, 2, [1, 2, 3, 4]), planted(), None, VideoSettings())
    assert np.isnan(long.scored_errors()).tolist() == [False, False, True, True]
    assert (long.coverage, long.beyond) == (0.5, 2)
    lines = problems([short, long], ["203"])
    assert "203: missing" in lines
    assert "114: 4 frames without annotation: not counted" in lines
    assert "114: 2 annotated frames beyond the video's 2: missing" in lines
    assert "114: 2 annotated frames, 2997 expected" in lines


def test_a_mirrored_answer_is_averaged(make_clip: MakeClip) -> None:
    """The mirrored crop is asked first and not shifted, the crop itself second and shifted by 1 px."""
    found = evaluate_video(video(make_clip, 1, [1]), planted(), None, VideoSettings(flip=True))
    right = transform_points(crop_affine(roi_from_points(FACE, SCALE), SIZE), FACE)
    turned = right[IBUG_68.flip_order] * np.array([-1, 1]) + np.array([SIZE - 1, 0])
    mean = (turned + right + np.array([1, 0])) / 2
    away = np.linalg.norm(mean - right, axis=-1).mean() * SCALE * SIDE / SIZE
    assert found.scored_errors()[0] == pytest.approx(away / CORNERS, rel=1e-5)


@pytest.mark.parametrize("flip", [False, True])
def test_a_model_with_ibugs_landmarks_among_its_own(make_clip: MakeClip, flip: bool) -> None:
    one, settings = video(make_clip, 3, [1, 2, 3]), VideoSettings(flip=flip)
    expected = evaluate_video(one, planted(), None, settings)
    found = evaluate_video(one, planted(landmarks=98, scheme="wflw_98"), None, settings)
    np.testing.assert_allclose(found.scored_errors(), expected.scored_errors(), rtol=1e-6)


def test_models_that_do_not_fit_are_named(make_clip: MakeClip) -> None:
    one = video(make_clip, 2, [1, 2])
    with pytest.raises(EngineError, match="98 landmarks; expected 68 of ibug_68"):
        evaluate_video(one, planted(landmarks=98), None, VideoSettings())
    with pytest.raises(EngineError, match="landmarks points_98; 300VW needs a model of iBUG's 68"):
        evaluate_video(one, planted(landmarks=98, scheme="points_98"), None, VideoSettings())
    for flip in (False, True):
        with pytest.raises(EngineError, match="frame 0: landmarks that are not finite"):
            evaluate_video(one, planted(bad=math.nan), None, VideoSettings(flip=flip))


def discs(tmp: MakeClip, present: range, frames: int = 20) -> AnnotatedVideo:
    """A disc that is there in some frames; it is annotated in all."""

    def picture(index: int, width: int, height: int) -> ImageArray:
        places = [(60.0 + index, 60.0, 25.0)] if index in present else []
        return disc_frame(places, size=(width, height)).image

    clip = tmp("vid.avi", frames=frames, size=(200, 120), picture=picture)
    truth = np.array([np.array([60.0 + index, 60]) + SHAPE * 25 for index in range(frames)])
    return AnnotatedVideo("203", clip.path, np.arange(1, frames + 1), truth)


def test_the_tracker_and_missing_frames(make_clip: MakeClip) -> None:
    found = evaluate_video(discs(make_clip, range(5, 20)), disc_engine(), DiscDetector(), TRACKER)
    missing = np.isnan(found.scored_errors())
    assert missing.tolist() == [True] * 5 + [False] * 15
    assert found.coverage == 0.75
    assert np.nanmax(found.scored_errors()) < 0.05
    figures = figures_by_category([found])["category2"].measures[68, "inter_ocular"]
    assert figures.fr8 == figures.fr10 == pytest.approx(25)
    assert figures.auc8 <= 75
    assert math.isnan(found.worst[0].nme)


def test_a_video_without_a_face(make_clip: MakeClip) -> None:
    found = evaluate_video(discs(make_clip, range(0)), disc_engine(), DiscDetector(), TRACKER)
    figures = figures_by_category([found])["category2"]
    main = figures.measures[68, "inter_ocular"]
    assert (figures.coverage, main.fr10, main.auc8) == (0, 100, 0)
    assert math.isnan(main.nme)
    assert math.isnan(found.stability.e2_rmse_percent)
    assert any("the face was never found" in line for line in problems([found], []))


def whole_set() -> list[VideoResult]:
    """Every test video with as many frames as published, without an error."""
    found = []
    for video_id, count in FRAME_COUNTS.items():
        one = AnnotatedVideo(video_id, Path(), np.arange(1, count + 1), np.zeros((count, 1, 2)))
        errors = {measure: np.zeros(count) for measure in MEASURES}
        stable = Stability(0.0, 0.0, 0.0, 0.0)
        found.append(VideoResult(video_id, one.numbers, one.scored, errors, stable, Seconds(), count))
    return found


def test_the_whole_set_closes_on_the_six_counts() -> None:
    videos = whole_set()
    figures = figures_by_category(videos)
    counts = {name: (each.counts.annotated, each.counts.scored) for name, each in figures.items()}
    published = {"category1": (62846, 62135), "category2": (32872, 32805), "category3": (27687, 26338)}
    assert counts == published | {"all": (123405, 121278)}
    assert all(each.counts.complete for each in figures.values())
    assert set_name(figures) == "300VW"
    assert problems(videos, []) == []
    without = [video for video in videos if video.id != "114"]
    assert set_name(figures_by_category(without)).startswith(
        "300VW, partial: category1 30 of 31 videos, 59138 of 62135"
    )
    first = [video for video in videos if video.category == "category1"]
    assert set_name(figures_by_category(first)) == "300VW, partial: category2 no video; category3 no video"


def test_a_result_is_read_back_for_the_same_settings_only(make_clip: MakeClip, tmp_path: Path) -> None:
    one = video(make_clip, 4, [1, 2, 3])
    store = Store(tmp_path / "videos", "model a")
    assert store.read(one) is None
    made = evaluate_video(one, planted(), None, VideoSettings())
    store.write(one, made)
    again = store.read(one)
    assert again is not None
    for measure in MEASURES:
        np.testing.assert_array_equal(again.errors[measure], made.errors[measure])
    np.testing.assert_equal((again.stability, again.seconds), (made.stability, made.seconds))
    assert [each.jpeg for each in again.worst] == [each.jpeg for each in made.worst]
    assert (again.decoded, again.note) == (4, "")
    assert Store(tmp_path / "videos", "model b").read(one) is None
    moved = AnnotatedVideo(one.id, one.path, one.numbers, one.landmarks + 1)
    assert store.read(moved) is None
    (tmp_path / "videos" / "114.npz").write_bytes(b"PK\x03\x04 cut off")
    assert store.read(one) is None
