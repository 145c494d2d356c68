"""A recipe of a user's own: a Python file with one function that returns a Recipe."""

from __future__ import annotations

import functools
import importlib.util
import inspect
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

from startrack.errors import StartrackError
from startrack.train.recipes.recipe import Recipe

FUNCTION = "recipe"
"""Its name, unless the file defines a single function whose annotated result is Recipe."""
MODULE = "startrack_recipe_file"
"""Name that the file is imported by: workers of the data loader find the file's classes by it."""


class RecipeError(StartrackError):
    """A file holds no recipe; the message names it."""


def load_recipe(path: Path) -> Callable[..., Recipe]:
    """The recipe function of a Python file. [TRAP] The file is a program: it runs, with all rights of the caller.

    Raises RecipeError if the file is missing, cannot be run, or defines no recipe.
    """
    if not path.is_file():
        raise RecipeError(
            f"{path}: no such recipe file; expected a Python file, or a name that startrack recipes lists"
        )
    spec = importlib.util.spec_from_file_location(MODULE, path)
    if spec is None or spec.loader is None:
        raise RecipeError(f"{path}: not a Python file; expected a name ending in .py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[MODULE] = module
    try:
        spec.loader.exec_module(module)
    except Exception as error:  # whatever a user's program may raise
        raise RecipeError(f"{path}{_line(path, error)}: {type(error).__name__}: {error}") from error
    function = _recipe_function(path, module)

    @functools.wraps(function)
    def checked(*values: Any, **options: Any) -> Recipe:
        made = function(*values, **options)
        if not isinstance(made, Recipe):
            raise RecipeError(f"{path}: {function.__name__} returned {type(made).__name__}; expected a Recipe")
        return made

    return checked


def _line(path: Path, error: Exception) -> str:
    """:N, the last line of the file that the error passed through."""
    if isinstance(error, SyntaxError) and error.lineno:
        return f":{error.lineno}"
    lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if Path(frame.filename) == path]
    return f":{lines[-1]}" if lines else ""


def _recipe_function(path: Path, module: ModuleType) -> Callable[..., Recipe]:
    own = {
        name: value
        for name, value in vars(module).items()
        if inspect.isfunction(value) and value.__module__ == MODULE and not name.startswith("_")
    }
    named = own.get(FUNCTION)
    stated = [value for value in own.values() if value.__annotations__.get("return") in ("Recipe", Recipe)]
    if named is not None:
        return named
    if len(stated) != 1:
        raise RecipeError(
            f"{path}: {len(stated)} functions that return a Recipe; expected one, or one of the name {FUNCTION!r}"
        )
    return stated[0]
