"""What the trainer needs: one recipe is a network, its loss, its data and its schedule, as real objects."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn
from torch.optim import Optimizer

from engines.base import ModelSpec
from train.data.dataset import FaceBatch, FaceDataset


@dataclass(frozen=True, slots=True, eq=False)
class Recipe:
    """A training that can be started."""

    name: str
    spec: ModelSpec
    """What the trained model file will say about itself."""
    model: nn.Module
    """(B, S, S, 3) uint8 crops → whatever the loss and the decoding take."""
    loss: Callable[[Any, FaceBatch], dict[str, Tensor]]
    """Output and batch → named terms; their sum is minimised."""
    deployed: Callable[[nn.Module], nn.Module]
    """Wraps the trained network as it will run: crops → points, covariance, score, presence."""
    train_data: FaceDataset
    validation_data: FaceDataset
    make_optimiser: Callable[[nn.Module], Optimizer]
    learning_rate: Callable[[float], float]
    """Progress of the whole training, 0..1 → learning rate."""
    epochs: int
    batch_size: int
    ema_decay: float
    clip_gradient: float = 5.0
    """Largest norm of the whole gradient."""
    bfloat16: bool = True
    """Run the network in bfloat16 where the hardware multiplies it faster; losses stay in float32."""
