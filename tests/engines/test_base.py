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


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"crop_scale": float("nan")}, "crop_scale is nan; expected a number, 0.1 to 100"),
        ({"crop_scale": True}, "crop_scale is True; expected a number"),
        ({"crop_scale": "1.25"}, "crop_scale is '1.25'; expected a number"),
        ({"crop_scale": 10**400}, "crop_scale is 1000"),
        ({"crop_scale": None}, "crop_scale is None"),
        ({"num_landmarks": 68.0}, "num_landmarks is 68.0; expected a whole number"),
        ({"num_landmarks": 10**9}, "num_landmarks is 1000000000"),
        ({"mean": [1, 2, "3"]}, "mean is .*; expected 3 numbers"),
        ({"std": [0, 1, 1]}, "std is "),
        ({"decoder": "magic"}, "decoder is 'magic'; expected one of soft_argmax"),
        ({"colour_order": "grb"}, "colour_order is 'grb'; expected one of rgb, bgr"),
        ({"presence": 1}, "presence is 1; expected true or false"),
        ({"scheme": []}, "scheme is "),
        ({"name": "x" * 120_000}, "name is "),
    ],
)
def test_each_field_has_its_type_and_range(change: dict[str, object], expected: str) -> None:
    good = json.loads(ModelSpec("net", "ibug_68", 68, 128, 32, 1.25).to_json())
    with pytest.raises(EngineError, match=expected) as caught:
        ModelSpec.from_json(json.dumps(good | change), "model.onnx")
    assert str(caught.value).startswith("model.onnx: not a startrack model specification: ")
    assert len(str(caught.value)) < 400


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"strides": [8, 8]}, "strides is "),
        ({"strides": "8"}, "strides is '8'"),
        ({"strides": [8.5]}, "strides is "),
        ({"min_score": float("nan")}, "min_score is nan; expected a number, 0 to 1"),
        ({"max_overlap": 2}, "max_overlap is 2"),
        ({"smallest_face": "16"}, "smallest_face is '16'"),
    ],
)
def test_each_field_of_a_detector_too(change: dict[str, object], expected: str) -> None:
    good = json.loads(DetectorSpec("net", (8, 16), 320, 16, 0.5, 0.35).to_json())
    with pytest.raises(EngineError, match=expected):
        parse_spec(json.dumps(good | change), "model.onnx")


def test_a_missing_field_is_named() -> None:
    good = json.loads(ModelSpec("net", "ibug_68", 68, 128, 32, 1.25).to_json())
    del good["crop_scale"]
    with pytest.raises(EngineError, match="no crop_scale; expected name, scheme, num_landmarks"):
        ModelSpec.from_json(json.dumps(good), "model.onnx")
