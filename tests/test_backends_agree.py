"""Every engine gives the landmarks of the shipped model on 100 real faces: float32 to 0.01 px, float16 nearly so.

Pixels are those of a 256×256 crop. What needs a GPU is marked gpu and was never run where there is none.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from onnx import numpy_helper
from torch import nn

from startrack.engines import load_engine, triton_repository
from startrack.engines.base import CropArray, Engine, FloatArray, ModelSpec
from startrack.engines.graphs.export import fold_batch_norms
from startrack.engines.graphs.export_half import export_half
from startrack.engines.graphs.fold import read_graph
from startrack.engines.graphs.onnx_file import write_model
from startrack.engines.graphs.types import type_problems
from startrack.engines.torch_cuda_engine import half_layers
from startrack.engines.torch_engine import TorchEngine
from startrack.engines.zoo import DEFAULT_LANDMARKS, FLOAT_LANDMARKS, zoo_path
from startrack.train.evaluation.face_patches import crops_of, difference_px, patches_of_samples
from startrack.train.recipes.networks import build_network
from startrack.train.sets import DATASETS
from startrack.train.sets.sample import Sample
from tests.engines.half_rounding import rounding_graph
from tests.engines.triton_server import serve

MODEL = zoo_path(FLOAT_LANDMARKS)
pytestmark = [pytest.mark.data, pytest.mark.skipif(not MODEL.is_file(), reason="no shipped model in this tree")]


@pytest.fixture(scope="module")
def spec() -> ModelSpec:
    with load_engine(MODEL, "cpu") as engine:
        return engine.spec


@pytest.fixture(scope="module")
def crops(data_dir: Path, spec: ModelSpec) -> CropArray:
    """Of 300W's training faces: settings are never chosen on its test faces."""
    samples: list[Sample] = DATASETS["300w"](data_dir / "300w", "trainval")
    found = crops_of(patches_of_samples(samples, 100), spec)
    assert len(found) == 100
    return found


@pytest.fixture(scope="module")
def module() -> nn.Module:
    """The shipped model in torch again: its network, with the weights of its ONNX file."""
    model = read_graph(MODEL)
    spec = ModelSpec.from_json({entry.key: entry.value for entry in model.metadata_props}["startrack"], MODEL.name)
    module = fold_batch_norms(build_network(spec)[1].eval())
    constants = {entry.name: numpy_helper.to_array(entry) for entry in model.graph.initializer}
    # the exporter keeps one of two equal constants
    constants |= {"network.std": constants["network.mean"]}
    state = module.state_dict()
    module.load_state_dict({name: torch.tensor(constants[name]) for name in state}, strict=True)
    return module


@pytest.fixture(scope="module")
def reference(module: nn.Module, spec: ModelSpec, crops: CropArray) -> FloatArray:
    return run(TorchEngine(module, spec), crops)


def run(engine: Engine, crops: CropArray) -> FloatArray:
    """In batches of several sizes: a face's landmarks must not depend on its neighbours."""
    parts, start = [], 0
    for size in (1, 2, 16, 16, 16, 16, 16, 16, 1):
        parts.append(engine(crops[start : start + size]).points)
        start += size
    assert start == len(crops)
    return np.concatenate(parts)


@pytest.fixture(scope="module")
def off(spec: ModelSpec, reference: FloatArray) -> Callable[[FloatArray], FloatArray]:
    """Distances to the reference."""
    return lambda points: difference_px((spec, points), (spec, reference))


Off = Callable[[FloatArray], FloatArray]


def assert_half(distance: FloatArray) -> None:
    """What float16 may cost; and it must cost something, or it was not float16."""
    assert 0 < distance.mean() <= 0.1
    assert np.percentile(distance, 99) <= 0.5


def test_onnx_runtime_agrees_with_torch(crops: CropArray, off: Off) -> None:
    with load_engine(MODEL, "cpu") as engine:
        assert off(run(engine, crops)).max() <= 0.01


def test_the_graph_that_tensorrt_is_given_agrees(crops: CropArray, off: Off, spec: ModelSpec, tmp_path: Path) -> None:
    folded = tmp_path / "folded.onnx"
    model = read_graph(MODEL)
    assert type_problems(model) == []
    write_model(model, spec, folded, half_weights=False)
    with load_engine(folded, "cpu") as engine:
        assert off(run(engine, crops)).max() <= 0.01


def test_a_server_agrees(crops: CropArray, off: Off, tmp_path: Path) -> None:
    pytest.importorskip("tritonclient.http", exc_type=Exception)
    triton_repository.write(MODEL, tmp_path / "models")
    with serve(tmp_path / "models") as server, load_engine(server.url(DEFAULT_LANDMARKS)) as engine:
        assert off(run(engine, crops)).max() <= 0.01


@pytest.mark.parametrize("rounded", [False, True], ids=["as ONNX Runtime rounds", "as a GPU rounds"])
def test_the_half_graph_agrees(rounded: bool, crops: CropArray, off: Off, spec: ModelSpec, tmp_path: Path) -> None:
    half = tmp_path / "half.onnx"
    report = export_half(MODEL, half)
    assert (report.vanished, report.clamped) == (0, 0)
    if rounded:
        write_model(rounding_graph(onnx.load(half)), spec, half, half_weights=False)
    with load_engine(half, "cpu") as engine:
        assert_half(off(run(engine, crops)))


def test_torch_s_half_layers_agree(module: nn.Module, spec: ModelSpec, crops: CropArray, off: Off) -> None:
    """What the torch engine runs on a GPU, on the CPU."""
    half = half_layers(module, "cpu")
    assert_half(off(run(TorchEngine(half, spec), crops)))


@pytest.mark.gpu
@pytest.mark.parametrize("device", ["cuda", "tensorrt"])
def test_onnx_runtime_on_a_gpu_agrees(device: str, crops: CropArray, off: Off, tmp_path: Path) -> None:
    with load_engine(MODEL, device) as engine:
        assert off(run(engine, crops)).max() <= 0.01
    half = tmp_path / "half.onnx"
    export_half(MODEL, half)
    with load_engine(half, device) as engine:
        assert_half(off(run(engine, crops)))


@pytest.mark.gpu
def test_torch_on_a_gpu_agrees(module: nn.Module, spec: ModelSpec, crops: CropArray, off: Off) -> None:
    import copy

    from startrack.engines.torch_cuda_engine import TorchCudaEngine

    assert off(run(TorchEngine(copy.deepcopy(module), spec, "cuda"), crops)).max() <= 0.01
    with TorchCudaEngine(module, spec) as engine:
        assert_half(off(run(engine, crops)))
