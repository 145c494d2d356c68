"""An exported model file back into the weights of the network that it was made from.

The export folds each batch norm into the convolution before it (engines.graphs.export): the product is kept, not the
factors. So a network is rebuilt in two steps, neither of which changes its outputs: norms that do
nothing but add the folded bias, and then norms that take the statistics of real crops out and put them back in, as a
training expects.
"""

from __future__ import annotations

from pathlib import Path

import onnx
import torch
from onnx import numpy_helper
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.utils.hooks import RemovableHandle

from startrack.engines.base import SPEC_KEY, EngineError, parse_spec
from startrack.outside import LARGEST_MODEL, read_bounded, reason
from startrack.train.weights.checkpoint import Weights

PREFIX, HALF = "network.", ".half"
"""Before the names of a network's weights in a model file, and behind those stored as float16
(engines.graphs.onnx_file)."""


def exported_weights(path: Path) -> Weights:
    """Weights by their names in the network, float32, batch norms folded. Raises EngineError if the file has none."""
    try:
        model = onnx.load_model_from_string(read_bounded(path, LARGEST_MODEL))
        metadata = {entry.key: entry.value for entry in model.metadata_props}
        stored = [one for one in model.graph.initializer if one.name.startswith(PREFIX)]
        arrays = {one.name.removeprefix(PREFIX).removesuffix(HALF): numpy_helper.to_array(one) for one in stored}
        state = {name: torch.from_numpy(array.copy()).float() for name, array in arrays.items()}
    except Exception as error:  # protobuf's DecodeError, OSError, ValueError
        raise EngineError(f"{path}: not an ONNX model: {reason(error)}") from error
    if not state or SPEC_KEY not in metadata:
        raise EngineError(f"{path}: no weights named {PREFIX}…; expected a float model of startrack export")
    return Weights(state, parse_spec(metadata[SPEC_KEY], str(path)))


def unfolded(model: nn.Module, folded: dict[str, Tensor]) -> dict[str, Tensor]:
    """The folded weights as a state dict of the model, whose norms then only add the folded bias.

    Tensors that a model file has no use for, such as counters, is the model's own.
    """
    buffers = {name: value for name, value in model.state_dict().items() if name not in dict(model.named_parameters())}
    state = {**buffers, **folded}
    for name, norm in _norms(model):
        bias = state.pop(f"{name}.0.bias", None)
        if bias is None:
            continue
        state[f"{name}.1.weight"] = torch.ones_like(bias)
        state[f"{name}.1.bias"] = bias
        state[f"{name}.1.running_mean"] = torch.zeros_like(bias)
        state[f"{name}.1.running_var"] = torch.full_like(bias, 1 - norm.eps)
    return state


@torch.no_grad()
def settle_norms(model: nn.Module, crops: Tensor) -> None:
    """Give every batch norm the statistics of its input, and the gain and bias that undo them: its results in
    evaluation stay the same, and nearly the same in training.

    crops: (B, S, S, 3) uint8, as the network takes them; some dozens, like those of the training.
    """
    handles = [norm.register_forward_pre_hook(_settle) for _, norm in _norms(model)]
    trained = model.training
    try:
        model.eval()(crops)
    finally:
        model.train(trained)
        _remove(handles)


def _settle(norm: nn.Module, inputs: tuple[Tensor, ...]) -> None:
    assert isinstance(norm, _BatchNorm)
    assert norm.running_mean is not None
    assert norm.running_var is not None
    features = inputs[0].float()
    mean, variance = features.mean(dim=(0, 2, 3)), features.var(dim=(0, 2, 3), unbiased=False)
    gain = norm.weight / (norm.running_var + norm.eps).sqrt()
    norm.bias.add_(gain * (mean - norm.running_mean))
    norm.weight.copy_(gain * (variance + norm.eps).sqrt())
    norm.running_mean.copy_(mean)
    norm.running_var.copy_(variance)


def _norms(model: nn.Module) -> list[tuple[str, _BatchNorm]]:
    """Batch norms that directly follow a convolution in an nn.Sequential, and the names of those sequences."""
    names = []
    for name, child in model.named_modules():
        if isinstance(child, nn.Sequential) and len(child) == 2:
            conv, norm = child
            if isinstance(conv, nn.Conv2d) and isinstance(norm, _BatchNorm):
                names.append((name, norm))
    return names


def _remove(handles: list[RemovableHandle]) -> None:
    for handle in handles:
        handle.remove()
