"""The input of the trainer: one recipe is a network, its loss, its data and its schedule, as real objects."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn
from torch.optim import Optimizer
from torch.utils.data import Dataset

from startrack.engines.base import AnySpec


@dataclass(frozen=True, slots=True, eq=False)
class Recipe:
    """A training that can be started."""

    name: str
    spec: AnySpec
    """The specification of the trained model file."""
    model: nn.Module
    """First field of a batch → whatever the loss takes."""
    loss: Callable[[Any, Any], dict[str, Tensor]]
    """Output and batch → named terms; their sum is minimised. Each is a mean over the batch's items, so that a batch
    may be worked through in parts: those of several processes, or one after the other."""
    train_data: Dataset[Any]
    """ItemKey → one item: a NamedTuple of tensors, the network's input first. Has a length."""
    validate: Callable[[nn.Module, str], dict[str, float]]
    """Network in evaluation mode and its device → named figures on the validation data; the first one is shown."""
    make_optimiser: Callable[[nn.Module], Optimizer]
    learning_rate: Callable[[float], float]
    """Progress of the whole training, 0..1 → learning rate."""
    epochs: int
    batch_size: int
    ema_decay: float
    ema_warm_up: bool = True
    """Whether the average's decay rises over the first steps (train/weights/ema.py)."""
    clip_gradient: float | None = 5.0
    """Largest norm of the whole gradient; None: as it is."""
    bfloat16: bool = True
    """Run the network in bfloat16 where the hardware multiplies it faster; losses stay in float32."""
    prepare: Callable[[Any, str], Any] | None = None
    """What train_data gives, already on the device, and the device → the batch that model and loss take, a NamedTuple
    whose first field is the network's input. None if train_data gives that itself."""
