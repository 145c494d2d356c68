"""The command line: its commands, each in its file of commands/.

Exit codes: 0 done, 1 training failed or a plan is not as asked for, 2 wrong usage, 3 the source cannot be read, 4 a
model or a package cannot be loaded or run, 5 an output cannot be written, 6 the data set is not as published, 7 some
of several videos could not be tracked, 130 interrupted. Whatever the code, outputs are finished and hold every frame
until then.
"""

from __future__ import annotations

import typer

from startrack.commands.bench import bench
from startrack.commands.bench_engine import bench_engine
from startrack.commands.bench_stability import bench_stability
from startrack.commands.build_engine import build_engine
from startrack.commands.calibrate import calibrate
from startrack.commands.demo import demo
from startrack.commands.doctor import doctor
from startrack.commands.eval_300vw import eval_300vw
from startrack.commands.evaluate import evaluate
from startrack.commands.export import export
from startrack.commands.fetch_models import fetch_models
from startrack.commands.import_weights import import_weights
from startrack.commands.make_300vw import make_300vw
from startrack.commands.pack import pack
from startrack.commands.quantise import quantise
from startrack.commands.track import track
from startrack.commands.train import train

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
