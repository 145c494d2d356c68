"""track --engine: the landmark model of a server."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from startrack.engines import triton_repository
from startrack.engines.zoo import DEFAULT_LANDMARKS, zoo_path
from startrack.tracker.sinks.jsonl_sink import read_jsonl
from tests.commands.invoke import BOX, done, message, run, shipped, usage
from tests.conftest import Clip
from tests.engines.triton_server import serve

pytestmark = pytest.mark.usefixtures("real_models")


@shipped
def test_a_server_s_landmarks_are_the_file_s(clip: Clip, tmp_path: Path) -> None:
    pytest.importorskip("tritonclient.http", exc_type=Exception)
    triton_repository.write(zoo_path(DEFAULT_LANDMARKS), tmp_path / "models")
    words = ("track", clip.path, "--init-box", BOX, "--show", "none", "--jsonl")
    done(*words, tmp_path / "local.jsonl")
    with serve(tmp_path / "models") as server:
        done(*words, tmp_path / "remote.jsonl", "--engine", server.url(DEFAULT_LANDMARKS))
        assert sum(server.models[DEFAULT_LANDMARKS].batches) >= 10
    local, remote = (list(read_jsonl(tmp_path / f"{name}.jsonl")) for name in ("local", "remote"))
    assert len(local) == len(remote) == 10
    for one, other in zip(local, remote, strict=True):
        assert len(one.faces) == len(other.faces)
        for face, twin in zip(one.faces, other.faces, strict=True):
            np.testing.assert_allclose(face.points, twin.points, atol=1e-2)


def test_a_wrong_address_is_named(clip: Clip) -> None:
    assert "'model.onnx'; expected triton://HOST:PORT/MODEL" in usage(run("track", clip.path, "--engine", "model.onnx"))
    both = ("--engine", "triton://here:80/a", "--weights", "a.onnx")
    assert "given beside --weights; expected one of them" in usage(run("track", clip.path, *both))
    line = message(run("track", clip.path, "--engine", "http://here:80/a"), 4)
    assert "http://here:80/a: not the address of a model on a server" in line
