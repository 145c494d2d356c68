"""An exported model file as the start of a training: nothing of what it computes may be lost."""

from __future__ import annotations

from pathlib import Path

import onnx
import pytest
import torch
from torch import Tensor

from startrack.engines.base import EngineError
from startrack.engines.graphs.export import export_onnx
from startrack.train.models.compact_hourglass import CompactHourglass
from startrack.train.models.landmark_head import SoftmaxLandmarks
from startrack.train.recipes.compact import COMPACT_SPEC, compact_network
from startrack.train.recipes.load import load_landmark_network
from startrack.train.weights.initialise import initialise
from startrack.train.weights.unfold import settle_norms


def crops(count: int = 4) -> Tensor:
    torch.manual_seed(1)
    return torch.randint(0, 256, (count, 128, 128, 3), dtype=torch.uint8)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, CompactHourglass]:
    """A model file, and its network, whose norms have seen something."""
    torch.manual_seed(0)
    network, deployed = compact_network(COMPACT_SPEC)
    with torch.no_grad():
        network.train()(crops())
    path = tmp_path_factory.mktemp("model") / "compact.onnx"
    export_onnx(deployed, COMPACT_SPEC, path, half_weights=False)
    return path, network.eval()


@torch.no_grad()
def test_the_network_comes_back(trained: tuple[Path, CompactHourglass]) -> None:
    path, network = trained
    spec, deployed = load_landmark_network(path)
    assert spec == COMPACT_SPEC
    assert isinstance(deployed, SoftmaxLandmarks)
    expected, found = network(crops()), deployed.eval().network(crops())
    assert torch.allclose(found.heatmap_logits[-1], expected.heatmap_logits[-1], atol=1e-4)
    assert torch.allclose(found.presence_logit, expected.presence_logit, atol=1e-4)


@torch.no_grad()
def test_settled_norms_change_nothing_and_training_sees_what_evaluation_sees(
    trained: tuple[Path, CompactHourglass],
) -> None:
    path, network = trained
    torch.manual_seed(5)
    begun = compact_network(COMPACT_SPEC)[0]
    assert initialise(begun, path, crops()) == []
    expected = network(crops()).heatmap_logits[-1]
    assert torch.allclose(begun.eval()(crops()).heatmap_logits[-1], expected, atol=1e-4)
    # float32: a training run renews the statistics, and these are of the same crops
    assert torch.allclose(begun.train()(crops()).heatmap_logits[-1], expected, atol=1e-2)
    plain = compact_network(COMPACT_SPEC)[0]
    initialise(plain, path)
    assert not torch.allclose(plain.train()(crops()).heatmap_logits[-1], expected, atol=1e-2)


def test_settling_leaves_the_mode_as_it_was(trained: tuple[Path, CompactHourglass]) -> None:
    network = compact_network(COMPACT_SPEC)[0].train()
    settle_norms(network, crops(2))
    assert network.training


def test_a_network_of_fewer_stacks_takes_those_it_has(trained: tuple[Path, CompactHourglass]) -> None:
    one = CompactHourglass(COMPACT_SPEC.num_landmarks, stacks=1)
    assert initialise(one, trained[0], crops(2)) == ["presence.weight"]


def test_other_files_are_refused(tmp_path: Path) -> None:
    (tmp_path / "no.onnx").write_bytes(b"no model")
    with pytest.raises(EngineError, match=r"no\.onnx: not an ONNX model"):
        load_landmark_network(tmp_path / "no.onnx")
    graph = onnx.helper.make_graph([], "empty", [], [])
    onnx.save(onnx.helper.make_model(graph), tmp_path / "empty.onnx")
    with pytest.raises(EngineError, match=r"empty\.onnx: no weights named network\.…; expected a float model"):
        load_landmark_network(tmp_path / "empty.onnx")
