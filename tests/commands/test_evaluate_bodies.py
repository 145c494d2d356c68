"""evaluate on bodies: from weights and a folder to the table."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.commands.invoke import done, message, run

torch = pytest.importorskip("torch")


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from startrack.train.recipes.hrnet import HRNET_SPECS
    from startrack.train.recipes.networks import build_network
    from startrack.train.weights.checkpoint import save_weights

    torch.manual_seed(0)
    spec = HRNET_SPECS["hrnet-coco-small"]
    path = tmp_path_factory.mktemp("run") / "weights.safetensors"
    save_weights(path, build_network(spec)[0], spec)
    return path


def test_figures_of_coco(weights: Path, tmp_path: Path) -> None:
    pytest.importorskip("faster_coco_eval")
    from tests.train.made_bodies import make_coco

    root = make_coco(tmp_path / "coco", train=1, val=2)
    figures = tmp_path / "figures.json"
    words = ("--dataset", "coco", "--data", root, "--weights", weights, "--json", figures, "--flip")
    assert "2 people, per cent" in done("evaluate", *words).stdout
    assert {"AP", "AR", "AP50"} <= set(json.loads(figures.read_text()))


def test_what_does_not_fit_is_named(weights: Path, tmp_path: Path) -> None:
    words = ("evaluate", "--data", tmp_path, "--weights", weights)
    assert "coco_17; mpii needs mpii_16" in message(run(*words, "--dataset", "mpii"), 6)
    assert "not JSON that can be read" in message(run(*words, "--dataset", "coco"), 6)
