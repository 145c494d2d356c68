"""The one training loop: a recipe in, a trained network, its curves and its checkpoints out."""

from __future__ import annotations

import math
import os
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
from startrack.outside import reason
from startrack.stopping import unbroken
from startrack.tracker.sinks.base import SinkError
from startrack.train.feed.dataset import ItemKey
from startrack.train.feed.schedule import TrainingSchedule
from startrack.train.loop.device import Precision, multiplies_bfloat16, set_float32_products
from startrack.train.loop.distributed import Ranks, from_first, joined, share_gradients, synchronise_norms
from startrack.train.loop.journal import Journal
from startrack.train.loop.step import StepSettings, TrainingState, train_step
from startrack.train.recipes.recipe import Recipe
from startrack.train.weights.checkpoint import load_training, save_training, save_weights
from startrack.train.weights.ema import WeightAverage
from startrack.train.weights.initialise import initialise

STATE, WEIGHTS = "training.pt", "weights.safetensors"
"""Files of a training in its folder."""
MOST_WORKERS = 4 * (os.cpu_count() or 1)
"""Processes that prepare crops: a number too large would take all memory before the first step."""
SETTLING_ITEMS = 64
"""Items that batch norms are settled on when a training begins with an exported model."""


class TrainingError(StartrackError):
    """A training cannot go on; the message names the step and where the offending batch was saved."""


@dataclass(frozen=True, slots=True)
class TrainingOptions:
    """How to run a recipe on this machine; none of it changes the learning except `seed` and `init`."""

    out: Path
    device: str = "cpu"
    workers: int = 1
    seed: int = 0
    resume: bool = False
    init: Path | None = None
    """Trained weights to start from (train/weights/initialise.py)."""
    precision: Precision | None = None
    """None: bfloat16 where the recipe allows it and the hardware multiplies it, else float32."""
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

    With options.resume it goes on from options.out, or starts where nothing is there yet, so that one command can be
    given again and again. Ctrl-C and the signals of startrack.stopping come between two steps, and are saved.

    Writes into options.out: weights.safetensors (the average, at every validation), training.pt (to resume from),
    log.jsonl and TensorBoard curves. Raises TrainingError when the loss is no longer finite, and when there are more
    processes than faces in a batch; SinkError when options.out holds another training; EngineError when a file to start
    from is damaged or of another network.
    """
    options.out.mkdir(parents=True, exist_ok=True)
    held = [name for name in (STATE, WEIGHTS) if (options.out / name).exists()]
    if held and not options.resume and Ranks.from_environment().first:
        raise SinkError(f"{options.out}: holds a training ({', '.join(held)}); expected another folder, or --resume")
    with joined(options.device) as (ranks, device):
        return _Training(recipe, options, ranks, device).run()


class _Training:
    """A recipe on this machine: what stays the same over the steps."""

    def __init__(self, recipe: Recipe, options: TrainingOptions, ranks: Ranks, device: str) -> None:
        self.recipe, self.options, self.ranks, self.device = recipe, options, ranks, device
        self.weights = options.out / WEIGHTS
        # one process serves both cores' arithmetic; pictures are warped in the workers
        cv2.setNumThreads(0)
        bfloat16 = recipe.bfloat16 and multiplies_bfloat16(device)
        precision = options.precision or ("bfloat16" if bfloat16 else "float32")
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
        saved = self._saved() if options.resume else None
        model = synchronise_norms(recipe.model, self.ranks, self.device)
        order = torch.channels_last if options.channels_last else torch.contiguous_format
        model = model.to(self.device, memory_format=order)  # type: ignore[call-overload]
        if options.init is not None and saved is None:
            renewed = initialise(model, options.init, self._some_crops())
            if renewed and self.ranks.first:
                print(f"{options.init}: not in it or of another size, begun anew: {', '.join(renewed)}", flush=True)
        average = WeightAverage(model, recipe.ema_decay, warm_up=recipe.ema_warm_up)
        state = TrainingState(model, average, recipe.make_optimiser(model))
        if saved is not None:
            self._restore(state, saved)
        return state

    def _restore(self, state: TrainingState, saved: dict[str, Any]) -> None:
        """Go on from a saved training, and name the step and later changes. Raises EngineError."""
        path = self.options.out / STATE
        before, now = saved.get("training", {}), self._facts()
        if before.get("recipe", now["recipe"]) != now["recipe"]:
            raise EngineError(f"{path}: a training of {before['recipe']}; expected one of {now['recipe']}")
        try:
            state.load(saved)
        except (KeyError, RuntimeError, ValueError, TypeError, AttributeError) as error:
            raise EngineError(f"{path}: not a training of this recipe: {reason(error)}") from error
        if self.ranks.first:
            changed = [
                f"{name} {before[name]} → {now[name]}" for name in now if before.get(name, now[name]) != now[name]
            ]
            since = f"; changed since: {', '.join(changed)}" if changed else ""
            print(f"{path}: going on after step {state.step}{since}", flush=True)

    def _facts(self) -> dict[str, Any]:
        """The values that a resumed training is compared by."""
        items = len(self.recipe.train_data)  # type: ignore[arg-type]
        return {
            "recipe": self.recipe.name,
            "epochs": self.recipe.epochs,
            "batch_size": self.recipe.batch_size,
            "items": items,
            "seed": self.options.seed,
        }

    def _some_crops(self) -> Tensor:
        """The network's input: of the first items of the training."""
        items = range(min(SETTLING_ITEMS, len(self.recipe.train_data)))  # type: ignore[arg-type]
        batch = default_collate([self.recipe.train_data[ItemKey(0, item)] for item in items])
        batch = type(batch)(*(value.to(self.device) for value in batch))
        prepared = batch if self.recipe.prepare is None else self.recipe.prepare(batch, self.device)
        return prepared[0]  # type: ignore[no-any-return]

    def _saved(self) -> dict[str, Any] | None:
        """The state to resume from, None if there is none yet; only the first process needs it on its disk."""
        saved: dict[str, Any] | EngineError | None = None
        path = self.options.out / STATE
        if self.ranks.first and path.exists():
            try:
                saved = load_training(path)
            except EngineError as error:
                saved = error
        shared: Any = from_first(saved, self.ranks)
        if isinstance(shared, EngineError):
            raise shared
        assert shared is None or isinstance(shared, dict)
        return shared

    def run(self) -> Path:
        """All steps that are left; returns the path of the averaged weights."""
        if not self.ranks.first:
            for _ in self._steps():
                pass
            return self.weights
        # one process validates and writes; the others wait for it in the next step
        total, size = self.schedule.total_steps, self.schedule.batch_size
        with Journal(
            self.options.out, self.recipe.name, total=total, done=self.state.step, faces_per_step=size
        ) as journal:
            saved_at = time.monotonic()
            try:
                for loss in self._steps():
                    journal.advance(loss)
                    self._validate(journal)
                    if time.monotonic() - saved_at > 60 * self.options.checkpoint_minutes:
                        self._save_state()
                        saved_at = time.monotonic()
            except KeyboardInterrupt:
                with unbroken():
                    self._save_state()
                journal.note(f"saved after step {self.state.step}; go on with --resume")
                raise
        self._save_state()
        save_weights(self.weights, self.state.average.model, self.recipe.spec)
        return self.weights

    def _steps(self) -> Iterator[float]:
        """One step after the other; yields the loss of each."""
        for batch in self._batches():
            progress = self.state.step / self.schedule.total_steps
            with unbroken():
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
            num_workers=min(self.options.workers, MOST_WORKERS),
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
        save_training(self.options.out / STATE, {**self.state.to_dict(), "training": self._facts()})

    def _not_finite(self, batch: Any) -> TrainingError:
        step, rank = self.state.step, self.ranks.rank
        path = self.options.out / (f"not_finite_step{step}" + (f"_rank{rank}" if rank else "") + ".pt")
        save_training(path, {"model": self.state.model.state_dict(), "batch": dict(batch._asdict())})
        return TrainingError(f"step {step}: the loss is not finite; weights and batch saved to {path}")


def _init_worker(_: int) -> None:
    cv2.setNumThreads(0)
