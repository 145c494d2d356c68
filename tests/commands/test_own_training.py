"""A user's five points from a drawn data set: train, export, evaluate, track; recipes of one's own."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from startrack.engines import load_engine
from startrack.tracker.crop import roi_from_points
from startrack.tracker.cut import cut_for
from startrack.tracker.sinks.jsonl_sink import read_jsonl
from startrack.train.recipes import RECIPES
from startrack.train.recipes.lines import LINES
from tests.commands.invoke import done, run, usage
from tests.train.made_points import drawn_face, write_coco, write_folder


@pytest.mark.usefixtures("real_models")
@pytest.mark.timeout(900)
def test_five_points_are_trained_exported_measured_and_tracked(tmp_path: Path) -> None:
    data, out = write_coco(tmp_path / "mine", {"train": 48, "val": 12}), tmp_path / "run"
    options = ("--epochs", 9, "--workers", 0, "--validate-every", 9)
    done("train", "--recipe", "own-points", "--data", data, "--out", out, *options)
    done("export", "--weights", out / "weights.safetensors", "--out", tmp_path / "mine.onnx")
    told = ("--data", data, "--dataset", "coco-points", "--split", "val", "--json", tmp_path / "figures.json")
    done("evaluate", "--weights", tmp_path / "mine.onnx", *told)
    figures = json.loads((tmp_path / "figures.json").read_text())
    assert figures["model"] == "own-points"
    # untrained it is far above 50
    assert figures["nme"] < 20

    image, points = drawn_face(np.random.default_rng(99))
    cv2.imwrite(str(tmp_path / "face.png"), image[..., ::-1])
    box = f"{points[:, 0].min() - 8},{points[:, 1].min() - 8},{np.ptp(points[:, 0]) + 16},{np.ptp(points[:, 1]) + 16}"
    outputs = ("--jsonl", tmp_path / "face.jsonl", "--init-box", box)
    done("track", tmp_path / "face.png", "--weights", tmp_path / "mine.onnx", *outputs)
    (frame,) = read_jsonl(tmp_path / "face.jsonl")
    # so few steps teach the places better than whether there is a face at all
    assert all(face.landmarks.points.shape == (5, 2) for face in frame.faces)
    with load_engine(tmp_path / "mine.onnx", "cpu") as engine:
        assert (engine.spec.scheme, engine.spec.crop_scale) == ("points_5", 1.5)
        cut = cut_for(engine.spec, image, [roi_from_points(points, engine.spec.crop_scale)])
        errors = np.linalg.norm(engine(cut.crops).points[0] - cut.points_into([points])[0], axis=1)
    assert errors.mean() < 0.1 * engine.spec.input_size


def test_every_recipe_is_listed_with_a_line() -> None:
    assert set(LINES) == set(RECIPES)
    lines = done("recipes").stdout.splitlines()
    assert [line.split()[0] for line in lines] == list(LINES)
    assert max(map(len, lines)) <= 80


RECIPE_FILE = '''
"""Own points, over at once."""
from dataclasses import replace
from pathlib import Path

from startrack.train.recipes.own_points import own_points
from startrack.train.recipes.recipe import Recipe


def quick(data: Path, *, dataset: str | None = None, seed: int = 0) -> Recipe:
    return replace(own_points(data, dataset=dataset, epochs=1, seed=seed), name="quick", batch_size=4)
'''


def test_a_recipe_file_is_run(tmp_path: Path) -> None:
    data = write_folder(tmp_path / "mine", {"train": 4, "validation": 2})
    recipe = tmp_path / "quick.py"
    recipe.write_text(RECIPE_FILE)
    words = ("train", "--recipe", recipe, "--data", data, "--out", tmp_path / "run", "--workers", 0)
    assert "--epochs: the recipe" in usage(run(*words, "--epochs", 2)).replace("Invalid value for ", "")
    assert "weights: " in done(*words, "--dataset", "folder").stdout
    assert (tmp_path / "run" / "weights.safetensors").is_file()


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (None, "bad.py: no such recipe file"),
        ("import nothing_of_this_name\n", "bad.py:1: ModuleNotFoundError: No module named 'nothing_of_this_name'"),
        ("x = 1\ny = x / 0\n", "bad.py:2: ZeroDivisionError: division by zero"),
        ("def (:\n", "bad.py:1: SyntaxError"),
        ("def make(data): ...\n", "bad.py: 0 functions that return a Recipe"),
        ("def recipe(data):\n    return 5\n", "bad.py: recipe returned int; expected a Recipe"),
    ],
)
def test_a_file_without_a_recipe_is_named(content: str | None, expected: str, tmp_path: Path) -> None:
    if content is not None:
        (tmp_path / "bad.py").write_text(content)
    words = ("train", "--recipe", tmp_path / "bad.py", "--data", tmp_path, "--out", tmp_path / "run")
    assert expected in usage(run(*words))


def test_data_sets_are_named() -> None:
    words = ("train", "--data", "nowhere", "--out", "nowhere")
    assert "the recipe compact-300w has none" in usage(run(*words, "--recipe", "compact-300w", "--dataset", "folder"))
    assert "'ibug'; expected one of 300w," in usage(run(*words, "--recipe", "own-points", "--dataset", "ibug"))
