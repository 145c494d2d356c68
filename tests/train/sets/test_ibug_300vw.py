"""300VW: the facts of the benchmark close on the published counts; a made set in the published layout is read."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from startrack.train.sets import ibug_300vw
from startrack.train.sets.ibug_300vw_protocol import (
    CATEGORIES,
    EXCLUDED,
    FRAME_COUNTS,
    RAW_FRAMES,
    SCORED_FRAMES,
    TRAIN_FRAMES,
    TRAIN_IDS,
)
from startrack.train.sets.pts import write_pts
from startrack.train.sets.sample import DatasetError
from tests.conftest import MakeClip

FRAMES = 21
POINTS = np.linspace(5, 40, 136).reshape(68, 2)


@pytest.fixture
def made(tmp_path: Path, make_clip: MakeClip) -> Path:
    """The 14 videos of category 3 with 21 frames each; in frame n every landmark is n further to the right."""
    clip = make_clip("vid.avi", frames=FRAMES)
    root = tmp_path / "300vw"
    for video_id in CATEGORIES["category3"]:
        (root / video_id / "annot").mkdir(parents=True)
        shutil.copy(clip.path, root / video_id / "vid.avi")
        for number in range(1, FRAMES + 1):
            write_pts(root / video_id / "annot" / f"{number:06d}.pts", POINTS + np.array([number, 0]))
    return root


def test_the_ids_are_fifty_and_sixty_four() -> None:
    sizes = [len(ids) for ids in CATEGORIES.values()]
    assert (len(TRAIN_IDS), sizes, len(ibug_300vw.video_ids("test"))) == (50, [31, 19, 14], 64)
    every = [*TRAIN_IDS, *ibug_300vw.video_ids("test")]
    assert len(set(every)) == len(every) == 114
    assert set(FRAME_COUNTS) == set(ibug_300vw.video_ids("test")) >= set(EXCLUDED)


def test_counts_close_on_the_published_ones() -> None:
    """The six numbers of the SBR paper, and all the annotation files that the data set has."""
    excluded = {each: sum(last - first + 1 for first, last in ranges) for each, ranges in EXCLUDED.items()}
    raw = {name: sum(FRAME_COUNTS[each] for each in ids) for name, ids in CATEGORIES.items()}
    assert raw == RAW_FRAMES
    left = {name: raw[name] - sum(excluded.get(each, 0) for each in ids) for name, ids in CATEGORIES.items()}
    assert left == SCORED_FRAMES == {"category1": 62135, "category2": 32805, "category3": 26338}
    assert sum(excluded.values()) == 2127
    assert sum(raw.values()) + TRAIN_FRAMES == 218_597


def test_excluded_stretches_are_ascending_and_within_their_video() -> None:
    for video_id, ranges in EXCLUDED.items():
        ends = [end for stretch in ranges for end in stretch]
        assert ends == sorted(ends)
        assert ends[0] >= 1
        assert ends[-1] <= FRAME_COUNTS[video_id]


def test_a_made_set_in_the_published_layout(made: Path) -> None:
    samples = ibug_300vw.load(made, "category3")
    # 411 leaves out frames 19 and 20
    assert len(samples) == 14 * FRAMES - 2
    numbers = [sample.entry for sample in samples if sample.path.parent.name == "411"]
    assert numbers == [f"{number:06d}" for number in (*range(1, 19), 21)]
    assert {sample.subset for sample in samples} == {"category3"}
    sample = samples[FRAMES + 4]
    assert sample.name == "300vw/411/vid#000005"
    np.testing.assert_allclose(sample.landmarks, POINTS + np.array([5, 0]), atol=1e-6)
    # the generator's grey is 40 + 5 · index: frame 5 is index 4
    assert float(sample.read_image()[40, 5].mean()) == pytest.approx(60, abs=4)
    assert len(ibug_300vw.load(made, "category3", step=10)) == 14 * 3 - 1


def test_all_annotations_are_there_for_a_tracker(made: Path) -> None:
    video = ibug_300vw.read_annotations(made, "411")
    assert video.landmarks.shape == (FRAMES, 68, 2)
    assert video.numbers[~video.scored].tolist() == [19, 20]
    assert ibug_300vw.read_annotations(made, "410").scored.all()
    assert (ibug_300vw.category_of("411"), ibug_300vw.category_of("001")) == ("category3", "train")


def test_what_is_missing_is_named(made: Path) -> None:
    with pytest.raises(DatasetError, match="'full'; expected one of train, category1, category2, category3, test"):
        ibug_300vw.load(made, "full")
    with pytest.raises(DatasetError, match=r"114/vid\.avi: no such file; expected the published layout of 300VW"):
        ibug_300vw.load(made, "test")
    (made / "410" / "annot" / "000003.pts").rename(made / "410" / "annot" / "3.pts")
    with pytest.raises(DatasetError, match=r"3\.pts: expected a frame's number as six digits"):
        ibug_300vw.load(made, "category3")
    shutil.rmtree(made / "410" / "annot")
    with pytest.raises(DatasetError, match=r"annot: no \.pts file"):
        ibug_300vw.load(made, "category3")


def test_an_annotation_behind_the_video_is_named(made: Path) -> None:
    write_pts(made / "562" / "annot" / "000022.pts", POINTS)
    sample = ibug_300vw.load(made, "category3")[-1]
    with pytest.raises(DatasetError, match=r"562/vid\.avi: frame 22 is annotated, the video has 21"):
        sample.read_image()
