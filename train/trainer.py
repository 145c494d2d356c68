"""The one training loop: a recipe in, a trained network, its curves and its checkpoints out."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

import cv2
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset
from torch.utils.tensorboard import SummaryWriter

from train.checkpoint import load_training, save_training, save_weights
from train.data.schedule import TrainingSchedule
from train.ema import WeightAverage
from train.progress import Progress
from train.recipes.recipe import Recipe


class TrainingError(Exception):
    """A training cannot go on; the message names the step and where the offending batch was saved."""


@dataclass(frozen=True, slots=True)
class TrainingOptions:
    """How to run a recipe on this machine; none of it changes what is learned but `seed`."""

    out: Path
    device: str = "cpu"
    workers: int = 1
    seed: int = 0
    resume: bool = False
    checkpoint_minutes: float = 3.0
    validate_epochs: int = 5


@dataclass
class _State:
    """What changes during a training."""

    model: nn.Module
    average: WeightAverage
    optimiser: torch.optim.Optimizer
    step: int = 0
    terms: dict[str, float] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        return {
            "model": self.model.state_dict(),
            "average": self.average.model.state_dict(),
            "average_steps": self.average.steps,
            "optimiser": self.optimiser.state_dict(),
            "step": self.step,
        }

    def load(self, saved: dict[str, Any]) -> None:
        self.model.load_state_dict(saved["model"])
        self.average.model.load_state_dict(saved["average"])
        self.average.steps = saved["average_steps"]
        self.optimiser.load_state_dict(saved["optimiser"])
        self.step = saved["step"]


def train(recipe: Recipe, options: TrainingOptions) -> Path:
    """Run a recipe to its end; returns the path of the averaged weights (.safetensors).

    Writes into options.out: weights.safetensors (the average, at every validation), training.pt (to resume from),
    log.jsonl and TensorBoard curves. Raises TrainingError when the loss is no longer finite.
    """
    options.out.mkdir(parents=True, exist_ok=True)
    state = _start(recipe, options)
    schedule = TrainingSchedule(
        len(recipe.train_data),  # type: ignore[arg-type]
        batch_size=recipe.batch_size,
        epochs=recipe.epochs,
        seed=options.seed,
        first_step=state.step,
    )
    log_mode = "a" if options.resume else "w"
    with (
        SummaryWriter(str(options.out)) as board,
        open(options.out / "log.jsonl", log_mode, encoding="utf-8") as log,
        Progress(recipe.name, total=schedule.total_steps, done=state.step) as progress,
    ):
        _loop(recipe, options, state, schedule, _Journal(board, log), progress)
    weights = options.out / "weights.safetensors"
    save_weights(weights, state.average.model, recipe.spec)
    return weights


def _start(recipe: Recipe, options: TrainingOptions) -> _State:
    # one process serves both cores' arithmetic; pictures are warped in the workers
    cv2.setNumThreads(0)
    model = recipe.model.to(options.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    state = _State(model, WeightAverage(model, recipe.ema_decay), recipe.make_optimiser(model))
    if options.resume:
        state.load(load_training(options.out / "training.pt"))
    return state


@dataclass(frozen=True, slots=True)
class _Journal:
    """The curves: one line of JSON and TensorBoard scalars for each validation."""

    board: SummaryWriter
    log: IO[str]

    def write(self, step: int, values: dict[str, float]) -> None:
        self.log.write(json.dumps({"step": step, **{name: round(value, 6) for name, value in values.items()}}) + "\n")
        self.log.flush()
        for name, value in values.items():
            self.board.add_scalar(name, value, step)


def _loop(
    recipe: Recipe,
    options: TrainingOptions,
    state: _State,
    schedule: TrainingSchedule,
    journal: _Journal,
    progress: Progress,
) -> None:
    saved_at = time.monotonic()
    for batch in _batches(recipe.train_data, schedule, options):
        loss = train_step(recipe, state, batch, progress=state.step / schedule.total_steps)
        if not math.isfinite(loss):
            raise _not_finite(options, state, batch)
        state.step += 1
        progress.advance(f"loss {loss:.3f}")
        epoch, rest = divmod(state.step, schedule.steps_per_epoch)
        if rest == 0 and (epoch % options.validate_epochs == 0 or state.step == schedule.total_steps):
            with torch.inference_mode():
                figures = recipe.validate(state.average.model, options.device)
            rate = state.optimiser.param_groups[0]["lr"]
            journal.write(state.step, {"epoch": epoch, **figures, "learning_rate": rate, **state.terms})
            save_weights(options.out / "weights.safetensors", state.average.model, recipe.spec)
            name, figure = next(iter(figures.items()))
            progress.note(f"epoch {epoch}: {name} {figure:.3f}")
        if time.monotonic() - saved_at > 60 * options.checkpoint_minutes:
            save_training(options.out / "training.pt", state.to_dict())
            saved_at = time.monotonic()
    save_training(options.out / "training.pt", state.to_dict())


def _batches(dataset: Dataset[Any], schedule: TrainingSchedule, options: TrainingOptions) -> Iterator[Any]:
    # one stream for the whole training: workers are started once and never wait at an epoch's end
    loader: DataLoader[Any] = DataLoader(
        dataset,
        batch_sampler=schedule,
        num_workers=options.workers,
        prefetch_factor=4 if options.workers else None,
        pin_memory=options.device.startswith("cuda"),
        worker_init_fn=_init_worker,
    )
    for batch in loader:
        yield type(batch)(*(value.to(options.device, non_blocking=True) for value in batch))


def _init_worker(_: int) -> None:
    cv2.setNumThreads(0)


def train_step(recipe: Recipe, state: _State, batch: Any, *, progress: float) -> float:
    """One step of the optimiser and of the average; returns the loss. progress: share of the training done, 0..1."""
    state.model.train()
    for group in state.optimiser.param_groups:
        group["lr"] = recipe.learning_rate(progress)
    inputs: Tensor = batch[0]
    with torch.autocast(inputs.device.type, dtype=torch.bfloat16, enabled=recipe.bfloat16):
        output = state.model(inputs)
    terms: dict[str, Tensor] = recipe.loss(output, batch)
    loss = torch.stack(list(terms.values())).sum()
    value = float(loss.detach())
    if not math.isfinite(value):
        return value
    state.optimiser.zero_grad(set_to_none=True)
    loss.backward()  # type: ignore[no-untyped-call]
    torch.nn.utils.clip_grad_norm_(state.model.parameters(), recipe.clip_gradient)
    state.optimiser.step()
    state.average.update(state.model)
    for name, term in terms.items():
        before = state.terms.get(f"train/{name}", float(term.detach()))
        state.terms[f"train/{name}"] = 0.98 * before + 0.02 * float(term.detach())
    return value


def _not_finite(options: TrainingOptions, state: _State, batch: Any) -> TrainingError:
    path = options.out / f"not_finite_step{state.step}.pt"
    save_training(path, {"model": state.model.state_dict(), "batch": dict(batch._asdict())})
    return TrainingError(f"step {state.step}: the loss is not finite; weights and batch saved to {path}")
