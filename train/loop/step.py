"""One step of a training: a batch → gradients → the optimiser and the average."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from startrack.train.loop.distributed import ALONE, Ranks, mean_over_ranks
from startrack.train.recipes.recipe import Recipe
from startrack.train.weights.ema import WeightAverage


@dataclass
class TrainingState:
    """What changes during a training."""

    model: nn.Module
    average: WeightAverage
    optimiser: torch.optim.Optimizer
    step: int = 0
    terms: dict[str, float] = field(default_factory=dict)
    """Running means of the loss's terms and of the gradient's norm, for the log."""

    def to_dict(self) -> dict[str, Any]:
        """The inverse of load. No random generator is part of it: data are functions of (seed, epoch, item)."""
        return {
            "model": self.model.state_dict(),
            "average": self.average.model.state_dict(),
            "average_steps": self.average.steps,
            "optimiser": self.optimiser.state_dict(),
            "step": self.step,
            "terms": dict(self.terms),
        }

    def load(self, saved: dict[str, Any]) -> None:
        self.model.load_state_dict(saved["model"])
        self.average.model.load_state_dict(saved["average"])
        self.average.steps = saved["average_steps"]
        self.optimiser.load_state_dict(saved["optimiser"])
        self.step = saved["step"]
        self.terms = dict(saved["terms"])

    def note(self, name: str, value: float) -> None:
        """Move a running mean."""
        self.terms[name] = 0.98 * self.terms.get(name, value) + 0.02 * value


@dataclass(frozen=True, slots=True, eq=False)
class StepSettings:
    """How a step is computed; none of it changes the learning by more than rounding, but see accumulate."""

    network: nn.Module
    """The called module: the model, or the wrapper that shares its gradients with other processes."""
    bfloat16: bool = False
    accumulate: int = 1
    """Parts that a batch is worked through in, for less memory; each part is a batch of its own to batch norms."""
    ranks: Ranks = ALONE
    batch_size: int | None = None
    """Items of the whole batch, over all processes; None: those that the step is given."""


def train_step(recipe: Recipe, state: TrainingState, batch: Any, *, progress: float, settings: StepSettings) -> float:
    """One step of the optimiser and of the average; returns the loss over all processes.

    batch: this process' share. progress: share of the training done, 0..1. If the loss or a gradient is not finite, the
    result is not either, in every process, and nothing was changed.
    """
    state.model.train()
    state.optimiser.zero_grad(set_to_none=True)
    for group in state.optimiser.param_groups:
        group["lr"] = recipe.learning_rate(progress)
    names, terms_T = _backward(recipe, settings, batch)
    terms = mean_over_ranks(terms_T, settings.ranks).tolist()
    parameters = [value for value in state.model.parameters() if value.grad is not None]
    norm = torch.nn.utils.get_total_norm([value.grad for value in parameters if value.grad is not None])
    loss, size = float(sum(terms)), float(norm)
    if not (math.isfinite(loss) and math.isfinite(size)):
        return math.nan
    if recipe.clip_gradient is not None:
        torch.nn.utils.clip_grads_with_norm_(parameters, recipe.clip_gradient, norm)
    state.optimiser.step()
    state.average.update(state.model)
    for name, value in zip((*names, "gradient_norm"), (*terms, size), strict=True):
        state.note(f"train/{name}", value)
    return loss


def _backward(recipe: Recipe, settings: StepSettings, batch: Any) -> tuple[list[str], Tensor]:
    """Gradients of the whole batch's loss; returns its terms, scaled so that the processes' mean is the whole's."""
    whole = settings.batch_size or len(batch[0])
    total: Tensor | None = None
    names: list[str] = []
    for part, last in _parts(batch, settings.accumulate):
        # a loss is a mean over its faces; so parts of different size count by their faces
        share = len(part[0]) * settings.ranks.world_size / whole
        with _sharing(settings.network, last):
            with torch.autocast(part[0].device.type, dtype=torch.bfloat16, enabled=settings.bfloat16):
                output = settings.network(part[0])
            named = recipe.loss(output, part)
            terms_T = share * torch.stack(list(named.values()))
            terms_T.sum().backward()  # type: ignore[no-untyped-call]
        names = list(named)
        total = terms_T.detach() if total is None else total + terms_T.detach()
    assert total is not None
    return names, total


def _parts(batch: Any, accumulate: int) -> Iterator[tuple[Any, bool]]:
    """At most so many parts of a batch, and whether each is the last."""
    pieces = list(zip(*(value.chunk(accumulate) for value in batch), strict=True))
    for number, piece in enumerate(pieces, start=1):
        yield type(batch)(*piece), number == len(pieces)


def _sharing(network: nn.Module, last: bool) -> AbstractContextManager[None]:
    """Gradients are exchanged once a step: with its last part."""
    inner = getattr(network, "_orig_mod", network)  # under torch.compile
    if last or not hasattr(inner, "no_sync"):
        return nullcontext()
    pause: Callable[[], AbstractContextManager[None]] = inner.no_sync  # type: ignore[assignment]
    return pause()
