"""A training of seconds, in float64: a STAR network of 8 channels on drawn maps. Also run as a program of its own.

python -m tests.train.tiny_training FOLDER [name=value …]    # fields of Job
"""

from __future__ import annotations

import os
import signal
import sys
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.utils.data import Dataset

from startrack.tracker.schemes import IBUG_68
from startrack.train.feed.dataset import ItemKey
from startrack.train.feed.star_batch import StarBatch
from startrack.train.loop.trainer import TrainingOptions, train
from startrack.train.losses.star_stacks import StackedStarLoss
from startrack.train.models.star_hourglass import CroppedStarHourglass
from startrack.train.recipes.recipe import Recipe
from startrack.train.recipes.star import milestones, official_adam, star_spec

EDGES = [(0, 1, 2), (2, 3)]
SIZE = 32


@dataclass(frozen=True)
class Job:
    """What the tests vary."""

    norms: bool = True
    accumulate: int = 1
    batch_size: int = 6
    resume: bool = False
    kill_at: int = -1
    """Step before which the process kills itself."""
    nan_at: int = -1
    """Step whose loss is no number, in the process that `nan_rank` says."""
    nan_rank: int = 0
    workers: int = 0


class DrawnFaces(Dataset[StarBatch]):
    """13 items that are functions of epoch and item."""

    def __len__(self) -> int:
        return 13

    def __getitem__(self, key: ItemKey) -> StarBatch:
        rng = np.random.default_rng(tuple(key))
        cells = SIZE // 4
        maps = [torch.from_numpy(rng.random((count, cells, cells), np.float32)) for count in (5, len(EDGES))]
        crop = torch.from_numpy(rng.integers(0, 256, (SIZE, SIZE, 3), np.uint8))
        landmarks = torch.from_numpy(rng.uniform(-0.8, 0.8, (5, 2)).astype(np.float32))
        return StarBatch(crop, landmarks, *maps, torch.tensor(float(rng.choice([0.25, 1.0]))))


def make_recipe(job: Job) -> Recipe:
    torch.manual_seed(0)
    model = CroppedStarHourglass(5, EDGES, stacks=2, channels=8, stem_channels=4, levels=1, input_size=SIZE).double()
    if not job.norms:
        for name, module in list(model.named_modules()):
            if isinstance(module, nn.BatchNorm2d):
                model.set_submodule(name, nn.Identity())
    return Recipe(
        name="tiny",
        spec=replace(star_spec("star-300w", IBUG_68, input_size=SIZE), num_landmarks=5),
        model=model,
        loss=StackedStarLoss(),
        train_data=DrawnFaces(),
        validate=lambda network, device: {"mean": float(next(network.parameters()).double().mean())},
        make_optimiser=official_adam,
        learning_rate=milestones,
        epochs=3,
        batch_size=job.batch_size,
        ema_decay=0.9,
        ema_warm_up=False,
        clip_gradient=None,
        bfloat16=False,
    )


def run(folder: Path, job: Job) -> Path:
    recipe = make_recipe(job)
    calls = 0

    def loss(output, batch):
        nonlocal calls
        step, calls = calls // job.accumulate, calls + 1
        if step == job.kill_at:
            os.kill(os.getpid(), signal.SIGKILL)
        terms = recipe.loss(output, batch)
        if step == job.nan_at and int(os.environ.get("RANK", 0)) == job.nan_rank:
            terms["star0"] = terms["star0"] * float("nan")
        return terms

    options = TrainingOptions(
        out=folder,
        workers=job.workers,
        resume=job.resume,
        accumulate=job.accumulate,
        checkpoint_minutes=0.0,
        validate_epochs=1,
    )
    return train(replace(recipe, loss=loss), options)


if __name__ == "__main__":
    torch.set_num_threads(1)
    values = dict(word.split("=") for word in sys.argv[2:])
    run(Path(sys.argv[1]), Job(**{name: type(getattr(Job(), name))(int(value)) for name, value in values.items()}))
