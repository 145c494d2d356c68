"""NVIDIA's own server with our model in its python backend gives what the local engine gives."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from benchmarks.shared.tritonserver import serve
from startrack.engines import load_engine, triton_repository
from startrack.engines.zoo import DEFAULT_LANDMARKS, zoo_path
from startrack.tracker.session.demo import make_demo_clip
from tests.commands.invoke import done, shipped

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1200), shipped]
MODEL = zoo_path(DEFAULT_LANDMARKS)
FIELDS = ("points", "covariance", "score", "presence", "heatmaps")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    pytest.importorskip("tritonclient.http", exc_type=Exception)
    python = Path(os.environ.get("STARTRACK_PYTRITON", ""))
    if not python.is_file():
        pytest.skip("STARTRACK_PYTRITON names no Python: pip install nvidia-pytriton onnxruntime in an environment")
    folder = tmp_path_factory.mktemp("models")
    version = triton_repository.write(MODEL, folder, backend="python", max_batch=4)
    with serve(python, folder) as url:
        yield f"{url}/{version.parent.name}"


def test_answers_are_the_local_engine_s(server: str) -> None:
    with load_engine(MODEL) as local, load_engine(server) as remote:
        size = local.spec.input_size
        crops = np.random.default_rng(7).integers(0, 256, (6, size, size, 3), dtype=np.uint8)
        assert remote.spec == local.spec
        for count in (1, 4, 6):  # the last in two requests
            got, expected = remote(crops[:count], heatmaps=True), local(crops[:count], heatmaps=True)
            for field in FIELDS:
                np.testing.assert_allclose(getattr(got, field), getattr(expected, field), atol=1e-3, err_msg=field)
        np.testing.assert_array_equal(remote(crops[:1]).points, local(crops[:1]).points)


def test_a_video_gives_the_same_lines(server: str, tmp_path: Path) -> None:
    clip = tmp_path / "demo.mp4"
    make_demo_clip(clip, seconds=1)
    lines = []
    for name, source in {"local": ["--weights", MODEL], "remote": ["--engine", server]}.items():
        done("track", clip, *source, "--jsonl", tmp_path / f"{name}.jsonl")
        lines.append((tmp_path / f"{name}.jsonl").read_bytes())
    assert lines[0].count(b"\n") == 30
    assert lines[0] == lines[1]
