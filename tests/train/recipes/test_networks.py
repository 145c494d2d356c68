"""The network that a specification carries: built, saved, exported and loaded by it, in files old and new."""

from __future__ import annotations

import zlib
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from startrack.engines.base import DetectorSpec, EngineError, ModelSpec, NetworkSpec
from startrack.engines.graphs.export import export_onnx
from startrack.engines.zoo import zoo_path
from startrack.tracker.schemes import plain_scheme
from startrack.train.recipes.awing import AWING_SPECS
from startrack.train.recipes.compact import COMPACT_SPEC, COMPACT_SPECS, CompactSize, compact_spec
from startrack.train.recipes.de_hrnet_body import DE_HRNET_SPECS
from startrack.train.recipes.face_detector import DETECTOR_SPEC
from startrack.train.recipes.hrnet import HRNET_SPECS
from startrack.train.recipes.load import load_deployed, load_landmark_network
from startrack.train.recipes.networks import LEGACY, build_network, with_network
from startrack.train.recipes.star import STAR_SPECS, star_spec
from startrack.train.weights.checkpoint import load_weights, save_weights

BEFORE = {
    "compact-300w": 3455373229,
    "compact-300w-large": 3455373229,
    "compact-300w-small": 8016375,
    "compact-300w-slim": 1539499588,
    "face-detector": 1915629358,
    "star-300w": 3657415610,
    "star-wflw": 2708792485,
    "star-cofw": 1030869844,
    "star-300w-small": 742626897,
    "star-points": 3795847502,
    "awing-300w": 733709708,
    "awing-wflw": 3320323933,
    "awing-cofw": 3180358570,
    "awing-300w-small": 36517151,
    "hrnet-300w": 3546685828,
    "hrnet-300w-small": 2684577805,
    "hrnet-coco": 208943547,
    "hrnet-coco-w48": 1533489594,
    "hrnet-coco-small": 2452745466,
    "hrnet-mpii": 2895107938,
    "dehrnet-coco": 3186630677,
    "dehrnet-coco-small": 1908469430,
    "dehrnet-mpii": 634675149,
    "dehrnet-300w": 2983577695,
}
"""Name of a model → CRC-32 of names and shapes of its weights, when the name alone decided its network."""
SPECS: dict[str, ModelSpec | DetectorSpec] = {
    **COMPACT_SPECS,
    "face-detector": DETECTOR_SPEC,
    **STAR_SPECS,
    "star-points": star_spec("star-points", plain_scheme(6)),
    **AWING_SPECS,
    **HRNET_SPECS,
    **DE_HRNET_SPECS,
}


def shapes(spec: ModelSpec | DetectorSpec) -> int:
    with torch.device("meta"):
        state = build_network(spec)[0].state_dict()
    return zlib.crc32(" ".join(f"{name}{tuple(value.shape)}" for name, value in state.items()).encode())


@pytest.mark.parametrize("name", BEFORE)
def test_a_file_of_before_is_known_by_its_name(name: str) -> None:
    assert shapes(replace(SPECS[name], network=None)) == BEFORE[name]


def test_no_name_is_added_to_those_of_before() -> None:
    assert set(LEGACY) == set(BEFORE)


@pytest.mark.parametrize("name", BEFORE)
def test_the_arguments_in_a_recipes_specification_survive_json(name: str) -> None:
    spec = SPECS[name]
    assert spec.network is not None
    again = type(spec).from_json(spec.to_json(), "memory")
    assert again == spec
    assert again.network == spec.network


@pytest.mark.parametrize("size", ["", "-small", "-slim", "-large"])
def test_shipped_float_models_load(size: str) -> None:
    path = zoo_path(f"compact-300w{size}-float")
    if not path.is_file():
        pytest.skip("no shipped model in this tree")
    spec, deployed = load_landmark_network(path)
    assert spec.network is not None
    assert deployed.spec == spec


def test_any_name_and_any_size_load_by_what_the_file_says(tmp_path: Path) -> None:
    spec = compact_spec("a-name-of-mine", 64, CompactSize(stacks=1, inner=0.25))
    network, deployed = build_network(spec)
    # norms must have seen something: a bias of nothing is no part of an exported file
    network.train()(torch.randint(0, 256, (4, 64, 64, 3), dtype=torch.uint8))
    weights, exported = tmp_path / "weights.safetensors", tmp_path / "model.onnx"
    save_weights(weights, network, spec)
    export_onnx(deployed, spec, exported, half_weights=False)
    for path in (weights, exported):
        found, loaded = load_landmark_network(path)
        assert found == spec
        assert len(loaded.network.hourglasses) == 1
        assert loaded.network.stem[4].first[0].out_channels == 16


def changed(**arguments: object) -> ModelSpec:
    return replace(COMPACT_SPEC, network=NetworkSpec("compact_hourglass", arguments))


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        (
            replace(COMPACT_SPEC, network=NetworkSpec("transformer")),
            "no network 'transformer'; expected one of",
        ),
        (replace(COMPACT_SPEC, name="mine", network=None), "weights of 'mine' that name no network"),
        (changed(depth=3), "no argument 'depth'; expected inner, stacks"),
        (changed(stacks="2"), "stacks is '2'; expected something like 2"),
        (changed(stacks=True), "stacks is True; expected something like 2"),
        (changed(stacks=2.5), r"stacks is 2\.5; expected something like 2"),
        (changed(stacks=0), "stacks is 0; expected"),
        (changed(stacks=10**9), "stacks is 1000000000; expected"),
        (changed(inner=(1, 2)), r"inner is \(1, 2\); expected something like 1\.0"),
        (changed(inner=1000.0), "whose network has"),
        (replace(HRNET_SPECS["hrnet-300w"], network=NetworkSpec("hrnet", {"modules": (1,) * 40})), "modules is"),
        (replace(HRNET_SPECS["hrnet-300w"], network=NetworkSpec("hrnet", {"modules": (1,)})), "cannot be built with"),
        (replace(HRNET_SPECS["hrnet-300w"], network=NetworkSpec("hrnet", {"aspect": 2.0})), r"aspect 2\.0; expected"),
    ],
)
def test_a_network_that_is_none_is_named_in_one_line(spec: ModelSpec, message: str, tmp_path: Path) -> None:
    path = tmp_path / "weights.safetensors"
    save_weights(path, torch.nn.Linear(2, 2), spec)
    with pytest.raises(EngineError, match=message) as caught:
        load_deployed(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert "\n" not in str(caught.value)


def test_files_of_before_get_their_network_when_written_again(tmp_path: Path) -> None:
    old = replace(COMPACT_SPEC, network=None)
    assert '"network"' not in old.to_json()
    save_weights(tmp_path / "old.safetensors", build_network(old)[0], old)
    assert load_weights(tmp_path / "old.safetensors").spec.network is None
    assert load_deployed(tmp_path / "old.safetensors")[0] == with_network(old)
