"""A user's own points, from weights to a smaller, honest model: export, quantise, calibrate, evaluate."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from startrack.engines import load_engine
from startrack.engines.base import ModelSpec
from startrack.tracker.schemes import plain_scheme
from startrack.train.sets.pts import write_pts
from tests.commands.invoke import done, message, run, usage

pytestmark = pytest.mark.usefixtures("real_models")
POINTS, SIDE = 5, 90


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Pictures of noise with five points in each."""
    root, rng = tmp_path_factory.mktemp("points"), np.random.default_rng(0)
    for split in ("train", "validation"):
        (root / split).mkdir()
        for number in range(8):
            coarse = rng.integers(0, 256, (9, 9, 3), np.uint8).repeat(10, axis=0).repeat(10, axis=1)
            cv2.imwrite(str(root / split / f"{number}.png"), coarse)
            write_pts(root / split / f"{number}.pts", rng.uniform(20, 70, (POINTS, 2)))
    return root


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small network of the recipe star-points, as it was drawn."""
    torch = pytest.importorskip("torch")
    from startrack.train.recipes.networks import build_network
    from startrack.train.recipes.star import StarSize, star_spec
    from startrack.train.weights.checkpoint import save_weights

    torch.manual_seed(0)
    size = StarSize(stacks=1, channels=16, stem_channels=8, levels=2)
    spec = star_spec("star-points", plain_scheme(POINTS), input_size=64, size=size)
    path = tmp_path_factory.mktemp("weights") / "points.safetensors"
    save_weights(path, build_network(spec)[0], spec)
    return path


def spec_of(path: Path) -> ModelSpec:
    with load_engine(path, "cpu") as engine:
        return engine.spec


@pytest.mark.timeout(600)
def test_the_whole_way_to_a_smaller_and_honest_model(folder: Path, weights: Path, tmp_path: Path) -> None:
    plain, small, honest = (tmp_path / f"{name}.onnx" for name in ("plain", "small", "honest"))
    done("export", "--weights", weights, "--out", plain)
    data = ("--data", folder, "--dataset", "folder")
    done("quantise", "--weights", plain, *data, "--faces", 8, "--out", small)
    told = done("calibrate", "--weights", small, *data, "--split", "validation", "--out", honest)
    assert "plain faces: 50% ellipses held" in told.stdout
    assert spec_of(plain) == spec_of(small) == spec_of(honest)
    assert (spec_of(honest).scheme, spec_of(honest).num_landmarks) == (f"points_{POINTS}", POINTS)
    told = done("evaluate", "--weights", honest, *data, "--split", "validation")
    assert "star-points" in told.stdout


def test_faces_of_another_number_of_points_are_named(
    folder: Path, weights: Path, disc_300w: Path, tmp_path: Path
) -> None:
    plain, out = tmp_path / "plain.onnx", tmp_path / "out.onnx"
    done("export", "--weights", weights, "--out", plain)
    for words in (
        ("quantise", "--weights", plain, "--data", disc_300w, "--split", "challenging", "--out", out),
        ("calibrate", "--weights", plain, "--data", disc_300w, "--split", "challenging", "--out", out),
    ):
        assert f"68 landmarks; expected the model's {POINTS}" in message(run(*words), 6)
        assert "'ibug'; expected 300w" in usage(run(*words, "--dataset", "ibug"))
    assert not out.exists()


def test_faces_with_unknown_points_are_left_out() -> None:
    from startrack.train.sets.sample import DatasetError, Sample, fully_annotated

    whole = Sample(Path("1.png"), np.ones((POINTS, 2)), "train")
    points = np.ones((POINTS, 2))
    points[3] = np.nan
    partly = replace(whole, landmarks=points, visibility=np.array([2, 2, 1, 0, 2], np.uint8))
    assert fully_annotated([partly, whole, replace(partly, visibility=None)], POINTS) == [whole]
    with pytest.raises(DatasetError, match="none of 1 faces has all of its 5 landmarks; expected one or more"):
        fully_annotated([partly], POINTS)
