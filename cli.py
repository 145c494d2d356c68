"""The command line: its commands, each in its file of commands/.

Exit codes: 0 done, 1 training failed or a plan is not as asked for, 2 wrong usage, 3 the source cannot be read, 4 a
model or a package cannot be loaded or run, 5 an output cannot be written, 6 the data set is not as published, 7 some
of several videos could not be tracked, 130 interrupted. Whatever the code, outputs are finished and hold every frame
until then.
"""

from __future__ import annotations

import typer

from commands.bench import bench
from commands.bench_engine import bench_engine
from commands.bench_stability import bench_stability
from commands.build_engine import build_engine
from commands.calibrate import calibrate
from commands.demo import demo
from commands.doctor import doctor
from commands.eval_300vw import eval_300vw
from commands.evaluate import evaluate
from commands.export import export
from commands.fetch_models import fetch_models
from commands.import_weights import import_weights
from commands.make_300vw import make_300vw
from commands.pack import pack
from commands.quantise import quantise
from commands.track import track
from commands.train import train

EXIT_CODES = (__doc__ or "").split("\n\n")[-1]

app = typer.Typer(
    name="startrack",
    epilog=EXIT_CODES,
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)


@app.callback()
def startrack() -> None:
    """Real-time video face landmark tracker: every face, frame by frame, with an uncertainty for each point."""


app.command(epilog=EXIT_CODES)(track)
for command in (
    demo,
    bench,
    bench_engine,
    bench_stability,
    train,
    export,
    build_engine,
    quantise,
    calibrate,
    evaluate,
    eval_300vw,
    make_300vw,
    fetch_models,
    doctor,
    pack,
    import_weights,
):
    app.command()(command)

if __name__ == "__main__":
    app()
