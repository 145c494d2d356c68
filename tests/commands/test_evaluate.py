"""evaluate on made data sets of several kinds, with discs in place of faces."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest

from startrack.engines.base import LandmarkBatch, ModelSpec
from startrack.engines.fake_engine import FakeEngine
from tests.commands.invoke import done, message, run
from tests.tracker.disc_world import SHAPE, disc_frame


@pytest.fixture
def discs(disc_300w: Path, tmp_path: Path) -> Path:
    """Three discs as a folder of pictures with .pts, as STAR's list and as the private set of 300W."""
    root = tmp_path / "discs"
    shutil.copytree(disc_300w / "ibug", root / "test")
    shutil.copytree(disc_300w / "ibug", root / "01_Indoor")
    lines = []
    for number in range(3):
        numbers = ",".join(str(value) for value in ([100.0 + 10 * number, 60] + SHAPE * 30).flat)
        lines.append(f"test/image_{number}.png\t0,0\t{numbers}\t0.4\t{100 + 10 * number}\t60")
    (root / "test.tsv").write_text("\n".join(lines) + "\n")
    return root


@pytest.mark.parametrize(
    ("words", "protocol", "subset"),
    [
        (("folder",), "folder", "test"),
        (("tsv",), "tsv", "test"),
        (("tsv", "--crop", "published"), "tsv", "test"),
        (("tsv", "--crop", "star"), "tsv", "test"),
        (("300w-private", "--split", "indoor"), "300W private", "indoor"),
    ],
)
def test_data_sets_of_several_kinds(discs: Path, words: tuple[str, ...], protocol: str, subset: str) -> None:
    result = done("evaluate", "--data", discs, "--dataset", *words, "--json", "-")
    figures = json.loads(result.stdout)
    assert (figures["faces"], figures["protocol"], list(figures["subsets"])) == (3, protocol, [subset])
    assert figures["nme"] < 3
    assert figures["crop"] == (words[2] if "--crop" in words else "landmarks")


def test_normaliser_frame_and_flip_are_named(discs: Path) -> None:
    words = ("evaluate", "--data", discs, "--dataset", "folder")
    plain = json.loads(done(*words, "--json", "-").stdout)
    assert (plain["normaliser"], plain["frame"], plain["flip"]) == ("inter_ocular", "plain", False)
    assert plain["star"]["threshold"] == 0.05
    told = done(*words, "--normaliser", "diagonal", "--frame", "official", "--flip").stdout
    assert "per cent of the box diagonal, errors in the crop, truth clamped to it (official)" in told
    assert "flip test on" in told
    other = json.loads(done(*words, "--normaliser", "diagonal", "--json", "-").stdout)
    # a disc of radius 1 is 2√2 along its diagonal, and its eye corners are 0.8 apart
    assert other["nme"] == pytest.approx(plain["nme"] * 0.8 / np.sqrt(8), rel=0.01)


def test_what_a_data_set_lacks_is_named(discs: Path) -> None:
    words = ("evaluate", "--data", discs, "--dataset", "folder")
    assert "publishes no box" in message(run(*words, "--crop", "published"), 6)
    assert "no such list; found test" in message(run(*words[:-1], "tsv", "--split", "train"), 6)
    assert "expected COCO's annotations" in message(run(*words[:-1], "coco-points"), 6)
    assert "vid.avi: no such file" in message(run(*words[:-1], "300vw"), 6)


@pytest.fixture
def own_points(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A model of three landmarks of a user's own, and a COCO file of one face."""
    cv2.imwrite(str(tmp_path / "a.png"), disc_frame([(60, 60, 30)], size=(120, 120)).image)
    keypoints = [30, 30, 2, 90, 30, 2, 60, 90, 1]
    content = {
        "images": [{"id": 1, "file_name": "a.png"}],
        "annotations": [{"id": 5, "image_id": 1, "keypoints": keypoints, "bbox": [30, 30, 60, 60]}],
        "categories": [{"id": 1, "keypoints": ["left_ear", "right_ear", "chin"], "skeleton": [[1, 3], [2, 3]]}],
    }
    (tmp_path / "test.json").write_text(json.dumps(content))

    def find(crops: np.ndarray) -> LandmarkBatch:
        count = len(crops)
        # scale 1: the crop is the box of the landmarks, pixel borders on its sides
        points = np.tile(np.array([[-0.5, -0.5], [63.5, -0.5], [31.5, 63.5]], np.float32), (count, 1, 1))
        covariance = np.tile(np.eye(2, dtype=np.float32), (count, 3, 1, 1))
        return LandmarkBatch(points, covariance, np.ones((count, 3), np.float32), np.ones(count, np.float32))

    spec = ModelSpec("ears", "points_3", 3, 64, 16, 1.0)
    monkeypatch.setattr("startrack.engines.load_engine", lambda path, device, threads: FakeEngine(spec, find))
    return tmp_path


def test_a_users_own_landmarks(own_points: Path, tmp_path: Path) -> None:
    words = ("evaluate", "--data", own_points, "--dataset", "coco-points")
    sheet = tmp_path / "worst.png"
    result = done(*words, "--flip", "--worst", sheet, "--json", "-")
    figures = json.loads(result.stdout)
    assert figures["nme"] == pytest.approx(0, abs=1e-3)
    assert (figures["normaliser"], figures["by_visibility"]["hidden"]["landmarks"]) == ("box", 1)
    assert "visible landmarks: 0.00 (2)" in result.stderr
    assert sheet.stat().st_size > 1000
    assert "points_3 has no eye corners" in message(run(*words, "--normaliser", "inter-ocular"), 6)
    assert json.loads(done(*words, "--crop", "published", "--json", "-").stdout)["nme"] == pytest.approx(0, abs=1e-3)
