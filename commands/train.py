"""train: a recipe on the one training loop."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from startrack.commands.shared.errors import fail, one_line_errors

if TYPE_CHECKING:
    from startrack.train.recipes.recipe import Recipe


@one_line_errors()
def train(
    recipe: Annotated[
        str,
        typer.Option(
            help="A name that startrack recipes lists, or a file of your own, NAME.py: a program, which runs."
        ),
    ],
    data: Annotated[Path, typer.Option(help="Folder of the data set, as published; STAR: or a pack of faces.")],
    out: Annotated[Path, typer.Option(help="Folder of weights, curves and checkpoints.")],
    dataset: Annotated[
        str | None, typer.Option(help="Your own landmarks: folder (.pts files), coco-points or a name of docs/data.md.")
    ] = None,
    flip_pairs: Annotated[
        Path | None, typer.Option(help="Your own landmarks: file of the pairs that a mirror exchanges.")
    ] = None,
    backgrounds: Annotated[Path | None, typer.Option(help="Photos with faces.json, for crops without a face.")] = None,
    validation: Annotated[Path | None, typer.Option(help="Pack of faces to watch by, if --data is a pack.")] = None,
    extra: Annotated[list[Path] | None, typer.Option(help="Further faces: folder or pack; repeatable.")] = None,
    extra_weight: Annotated[float | None, typer.Option(min=0, help="Of each of those in the loss; else 1.")] = None,
    teacher: Annotated[list[Path] | None, typer.Option(help="Weights or float model; repeatable.")] = None,
    teacher_flip: Annotated[bool | None, typer.Option("--teacher-flip", help="Ask it for mirrored crops too.")] = None,
    unlabelled: Annotated[
        list[Path] | None, typer.Option(help="Faces with rough .pts, for a teacher to label; repeatable.")
    ] = None,
    steady: Annotated[
        bool, typer.Option("--steady", help="Show each face twice, as two frames do: landmarks tremble less.")
    ] = False,
    iris_labels: Annotated[Path | None, typer.Option(help="Eyes: a peer's irises of the real faces.")] = None,
    split: Annotated[str | None, typer.Option(help="Faces to train on; trainval: the validation faces too.")] = None,
    epochs: Annotated[int | None, typer.Option(min=1, help="In place of the recipe's own number.")] = None,
    init: Annotated[Path | None, typer.Option(help="Weights or float model file to start from.")] = None,
    pretrained: Annotated[Path | None, typer.Option(help="HRNet: published weights (.pth) to start from.")] = None,
    seed: Annotated[int, typer.Option(help="Of weights, order and augmentation.")] = 0,
    workers: Annotated[int, typer.Option(min=0, help="Processes that prepare crops.")] = 1,
    device: Annotated[Literal["cpu", "cuda"], typer.Option(help="Hardware of the network.")] = "cpu",
    precision: Annotated[Literal["float32", "tf32", "bfloat16"] | None, typer.Option(help="Of products.")] = None,
    accumulate: Annotated[int, typer.Option(min=1, help="Parts of a batch, one after the other: less memory.")] = 1,
    channels_last: Annotated[bool, typer.Option(help="Keep channels together in memory.")] = True,
    compile: Annotated[bool, typer.Option("--compile", help="Compile the network with torch.compile.")] = False,
    validate_every: Annotated[int, typer.Option(min=1, help="Epochs from one validation to the next.")] = 5,
    resume: Annotated[bool, typer.Option("--resume", help="Go on from the last checkpoint in --out.")] = False,
) -> None:
    """Train a network; under torchrun, in several processes."""
    from startrack.train.loop.device import torch_device
    from startrack.train.loop.distributed import Ranks
    from startrack.train.loop.trainer import TrainingError, TrainingOptions
    from startrack.train.loop.trainer import train as run
    from startrack.train.recipes.from_file import RecipeError
    from startrack.train.sets import DATASETS

    make = _recipe(recipe)
    if dataset is not None and dataset not in DATASETS:
        raise typer.BadParameter(f"{dataset!r}; expected one of {', '.join(DATASETS)}", param_hint="--dataset")
    own = {
        "dataset": dataset,
        "flip_pairs": flip_pairs,
        "backgrounds": backgrounds,
        "validation": validation,
        "extra": extra or None,
        "extra_weight": extra_weight,
        "teacher": teacher or None,
        "teacher_flip": teacher_flip,
        "unlabelled": unlabelled or None,
        "iris_labels": iris_labels,
        "pretrained": pretrained,
        "split": split,
        "epochs": epochs,
    }
    of_recipe = _taken(make, recipe, own)
    options = TrainingOptions(
        out=out,
        device=torch_device(device),
        workers=workers,
        seed=seed,
        resume=resume,
        init=init,
        precision=precision,
        accumulate=accumulate,
        channels_last=channels_last,
        compile=compile,
        validate_epochs=validate_every,
    )
    if "seed" in inspect.signature(make).parameters:
        of_recipe["seed"] = seed
    try:
        made = make(data, **of_recipe)
        weights = run(_seen_twice(made, seed) if steady else made, options)
    except RecipeError as error:
        raise typer.BadParameter(str(error), param_hint="--recipe") from error
    except TrainingError as error:
        fail(error, 1)
    if Ranks.from_environment().first:
        typer.echo(f"weights: {weights}")


def _seen_twice(recipe: Recipe, seed: int) -> Recipe:
    from startrack.train.recipes.compact import steady

    try:
        return steady(recipe, seed)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--steady") from error


def _recipe(name: str) -> Callable[..., Any]:
    """The function of a name or of a file."""
    from startrack.train.recipes import RECIPES
    from startrack.train.recipes.from_file import RecipeError, load_recipe

    if name in RECIPES:
        return RECIPES[name]
    if not name.endswith(".py"):
        raise typer.BadParameter(f"{name!r}; expected one of {', '.join(RECIPES)}, or NAME.py", param_hint="--recipe")
    try:
        return load_recipe(Path(name))
    except RecipeError as error:
        raise typer.BadParameter(str(error), param_hint="--recipe") from error


def _taken(make: Callable[..., object], recipe: str, given: dict[str, Any]) -> dict[str, Any]:
    """The options that were given; each must be one of the recipe's own, and none that it needs may be missing."""
    chosen = {name: value for name, value in given.items() if value is not None}
    parameters = inspect.signature(make).parameters
    for name in given:
        option = f"--{name.replace('_', '-')}"
        if name in chosen and name not in parameters:
            raise typer.BadParameter(f"the recipe {recipe} has none", param_hint=option)
        if name in parameters and parameters[name].default is inspect.Parameter.empty and name not in chosen:
            raise typer.BadParameter(f"missing; the recipe {recipe} needs it", param_hint=option)
    return chosen
