"""The network of every kind of recipe, exported and written in half: typed as a strict parser wants it."""

from __future__ import annotations

from pathlib import Path

import onnx
import pytest

from startrack.engines.base import ModelSpec
from startrack.engines.graphs.export import export_onnx
from startrack.engines.graphs.export_half import export_half
from startrack.engines.graphs.fold import read_graph
from startrack.engines.graphs.types import type_problems
from startrack.train.recipes.awing import AWING_SPECS
from startrack.train.recipes.de_hrnet_body import DE_HRNET_SPECS
from startrack.train.recipes.hrnet import HRNET_SPECS
from startrack.train.recipes.networks import build_network
from startrack.train.recipes.star import STAR_SPECS

SPECS: dict[str, ModelSpec] = {**STAR_SPECS, **AWING_SPECS, **HRNET_SPECS, **DE_HRNET_SPECS}
SMALL = ("star-300w-small", "awing-300w-small", "hrnet-300w-small", "hrnet-coco-small", "dehrnet-coco-small")


@pytest.mark.slow
@pytest.mark.parametrize("name", SMALL)
def test_every_architecture_can_be_written_in_half(name: str, tmp_path: Path) -> None:
    spec = SPECS[name]
    _, deployed = build_network(spec)
    full, half = tmp_path / "full.onnx", tmp_path / "half.onnx"
    export_onnx(deployed, spec, full, half_weights=False)
    model = read_graph(full)
    assert type_problems(model) == []
    report = export_half(full, half)
    assert report.half_convolutions == sum(node.op_type in ("Conv", "ConvTranspose") for node in model.graph.node) > 20
    assert report.clamped == 0
    assert type_problems(onnx.load(half)) == []
