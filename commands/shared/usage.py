"""Wrong usage of a command → one line that names the value, the expected one, and where to read on."""

from __future__ import annotations

from typing import Any

from typer.exceptions import TyperException

from startrack.outside import one_line, shown

LONGEST = 500
"""Characters of what is wrong, so that what follows it is seen."""


def wrong_usage(error: TyperException) -> str:
    """What an error of the command line's parser says, in one line."""
    said = one_line(_with_value(error).strip(), longest=LONGEST)
    end = "" if said.endswith((".", "?", "!")) else "."
    context = getattr(error, "ctx", None)
    return f"{said}{end} See {context.command_path if context else 'startrack'} --help"


def _with_value(error: TyperException) -> str:
    """The message, with the value that did not fit: pydantic, which checks values, leaves numbers out."""
    said: str = error.format_message()
    problems: list[dict[str, Any]] = getattr(error.__cause__, "errors", list)()
    if not problems:
        return said
    value = shown(problems[0].get("input"))
    return said.replace("Value error, ", "", 1).replace("Input should be", f"{value}; expected", 1)
