"""export --fp16: a model file of half precision, from weights or from a float32 model file."""

from __future__ import annotations

from pathlib import Path

import pytest

from startrack.engines.sidecar import read_sidecar
from startrack.engines.zoo import DEFAULT_DETECTOR, FLOAT_LANDMARKS, zoo_path
from tests.commands.invoke import done, message, run, shipped, usage

pytestmark = pytest.mark.usefixtures("real_models")


@shipped
def test_the_shipped_model_becomes_half(tmp_path: Path) -> None:
    onnx = pytest.importorskip("onnx")
    out = tmp_path / "half.onnx"
    result = done("export", "--weights", zoo_path(FLOAT_LANDMARKS), "--fp16", "--out", out)
    report, last = result.stdout.splitlines()
    assert report.startswith("47 half convolutions, ")
    assert "(0 too small, 0 too large)" in report
    sidecar, before = read_sidecar(out), read_sidecar(zoo_path(FLOAT_LANDMARKS))
    assert sidecar is not None
    assert before is not None
    assert sidecar.spec == before.spec
    assert last == f"{out}: sha256 {sidecar.sha256}"
    assert onnx.load(out).graph.node[0].op_type == "Cast"
    again = ("export", "--weights", zoo_path(FLOAT_LANDMARKS), "--fp16", "--out", out)
    assert "exists already" in message(run(*again), 5)
    assert "the weights themselves" in usage(run("export", "--weights", out, "--fp16", "--out", out, "--overwrite"))
    done(*again, "--overwrite")


@shipped
def test_weights_that_cannot_become_half_are_named(tmp_path: Path) -> None:
    out = tmp_path / "half.onnx"
    model = zoo_path(FLOAT_LANDMARKS)
    assert "expected .safetensors, or --fp16" in usage(run("export", "--weights", model, "--out", out))
    line = message(run("export", "--weights", zoo_path(DEFAULT_DETECTOR), "--fp16", "--out", out), 4)
    assert "face-detector.onnx: not a startrack model specification" in line
    (tmp_path / "text.onnx").write_text("no model")
    line = message(run("export", "--weights", tmp_path / "text.onnx", "--fp16", "--out", out), 4)
    assert "text.onnx: not an ONNX model that can be read" in line
    assert "no such model file" in message(run("export", "--weights", "missing.onnx", "--fp16", "--out", out), 4)
    assert not out.exists()
