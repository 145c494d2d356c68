"""Trained weights as the start of another training, of the same network for these or other landmarks."""

from __future__ import annotations

from pathlib import Path

from torch import Tensor, nn

from startrack.engines.base import EngineError
from startrack.train.weights.checkpoint import load_weights
from startrack.train.weights.narrow import narrowed
from startrack.train.weights.unfold import exported_weights, settle_norms, unfolded


def initialise(model: nn.Module, path: Path, crops: Tensor | None = None) -> list[str]:
    """Load what fits into the model, in place; returns the names of those that do not, which stay as
    they were drawn.

    path: a .safetensors file of startrack train or import-weights, or an .onnx file of startrack export, such as the
    shipped models. What belongs to landmarks, edges or stacks of another number has another shape, or is in one of
    the two alone; wider residual blocks are narrowed (train/weights/narrow.py). crops: the network's input, a few
    dozen; an .onnx file has no batch norms, so theirs are settled on these. Raises EngineError if the file is damaged,
    or if less than half of the model's numbers are in it: it is of another network then.
    """
    exported = path.suffix == ".onnx"
    found = unfolded(model, exported_weights(path).state) if exported else load_weights(path).state
    own = model.state_dict()
    found = narrowed(found, own)
    fitting = {name: found[name] for name, value in own.items() if name in found and found[name].shape == value.shape}
    loaded, whole = (sum(value.numel() for value in state.values()) for state in (fitting, own))
    if 2 * loaded < whole:
        raise EngineError(f"{path}: weights of another network: {loaded} of {whole} numbers fit; expected most of them")
    model.load_state_dict({**own, **fitting})
    if exported and crops is not None:
        settle_norms(model, crops)
    return [name for name, _ in model.named_parameters() if name not in fitting]
