from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from startrack.engines.base import DetectorSpec, EngineError, ModelSpec, NetworkSpec, check_crops, parse_spec


@given(
    name=st.text(max_size=20),
    stride=st.integers(1, 8),
    heatmap_size=st.integers(1, 128),
    crop_scale=st.floats(0.5, 4),
    mean=st.tuples(*[st.floats(0, 255)] * 3),
    colour_order=st.sampled_from(["rgb", "bgr"]),
)
def test_spec_survives_json(
    name: str, stride: int, heatmap_size: int, crop_scale: float, mean: tuple[float, float, float], colour_order: str
) -> None:
    spec = ModelSpec(
        name, "ibug_68", 68, stride * heatmap_size, heatmap_size, crop_scale, mean=mean, colour_order=colour_order
    )  # type: ignore[arg-type]
    assert ModelSpec.from_json(spec.to_json(), "memory") == spec
    assert spec.stride == stride


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"input_size": 100}, "not a multiple"),
        ({"num_landmarks": 0}, "must be positive"),
        ({"surprise": 1}, "surprise"),
        ({"mean": [1, 2]}, "expected 3"),
    ],
)
def test_a_bad_spec_is_refused_by_name(change: dict[str, object], message: str) -> None:
    good = json.loads(ModelSpec("net", "ibug_68", 68, 128, 32, 1.25).to_json())
    with pytest.raises(EngineError, match=message):
        ModelSpec.from_json(json.dumps(good | change), "model.onnx")


WORDS = st.text(max_size=8) | st.integers(-9, 9999) | st.booleans() | st.floats(allow_nan=False, allow_infinity=False)


@given(st.text(min_size=1, max_size=9), st.dictionaries(st.text(max_size=9), WORDS | st.lists(WORDS, max_size=4)))
def test_a_network_survives_json(architecture: str, arguments: dict[str, Any]) -> None:
    network = NetworkSpec(architecture, arguments)
    landmarks = ModelSpec("net", "ibug_68", 68, 128, 32, 1.25, network=network)
    faces = DetectorSpec("net", (8, 16), 320, 16, 0.5, 0.35, network=network)
    for spec in (landmarks, faces):
        read = parse_spec(spec.to_json(), "memory")
        assert read == spec
        assert read.network == network
        assert hash(read) == hash(spec)


@pytest.mark.parametrize(
    "network",
    [
        "hrnet",
        [],
        {"arguments": {}},
        {"architecture": ""},
        {"architecture": 3},
        {"architecture": "hrnet", "arguments": []},
        {"architecture": "hrnet", "arguments": {"width": None}},
        {"architecture": "hrnet", "arguments": {"width": {"a": 1}}},
        {"architecture": "hrnet", "arguments": {"modules": [[1], 2]}},
        {"architecture": "hrnet", "arguments": {"width": float("nan")}},
        {"architecture": "hrnet", "arguments": {"width": float("inf")}},
        {"architecture": "hrnet", "surprise": 1},
    ],
)
def test_what_is_no_network_is_refused(network: object) -> None:
    good = json.loads(ModelSpec("net", "ibug_68", 68, 128, 32, 1.25).to_json())
    assert "network" not in good
    with pytest.raises(EngineError, match=r"^model\.onnx: .*(network|NetworkSpec)"):
        ModelSpec.from_json(json.dumps(good | {"network": network}), "model.onnx")


@pytest.mark.parametrize("text", ["", "[]", "null", "{}", "nonsense"])
def test_text_that_is_no_spec_is_refused(text: str) -> None:
    with pytest.raises(EngineError, match=r"model\.onnx"):
        ModelSpec.from_json(text, "model.onnx")


@pytest.mark.parametrize(
    "crops", [np.zeros((1, 64, 64, 3)), np.zeros((64, 64, 3), np.uint8), np.zeros((1, 32, 32, 3), np.uint8)]
)
def test_wrong_crops_are_refused_with_their_shape(crops: np.ndarray) -> None:
    with pytest.raises(EngineError, match=r"expected uint8 \(B, 64, 64, 3\)"):
        check_crops(ModelSpec("net", "ibug_68", 68, 64, 16, 1.25), crops)
