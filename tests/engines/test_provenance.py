"""Every shipped model says where it comes from, and none is called free that is not."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from startrack.engines import zoo
from startrack.engines.base import EngineError
from startrack.engines.zoo.provenance import faults, licence_of, provenance_path, read_provenance
from tests.engines.made_provenance import HASH, write_provenance

SENTENCES = {"research": "non-commercial research only", "free": "free for any use"}


def made(folder: Path, name: str) -> Path:
    path = folder / f"{name}.onnx"
    path.write_bytes(name.encode())
    return path


@pytest.mark.parametrize("model", zoo.zoo_models(), ids=lambda path: path.stem)
def test_a_shipped_model_states_its_origin_and_its_licence(model: Path) -> None:
    assert list(faults(model)) == []
    found = read_provenance(model)
    assert found.commands
    card = " ".join(model.with_suffix(".md").read_text(encoding="utf-8").split())
    assert SENTENCES[found.licence] in card
    other = {"research": "free", "free": "research"}[found.licence]
    assert SENTENCES[other] not in card
    # the names that `--licence free` picks are the only ones that may be free
    assert (found.licence == "free") == (
        model.stem.removesuffix("-float") in (zoo.MODELS[zoo.FREE], zoo.DETECTORS["free"], zoo.EYES["free"])
    )


def test_a_free_model_has_free_inputs_and_free_parents(tmp_path: Path) -> None:
    first, second, research = (made(tmp_path, name) for name in ("first", "second", "research"))
    write_provenance(first, "free")
    write_provenance(second, "free", parents=(("init", first),))
    write_provenance(research, "research", free_input=False, parents=(("teacher", first),))
    for model in (first, second, research):
        assert list(faults(model)) == []
    assert [licence_of(model) for model in (first, second, research)] == ["free", "free", "research"]
    assert licence_of(made(tmp_path, "own")) is None
    # the fault of a grandparent reaches its grandchild
    write_provenance(first, "free", free_input=False)
    assert list(faults(second)) == [
        "second.onnx: said to be free, but its init is 'first': first.onnx: said to be free, but made from 'pictures': "
        "licence 'non-commercial research'"
    ]
    with pytest.raises(EngineError, match=r"second\.onnx: said to be free, but its init is 'first'"):
        licence_of(second)


@pytest.mark.parametrize("role", ["init", "teacher", "labels", "detector", "float"])
def test_a_research_model_is_no_parent_of_a_free_one(role: str, tmp_path: Path) -> None:
    research, child = made(tmp_path, "research"), made(tmp_path, "child")
    write_provenance(research, "research", free_input=False)
    write_provenance(child, "free", parents=((role, research),))
    assert list(faults(child)) == [
        f"child.onnx: said to be free, but its {role} is 'research', which is for research only"
    ]


def entry(**other: Any) -> dict[str, Any]:
    return {"name": "x", "source": "y", "licence": "MIT", "sha256": HASH} | other


@pytest.mark.parametrize(
    ("other", "match"),
    [
        ({"inputs": [entry(sha256=None)]}, "made from 'x': not known to the byte"),
        ({"inputs": [entry(), entry(licence="CC-BY-NC-4.0")]}, "made from 'x': licence 'CC-BY-NC-4.0'"),
        ({"sha256": HASH}, "provenance is of another file, sha256 000000000000…"),
        ({"model": "other"}, "its provenance is of 'other'"),
        ({"parents": [{"role": "init", "name": "gone", "sha256": HASH}]}, "which is no other model next to it"),
        ({"parents": [{"role": "init", "name": "child", "sha256": HASH}]}, "which is no other model next to it"),
        (
            {"parents": [{"role": "init", "name": "first", "sha256": HASH}]},
            "of another sha256 than the file next to it",
        ),
        ({"parents": [{"role": "uncle", "name": "first", "sha256": HASH}]}, "role 'uncle'; expected init, teacher"),
        ({"licence": "very free"}, "licence 'very free'; expected 'free' or 'research'"),
        ({"inputs": [], "parents": []}, "no inputs and no parents"),
        ({"inputs": [{}]}, "not a provenance: 'name'"),
        ({"inputs": [entry(sha256="abc")]}, "sha256: 'abc'; expected 64 hexadecimal digits, or null"),
        ({"sha256": None}, "sha256: None; expected that of the model file"),
        ({"commands": "true"}, "commands: 'true'; expected a list"),
        ({"recipe": ""}, "recipe: ''; expected a text"),
    ],
)
def test_what_is_wrong_is_said(other: dict[str, Any], match: str, tmp_path: Path) -> None:
    child, first = made(tmp_path, "child"), made(tmp_path, "first")
    write_provenance(first, "free")
    write_provenance(child, "free", other=other)
    (problem,) = faults(child)
    assert match in problem
    assert "\n" not in problem


def test_models_that_name_each_other_come_to_an_end(tmp_path: Path) -> None:
    one, other = made(tmp_path, "one"), made(tmp_path, "other")
    write_provenance(one, "free", parents=(("init", other),))
    write_provenance(other, "free", parents=(("init", one),))
    (problem,) = faults(one)
    assert "its init is 'one', which is no other model next to it" in problem


@pytest.mark.parametrize("content", [b"", b"[]", b"[" * 100_000, b"\xff", None])
def test_a_file_that_is_no_provenance_is_named(content: bytes | None, tmp_path: Path) -> None:
    model = made(tmp_path, "model")
    if content is not None:
        provenance_path(model).write_bytes(content)
    with pytest.raises(EngineError, match=r"model\.provenance\.json"):
        read_provenance(model)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A zoo with a research model and its detector."""
    monkeypatch.setattr(zoo, "zoo_path", lambda name: tmp_path / f"{name}.onnx")
    for name in ("compact-300w-slim", "face-detector"):
        write_provenance(made(tmp_path, name), "research", free_input=False)
    return tmp_path


def test_an_installation_without_free_models_says_so(folder: Path) -> None:
    for licence in (None, "free"):
        with pytest.raises(EngineError, match=r"no free model in this installation: expected .*/free\.onnx"):
            zoo.landmarks_path("free", licence)
    with pytest.raises(EngineError, match=r"no free model in this installation: expected .*/free-detector\.onnx"):
        zoo.detector_path("free")
    assert zoo.landmarks_path() == zoo.landmarks_path("m", "research") == folder / "compact-300w-slim.onnx"
    assert zoo.detector_path() == folder / "face-detector.onnx"


def test_the_licence_picks_the_models(folder: Path) -> None:
    for name in ("free", "free-detector"):
        write_provenance(made(folder, name), "free")
    assert zoo.landmarks_path("free") == zoo.landmarks_path(None, "free") == folder / "free.onnx"
    assert zoo.detector_path("free") == folder / "free-detector.onnx"
    with pytest.raises(EngineError, match="model 'm' is for non-commercial research only; expected 'free'"):
        zoo.landmarks_path("m", "free")
    assert [zoo.licence_for(*given) for given in (("free", None), (None, "free"), ("m", None), (None, None))] == [
        "free",
        "free",
        "research",
        "research",
    ]
    zoo.refuse_research(made(folder, "own"))
    with pytest.raises(EngineError, match=r"compact-300w-slim\.onnx is for non-commercial research only"):
        zoo.refuse_research(folder / "compact-300w-slim.onnx")


def test_a_model_that_only_calls_itself_free_is_refused(folder: Path) -> None:
    free = made(folder, "free")
    write_provenance(free, "free", parents=(("init", folder / "compact-300w-slim.onnx"),))
    with pytest.raises(EngineError, match="its init is 'compact-300w-slim', which is for research only"):
        zoo.landmarks_path("free")
    write_provenance(free, "research")
    with pytest.raises(EngineError, match=r"free\.onnx is for non-commercial research only"):
        zoo.landmarks_path("free")
    provenance_path(free).write_text(json.dumps({}))
    with pytest.raises(EngineError, match="not a provenance"):
        zoo.landmarks_path("free")
