"""The one training loop: a recipe in, a trained network, its curves and its checkpoints out."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import torch
from torch import Tensor
from torch.utils.data import DataLoader, default_collate

from startrack.engines.base import EngineError
from startrack.errors import StartrackError
from startrack.train.feed.dataset import ItemKey
from startrack.train.feed.schedule import TrainingSchedule
from startrack.train.loop.device import Precision, set_float32_products
from startrack.train.loop.distributed import Ranks, from_first, joined, share_gradients, synchronise_norms
from startrack.train.loop.journal import Journal
from startrack.train.loop.step import StepSettings, TrainingState, train_step
from startrack.train.recipes.recipe import Recipe
from startrack.train.weights.checkpoint import load_training, save_training, save_weights
from startrack.train.weights.ema import WeightAverage
from startrack.train.weights.initialise import initialise

SETTLING_ITEMS = 64
"""Items that batch norms are settled on when a training begins with an exported model."""


class TrainingError(StartrackError):
    """A training cannot go on; the message names the step and where the offending batch was saved."""


@dataclass(frozen=True, slots=True)
class TrainingOptions:
    """How to run a recipe on this machine; none of it changes what is learned but `seed` and `init`."""

    out: Path
    device: str = "cpu"
    workers: int = 1
    seed: int = 0
    resume: bool = False
    init: Path | None = None
    """Trained weights to start from (train/weights/initialise.py)."""
    precision: Precision | None = None
    """None: the recipe's own."""
    accumulate: int = 1
    """Parts that each batch is worked through in, for less memory; batch norms then see the parts."""
    channels_last: bool = True
    """Order of the network's arrays in memory."""
    compile: bool = False
    """Let torch.compile make one program of the network: minutes at the start, faster steps on a GPU."""
    checkpoint_minutes: float = 3.0
    validate_epochs: int = 5


def train(recipe: Recipe, options: TrainingOptions) -> Path:
    """Run a recipe to its end; returns the path of the averaged weights (.safetensors).

    Started by torchrun, several processes share each batch, and the result is that of one (train/loop/distributed.py).

    Writes into options.out: weights.safetensors (the average, at every validation), training.pt (to resume from),
    log.jsonl and TensorBoard curves. Raises TrainingError when the loss is no longer finite, and when there are more
    processes than faces in a batch; EngineError when a file to start from is damaged or of another network.
    """
    options.out.mkdir(parents=True, exist_ok=True)
    with joined(options.device) as (ranks, device):
        return _Training(recipe, options, ranks, device).run()


class _Training:
    """A recipe on this machine: what stays the same over the steps."""

    def __init__(self, recipe: Recipe, options: TrainingOptions, ranks: Ranks, device: str) -> None:
        self.recipe, self.options, self.ranks, self.device = recipe, options, ranks, device
        self.weights = options.out / "weights.safetensors"
        # one process serves both cores' arithmetic; pictures are warped in the workers
        cv2.setNumThreads(0)
        precision = options.precision or ("bfloat16" if recipe.bfloat16 else "float32")
        set_float32_products(precision)
        self.state = self._start()
        self.schedule = TrainingSchedule(
            len(recipe.train_data),  # type: ignore[arg-type]
            batch_size=recipe.batch_size,
            epochs=recipe.epochs,
            seed=options.seed,
            first_step=self.state.step,
            share=(ranks.rank, ranks.world_size),
        )
        if self.schedule.batch_size < ranks.world_size:
            raise TrainingError(f"batches of {self.schedule.batch_size} for {ranks.world_size} processes")
        network = share_gradients(self.state.model, ranks)
        self.settings = StepSettings(
            torch.compile(network) if options.compile else network,  # type: ignore[arg-type]
            bfloat16=precision == "bfloat16",
            accumulate=options.accumulate,
            ranks=ranks,
            batch_size=self.schedule.batch_size,
        )

    def _start(self) -> TrainingState:
        recipe, options = self.recipe, self.options
        model = synchronise_norms(recipe.model, self.ranks, self.device)
        order = torch.channels_last if options.channels_last else torch.contiguous_format
        model = model.to(self.device, memory_format=order)  # type: ignore[call-overload]
        if options.init is not None and not options.resume:
            renewed = initialise(model, options.init, self._some_crops())
            if renewed and self.ranks.first:
                print(f"{options.init}: not in it or of another size, begun anew: {', '.join(renewed)}", flush=True)
        average = WeightAverage(model, recipe.ema_decay, warm_up=recipe.ema_warm_up)
        state = TrainingState(model, average, recipe.make_optimiser(model))
        if options.resume:
            state.load(self._saved())
        return state

    def _some_crops(self) -> Tensor:
        """What the network takes: of the first items of the training."""
        items = range(min(SETTLING_ITEMS, len(self.recipe.train_data)))  # type: ignore[arg-type]
        batch = default_collate([self.recipe.train_data[ItemKey(0, item)] for item in items])
        batch = type(batch)(*(value.to(self.device) for value in batch))
        prepared = batch if self.recipe.prepare is None else self.recipe.prepare(batch, self.device)
        return prepared[0]  # type: ignore[no-any-return]

    def _saved(self) -> dict[str, Any]:
        """The state to resume from; only the first process needs to have it on its disk."""
        saved: dict[str, Any] | EngineError | None = None
        if self.ranks.first:
            try:
                saved = load_training(self.options.out / "training.pt")
            except EngineError as error:
                saved = error
        saved = from_first(saved, self.ranks)
        if isinstance(saved, EngineError):
            raise saved
        assert saved is not None
        return saved

    def run(self) -> Path:
        """All steps that are left; returns the path of the averaged weights."""
        if not self.ranks.first:
            for _ in self._steps():
                pass
            return self.weights
        # one process validates and writes; the others wait for it in the next step
        with Journal(
            self.options.out, self.recipe.name, total=self.schedule.total_steps, done=self.state.step
        ) as journal:
            saved_at = time.monotonic()
            for loss in self._steps():
                journal.advance(loss)
                self._validate(journal)
                if time.monotonic() - saved_at > 60 * self.options.checkpoint_minutes:
                    self._save_state()
                    saved_at = time.monotonic()
        self._save_state()
        save_weights(self.weights, self.state.average.model, self.recipe.spec)
        return self.weights

    def _steps(self) -> Iterator[float]:
        """One step after the other; yields the loss of each."""
        for batch in self._batches():
            progress = self.state.step / self.schedule.total_steps
            loss = train_step(self.recipe, self.state, batch, progress=progress, settings=self.settings)
            if not math.isfinite(loss):
                raise self._not_finite(batch)
            self.state.step += 1
            yield loss

    def _batches(self) -> Iterator[Any]:
        # one stream for the whole training: workers are started once and never wait at an epoch's end
        loader: DataLoader[Any] = DataLoader(
            self.recipe.train_data,
            batch_sampler=self.schedule,
            num_workers=self.options.workers,
            prefetch_factor=4 if self.options.workers else None,
            pin_memory=self.device.startswith("cuda"),
            worker_init_fn=_init_worker,
        )
        for loaded in loader:
            batch = type(loaded)(*(value.to(self.device, non_blocking=True) for value in loaded))
            yield batch if self.recipe.prepare is None else self.recipe.prepare(batch, self.device)

    def _validate(self, journal: Journal) -> None:
        """At the end of every few epochs: figures of the average into the log, and its weights."""
        state, schedule = self.state, self.schedule
        epoch, rest = divmod(state.step, schedule.steps_per_epoch)
        if rest or (epoch % self.options.validate_epochs and state.step < schedule.total_steps):
            return
        with torch.inference_mode():
            figures = self.recipe.validate(state.average.model, self.device)
        rate = state.optimiser.param_groups[0]["lr"]
        journal.write(state.step, {"epoch": epoch, **figures, "learning_rate": rate, **state.terms})
        save_weights(self.weights, state.average.model, self.recipe.spec)
        name, figure = next(iter(figures.items()))
        journal.note(f"epoch {epoch}: {name} {figure:.3f}")

    def _save_state(self) -> None:
        save_training(self.options.out / "training.pt", self.state.to_dict())

    def _not_finite(self, batch: Any) -> TrainingError:
        step, rank = self.state.step, self.ranks.rank
        path = self.options.out / (f"not_finite_step{step}" + (f"_rank{rank}" if rank else "") + ".pt")
        save_training(path, {"model": self.state.model.state_dict(), "batch": dict(batch._asdict())})
        return TrainingError(f"step {step}: the loss is not finite; weights and batch saved to {path}")


def _init_worker(_: int) -> None:
    cv2.setNumThreads(0)
