"""Commands that write one file and are ended: a line, an exit code, no half file, and the same command then works."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from startrack import whole_file
from startrack.engines import sidecar
from startrack.engines.graphs import onnx_file
from startrack.engines.sidecar import read_sidecar, sidecar_path
from startrack.engines.zoo import FLOAT_LANDMARKS, zoo_path
from tests.commands.invoke import done, message, run, shipped

ENDINGS = [("SIGTERM", 143, "terminated"), ("SIGINT", 130, "interrupted"), ("SIGHUP", 129, "hung up")]
pytestmark = [
    pytest.mark.usefixtures("real_models"),
    pytest.mark.skipif(not hasattr(signal, "SIGHUP"), reason="signals of POSIX"),
]


@pytest.mark.parametrize(("name", "code", "word"), ENDINGS)
def test_pack_leaves_no_half_file(
    name: str, code: int, word: str, disc_300w: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "out"
    folder.mkdir()
    words = ("pack", "--data", disc_300w, "--split", "challenging", "--size", 64, "--out", folder / "faces.pack")

    def ended(*_: object) -> None:
        os.kill(os.getpid(), getattr(signal, name))

    with monkeypatch.context() as patch:
        patch.setattr(whole_file.os, "replace", ended)
        assert message(run(*words), code) == f"startrack: {word}"
    assert list(folder.iterdir()) == []
    done(*words)


@shipped
def test_a_model_and_its_sidecar_are_one_step(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("onnx")
    out = tmp_path / "half.onnx"
    words = ("export", "--weights", zoo_path(FLOAT_LANDMARKS), "--fp16", "--out", out)
    write = sidecar.write_sidecar

    def ended(*arguments: object) -> object:
        os.kill(os.getpid(), signal.SIGTERM)
        return write(*arguments)  # type: ignore[arg-type]

    with monkeypatch.context() as patch:
        patch.setattr(onnx_file, "write_sidecar", ended)
        assert message(run(*words), 143) == "startrack: terminated"
    assert read_sidecar(out) is not None
    assert sorted(path.name for path in tmp_path.iterdir()) == ["half.json", "half.onnx"]


@shipped
def test_a_killed_export_leaves_no_model_with_the_sidecar_of_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("onnx")
    out = tmp_path / "half.onnx"
    words = ("export", "--weights", zoo_path(FLOAT_LANDMARKS), "--fp16", "--out", out)
    out.write_text("an older model")
    sidecar_path(out).write_text("{}")

    class Killed(BaseException):
        """Nothing runs after it."""

    def killed(*_: object) -> None:
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(onnx_file, "write_sidecar", killed)
        with pytest.raises(Killed):
            run(*words, "--overwrite")
    assert out.stat().st_size > 1000
    assert not sidecar_path(out).exists()
    sidecar.check_sidecar(out)
    done(*words, "--overwrite")
