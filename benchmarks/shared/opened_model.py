"""A landmark model to read crops with: a model file, or the weights of a training."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch

from startrack.engines import load_engine
from startrack.engines.base import ModelSpec
from startrack.tracker.types import FloatArray, ImageArray
from startrack.train.recipes.load import load_landmark_network
from startrack.train.validation.crop_trust import Read


@contextmanager
def opened_model(path: Path) -> Iterator[tuple[ModelSpec, Read]]:
    """A model and what reads crops with it; one thread."""
    if path.suffix == ".onnx":
        with load_engine(path, "cpu", threads=1) as engine:
            yield engine.spec, lambda crops: engine(crops).points
        return
    torch.set_num_threads(1)
    spec, deployed = load_landmark_network(path)
    deployed.eval()

    def read(crops: ImageArray) -> FloatArray:
        with torch.inference_mode():
            return deployed(torch.from_numpy(crops)).points.numpy()  # type: ignore[no-any-return]

    yield spec, read
