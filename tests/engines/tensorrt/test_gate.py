"""Measurements of a plan, each small enough to check by hand."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from startrack.engines.base import CropArray, EngineError, LandmarkBatch, ModelSpec
from startrack.engines.cuda.runtime import Gpu
from startrack.engines.engine_latency import LEAST_RUNS, WARM_UP_RUNS
from startrack.engines.fake_engine import FakeEngine
from startrack.engines.plans.build import BuiltPlan
from startrack.engines.plans.facts import PlanFacts
from startrack.engines.plans.gate import (
    LEAST_GPU_RUNS,
    Accuracy,
    Comparison,
    Faces,
    Latency,
    Limits,
    measure_accuracy,
    measure_latency,
    missed,
)
from startrack.engines.plans.graph import PlanGraph
from startrack.engines.plans.layers import LayerReport
from startrack.engines.plans.report import PlanReport

SPEC = ModelSpec("fake", "ibug_68", 2, input_size=128, heatmap_size=32, crop_scale=1.25)
COUNT = 7


def engine(shift: float = 0.0, wrong_batch: int = 0) -> FakeEngine:
    """Landmarks at (n, n) and (2n, 0) for crops filled with n, moved to the right by `shift` crop pixels."""

    def find(crops: CropArray) -> LandmarkBatch:
        number = crops[:, 0, 0, 0].astype(np.float32)
        points = np.stack([np.stack([number, number], -1), np.stack([2 * number, 0 * number], -1)], 1)
        points[..., 0] += shift + (5 if len(crops) == wrong_batch else 0)
        flat = np.zeros((len(crops), 2), np.float32)
        return LandmarkBatch(points, np.zeros((len(crops), 2, 2, 2), np.float32), flat, flat[:, 0])

    return FakeEngine(SPEC, find)


@pytest.fixture
def faces() -> Faces:
    crops = np.tile(np.arange(COUNT, dtype=np.uint8)[:, None, None, None], (1, 128, 128, 3))
    truth = engine()(crops).points + np.array([0, 3], np.float32)
    return Faces(crops, truth, np.full(COUNT, 30.0))


def test_distance_is_in_pixels_of_a_256_crop(faces: Faces) -> None:
    accuracy = measure_accuracy(engine(0.05), Comparison(engine(), "fake.onnx", faces), [1, 4])
    assert [entry.batch for entry in accuracy] == [1, 4]
    for entry in accuracy:
        # 0.05 of 128 pixels are 0.1 of 256; all landmarks are 3 pixels below, which is 10 % of 30
        assert (entry.mean_px, entry.p99_px, entry.max_px) == pytest.approx((0.1, 0.1, 0.1), rel=1e-4)
        assert entry.reference_nme == pytest.approx(10.0)
        assert entry.nme == pytest.approx(100 * np.hypot(3, 0.05) / 30, rel=1e-5)
        assert entry.faces == COUNT


def test_a_fault_at_one_batch_size_is_found(faces: Faces) -> None:
    accuracy = measure_accuracy(engine(wrong_batch=4), Comparison(engine(), "fake.onnx", faces), [1, 2, 4])
    assert [entry.mean_px for entry in accuracy] == pytest.approx([0, 0, 10])
    assert missed(accuracy, Limits()) == [
        "batch 4: landmarks move by 10.000 px on average and 10.000 px at p99; expected 0.1 and 0.5 at most"
    ]


def test_nan_is_missed(faces: Faces) -> None:
    accuracy = measure_accuracy(engine(np.nan), Comparison(engine(), "fake.onnx", faces), [1])
    assert len(missed(accuracy, Limits())) == 1


def test_no_face_is_an_error(faces: Faces) -> None:
    none = Faces(faces.crops[:0], faces.truth[:0], faces.normaliser[:0])
    with pytest.raises(EngineError, match="no face to measure the accuracy on"):
        measure_accuracy(engine(), Comparison(engine(), "fake.onnx", none), [1])


@pytest.mark.parametrize(("mean", "p99", "fits"), [(0.1, 0.5, True), (0.11, 0.2, False), (0.05, 0.51, False)])
def test_limits(mean: float, p99: float, fits: bool) -> None:
    assert (not missed([Accuracy(1, 5, mean, p99, 9.0, 3.0, 3.0)], Limits())) == fits


class Timed(FakeEngine):
    """Counts its runs."""

    def __init__(self) -> None:
        self.runs = self.gpu_runs = 0
        super().__init__(SPEC, engine()._function)

    def __call__(self, crops: CropArray, *, heatmaps: bool = False) -> LandmarkBatch:
        self.runs += 1
        return super().__call__(crops, heatmaps=heatmaps)

    def gpu_ms(self, count: int) -> float:
        self.gpu_runs += 1
        return float(count)


def test_latency_is_measured_after_a_warm_up(faces: Faces) -> None:
    timed = Timed()
    latency = measure_latency(timed, faces.crops, 3, graph=True, measure_s=0.0)
    assert (latency.batch, latency.graph, latency.runs) == (3, True, LEAST_RUNS)
    assert latency.gpu_ms == (3.0, 3.0, 3.0)
    assert timed.gpu_runs == LEAST_GPU_RUNS
    assert timed.runs == WARM_UP_RUNS + LEAST_RUNS
    assert 0 < latency.wall_ms[0] <= latency.wall_ms[1] <= latency.wall_ms[2]


def report(**changes: object) -> PlanReport:
    gpu = Gpu("Fake GPU", "8.6", 28, 1 << 30, "13.0", "13.1")
    graph = PlanGraph(b"", SPEC, "half", "float", "fake.onnx", "0" * 64, ("conv_1",), 9, 1000, 20, {"Softmax": 1})
    facts = PlanFacts(
        *("tensorrt", "11.4.0.106", "13.0", "13.1", "Fake GPU", ("8.6",), 28, "no", "half", 1, 4, 16),
        *("fake.onnx", "0" * 64, "2026-01-01T00:00:00+00:00", "0.1.0", "not measured"),
    )
    latency = tuple(Latency(batch, True, (1.0, 2.0, 3.0), (0.5, 0.6, 0.7), 20) for batch in (1, 4, 16))
    accuracy = (Accuracy(1, 50, 0.02, 0.1, 0.3, 3.25, 3.24),)
    whole = PlanReport(
        graph=graph,
        facts=facts,
        built=BuiltPlan(bytes(5_000_000), 60.0, False, ""),
        layers=layers(Half=3),
        gpu=gpu,
        device_memory_bytes=4096,
        latency=latency,
        accuracy=accuracy,
        reference="fake.onnx",
    )
    return replace(whole, **changes)  # type: ignore[arg-type]


def layers(wrong: tuple[str, ...] = (), **convolutions: int) -> LayerReport:
    """Those convolutions by precision, and one further layer in float32."""
    every = {"Half": 3, "Float": 1}
    return LayerReport("inspector", every, convolutions, ("softmax",), wrong, (), ())


def test_report_as_json_and_text() -> None:
    content = json.loads(report().to_json())
    assert content["verdict"] == "passed"
    assert content["plan"]["tensorrt"] == "11.4.0.106"
    assert content["graph"]["float32_islands"] == {"Softmax": 1}
    assert content["latency"][2] == {
        "batch": 16,
        "graph": True,
        "runs": 20,
        "wall_ms": [1.0, 2.0, 3.0],
        "gpu_ms": [0.5, 0.6, 0.7],
    }
    assert content["accuracy"]["batches"][0]["mean_px"] == 0.02
    text = report().to_text()
    assert "convolutions: 3 Half; 1 layers in float32: softmax" in text
    assert "batch 16, CUDA graph: p50 1.00 p90 2.00 p99 3.00 ms, of it on the GPU 0.50 ms" in text
    assert text.endswith("passed")


def test_report_of_what_was_missed_or_not_measured() -> None:
    bad = report(accuracy=(Accuracy(4, 50, float("nan"), float("nan"), float("nan"), float("nan"), 3.0),))
    content = json.loads(bad.to_json())
    assert content["verdict"].startswith("missed: batch 4: landmarks move by nan px")
    assert content["accuracy"]["batches"][0]["mean_px"] is None
    unmeasured = report(accuracy=())
    assert json.loads(unmeasured.to_json())["accuracy"] is None
    assert unmeasured.to_text().endswith("accuracy not measured; layers as asked for")
    wrong = report(layers=layers(Float=3, wrong=("a",)))
    assert wrong.problems == ["1 of 3 convolutions do not run in Half: a"]


def test_report_of_a_plan_that_was_built_without_a_gpu() -> None:
    reason = "cannot use a GPU: no NVIDIA driver"
    unrun = report(gpu=None, device_memory_bytes=None, latency=(), accuracy=(), reference="", not_run=reason)
    content = json.loads(unrun.to_json())
    assert content["environment"] is None
    assert content["not_run"]["reason"] == reason
    assert {"latency", "landmarks against the float32 model"} <= set(content["not_run"]["parts"])
    assert content["verdict"] == f"layers as asked for; not run: {reason}"
    assert "not run here: inspector, latency, memory on the GPU, " in unrun.to_text()
    assert "5.0 MB, for compute capability 8.6" in unrun.to_text()
    assert replace(unrun, layers=layers(Float=3, wrong=("a",))).problems
