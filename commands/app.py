"""The command line: its commands, each in its file of commands/.

Exit codes: 0 done, 1 training failed or a plan is not as asked for, 2 wrong usage, 3 the source cannot be read, 4 a
model or a package cannot be loaded or run, 5 an output cannot be written, 6 the data set is not as published, 7 some
of several videos could not be tracked, 130 interrupted. Whatever the code, outputs are finished and hold every frame
until then.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator, MutableMapping, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Annotated, Any

import typer
from typer.core import TyperGroup
from typer.exceptions import TyperException

from startrack import __version__
from startrack.stopping import ending

EXIT_CODES = (__doc__ or "").split("\n\n")[-1]
NOTHING_NAMED = (
    "If no output is named, nothing is written: a recording is tracked and its speed printed, a camera or stream is "
    "shown in a window. With several videos an output is needed."
)
EXAMPLES = (
    "startrack track 0  # the first camera, in a window",
    "startrack track video.mp4 --save-video tracked.mp4 --csv landmarks.csv",
    "startrack track video.mp4 --parquet faces.parquet --fields points,pose --report faces.html",
    "startrack track videos/ --jsonl out/ --jobs 4  # every video of a folder",
    "startrack track 0 --show web --vmc localhost  # a page in the browser, and an avatar",
)
EPILOGS = {"track": "\n\n".join((NOTHING_NAMED, "\n".join(("Examples:", *EXAMPLES)), " ".join(EXIT_CODES.split())))}
"""Command → what its help ends with; an empty line parts two paragraphs."""
COMMANDS = {
    "track": "Follow every face and write its landmarks.",
    "demo": "Track a portrait in known motion and measure the error.",
    "bench": "Measure the milliseconds of each stage on a clip.",
    "bench-engine": "Compare the engines that run here, on the same crops.",
    "bench-stability": "Measure jitter and delay on faces set in motion.",
    "train": "Train a network; under torchrun, in several processes.",
    "recipes": "List the trainings, a line each.",
    "export": "Turn trained weights into a model file to track with.",
    "build-engine": "Build a TensorRT plan and measure it on this GPU.",
    "quantise": "Write a model of landmarks, faces or eyes in 8-bit integers.",
    "calibrate": "Make a model's ellipses hold their stated share.",
    "evaluate": "Measure a landmark model or a face detector, in per cent.",
    "eval-300vw": "Measure a landmark model on the videos of 300VW.",
    "make-300vw": "Make a small 300VW of still or rendered faces in motion.",
    "render": "Render faces with exact landmarks as a data set.",
    "fetch-models": "Fetch the model of MediaPipe's face detector.",
    "doctor": "Say what this machine has and lacks for tracking.",
    "pack": "Pack a data set's faces into one file to train from.",
    "import-weights": "Turn the STAR code's weights into ours.",
}
"""Command → the first sentence of its help, so that the list of commands needs none of their files."""
OPTIONS: dict[str, Any] = {
    "rich_markup_mode": None,
    "pretty_exceptions_enable": False,
    "context_settings": {"help_option_names": ["-h", "--help"]},
}


class _Files(MutableMapping[str, Any]):
    """Command → its parser, made when it is looked up from the function in the command's file."""

    def __getitem__(self, name: str) -> Any:
        if name not in COMMANDS:
            raise KeyError(name)
        function = name.replace("-", "_")
        # panels for one command; the list of commands and errors stay plain, which needs no import of rich
        single = typer.Typer(**OPTIONS | {"rich_markup_mode": "rich", "add_completion": False})
        command = getattr(importlib.import_module(f"startrack.commands.{function}"), function)
        single.command(name, epilog=EPILOGS.get(name))(command)
        return typer.main.get_command(single)

    def __iter__(self) -> Iterator[str]:
        return iter(COMMANDS)

    def __len__(self) -> int:
        return len(COMMANDS)

    def __contains__(self, name: object) -> bool:
        return name in COMMANDS

    def __setitem__(self, name: str, command: Any) -> None:
        raise TypeError(f"{name}: expected a line in COMMANDS")

    def __delitem__(self, name: str) -> None:
        raise TypeError(f"{name}: commands stay")


@contextmanager
def _written() -> Iterator[None]:
    """Help and version, where nobody reads the standard output any more, or its disk is full."""
    try:
        yield
    except OSError as error:
        _say(f"-: cannot be written: {error.strerror or error}")
        raise typer.Exit(5) from error
    except SystemExit as left:  # of rich, which draws the help of a command, where nobody reads it
        if left.code != 1:
            raise
        _say("-: cannot be written: Broken pipe")
        raise typer.Exit(5) from left


def _say(text: str) -> None:
    from startrack.commands.shared.errors import note

    note(text)


class _Commands(TyperGroup):
    """All commands; only the one that is run is imported."""

    def __init__(self, **attributes: Any) -> None:
        super().__init__(**attributes | {"commands": None})
        self.commands = _Files()

    def main(self, args: Sequence[str] | None = None, *more: Any, standalone_mode: bool = True, **extra: Any) -> Any:
        """Run the command line. Wrong usage is one line, which names the command whose --help shows the right one."""
        run = partial(super().main, standalone_mode=False)
        try:
            code = run(args, *more, **extra)
        except TyperException as error:
            if not standalone_mode:
                raise
            from startrack.commands.shared.usage import wrong_usage

            _say(wrong_usage(error))
            code = error.exit_code
        except KeyboardInterrupt as stop:
            word, code = ending(stop)
            _say(word)
        if standalone_mode:
            sys.exit(code)
        return code

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        if not args and not ctx.resilient_parsing:
            typer.echo(ctx.get_help(), err=True)
            ctx.exit(2)
        return super().parse_args(ctx, args)

    def make_context(self, *args: Any, **extra: Any) -> Any:
        with _written():
            return super().make_context(*args, **extra)

    def invoke(self, ctx: Any) -> Any:
        with _written():
            return super().invoke(ctx)

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


app = typer.Typer(name="startrack", cls=_Commands, epilog=EXIT_CODES, **OPTIONS)


def _version(requested: bool) -> None:
    if requested:
        typer.echo(f"startrack {__version__}")
        raise typer.Exit


@app.callback()
def startrack(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    """Real-time video face landmark tracker: every face, frame by frame, with an uncertainty for each point."""
