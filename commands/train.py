"""train: a recipe on the one training loop."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from commands.errors import fail, one_line_errors


@one_line_errors()
def train(
    recipe: Annotated[str, typer.Option(help="Name of the recipe, see train/recipes.")],
    data: Annotated[Path, typer.Option(help="Folder of the data set, as published.")],
    out: Annotated[Path, typer.Option(help="Folder of weights, curves and checkpoints.")],
    backgrounds: Annotated[Path | None, typer.Option(help="Photos with faces.json, for crops without a face.")] = None,
    epochs: Annotated[int | None, typer.Option(min=1, help="In place of the recipe's own number.")] = None,
    seed: Annotated[int, typer.Option(help="Of weights, order and augmentation.")] = 0,
    workers: Annotated[int, typer.Option(min=0, help="Processes that prepare crops.")] = 1,
    device: Annotated[Literal["cpu", "cuda"], typer.Option(help="Hardware of the network.")] = "cpu",
    resume: Annotated[bool, typer.Option("--resume", help="Go on from the last checkpoint in --out.")] = False,
) -> None:
    """Train a landmark network."""
    from train.device import torch_device
    from train.recipes import RECIPES
    from train.trainer import TrainingError, TrainingOptions
    from train.trainer import train as run

    if recipe not in RECIPES:
        raise typer.BadParameter(f"{recipe!r}; expected one of {', '.join(RECIPES)}", param_hint="--recipe")
    chosen = RECIPES[recipe](data, backgrounds=backgrounds, seed=seed, **({"epochs": epochs} if epochs else {}))
    options = TrainingOptions(out=out, device=torch_device(device), workers=workers, seed=seed, resume=resume)
    try:
        typer.echo(f"weights: {run(chosen, options)}")
    except TrainingError as error:
        fail(error, 1)
