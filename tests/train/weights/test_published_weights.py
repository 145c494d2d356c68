"""Weights of HRNet's published codes, in a network of their names or with what DE-HRNet adds."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from startrack.engines.base import EngineError
from startrack.train.models.de_hrnet import DeHRNet
from startrack.train.models.hrnet import HRNet
from startrack.train.weights.published_weights import load_published

TINY = {"width": 8, "modules": (1, 1, 2), "blocks": 1}


def stored(path: Path, content: object) -> Path:
    torch.save(content, path)
    return path


def test_a_published_file_fills_everything_but_what_is_new(tmp_path: Path) -> None:
    torch.manual_seed(0)
    state = HRNet(17, **TINY).state_dict()
    wrapped = {"state_dict": {f"module.{name}": value for name, value in state.items()}, "epoch": 3}
    path = stored(tmp_path / "pose.pth", wrapped)
    network = HRNet(17, **TINY)
    assert load_published(network, path) == []
    assert all(torch.equal(value, state[name]) for name, value in network.state_dict().items())
    enhanced = DeHRNet(16, **TINY)
    missing = load_published(enhanced, path)
    assert "final_layer.weight" in missing  # 16 landmarks, not 17
    assert all(name.startswith(("final_layer.", "details.")) or ".offset." in name for name in missing)
    assert torch.equal(enhanced.conv1.weight, state["conv1.weight"])


def test_imagenet_weights_have_a_classifier_in_place_of_a_head(tmp_path: Path) -> None:
    source = HRNet(1, all_branches=True, **TINY).state_dict()
    state = {name: value for name, value in source.items() if not name.startswith("head.")}
    path = stored(tmp_path / "imagenet.pth", {**state, "classifier.weight": torch.zeros(1000, 8)})
    missing = load_published(HRNet(68, all_branches=True, **TINY), path)
    assert {name.split(".")[0] for name in missing} == {"head"}


def test_what_does_not_fit_is_named(tmp_path: Path) -> None:
    state = HRNet(17, **TINY).state_dict()
    with pytest.raises(EngineError, match=r"pose\.pth: not this network's weights: .* found"):
        load_published(HRNet(17, **(TINY | {"width": 16})), stored(tmp_path / "pose.pth", state))
    del state["conv1.weight"]
    with pytest.raises(EngineError, match=r"1 entries missing.*conv1\.weight"):
        load_published(HRNet(17, **TINY), stored(tmp_path / "pose.pth", state))
    with pytest.raises(EngineError, match="a state dict expected, found list"):
        load_published(HRNet(17, **TINY), stored(tmp_path / "pose.pth", [1]))
    (tmp_path / "broken.pth").write_bytes(b"nothing")
    with pytest.raises(EngineError, match="not weights that can be read"):
        load_published(HRNet(17, **TINY), tmp_path / "broken.pth")


def test_code_in_a_file_is_not_run(tmp_path: Path) -> None:
    class Evil:
        def __reduce__(self):
            return (open, (str(tmp_path / "executed"), "w"))

    path = stored(tmp_path / "evil.pth", {"conv1.weight": Evil()})
    with pytest.raises(EngineError, match="not weights that can be read"):
        load_published(HRNet(17, **TINY), path)
    assert not (tmp_path / "executed").exists()
