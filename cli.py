"""The command line: wiring of sources, engines, detectors, smoothers and sinks; heavy imports inside their command.

Exit codes: 0 done · 1 training failed · 2 wrong usage · 3 the source cannot be read · 4 a model cannot be loaded or
run · 5 an output cannot be written · 6 a data set is not as published · 130 interrupted (outputs are finished).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, NoReturn

import typer

if TYPE_CHECKING:
    from engines.base import Engine
    from tracker.detect.base import FaceDetector
    from tracker.overlay import Overlay
    from tracker.sinks.base import Sink
    from tracker.smooth.base import MakeSmoother
    from tracker.statistics import RunSummary
    from tracker.video.base import VideoStream

app = typer.Typer(name="startrack", no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)

Weights = Annotated[Path | None, typer.Option(help="Landmark model (.onnx); by default the shipped one.")]
Device = Annotated[Literal["auto", "cpu", "cuda"], typer.Option(help="Hardware of the landmark model.")]
Threads = Annotated[int, typer.Option(min=1, help="CPU threads of the landmark model.")]
Detector = Annotated[Literal["auto", "mediapipe"], typer.Option(help="Face detector.")]
DetectorModel = Annotated[Path | None, typer.Option(help="Model file of the detector.")]
MaxFaces = Annotated[int, typer.Option(min=1, help="Faces to follow at most.")]
DetectEvery = Annotated[int, typer.Option(min=1, help="Frames between two looks for further faces.")]
Smooth = Annotated[Literal["one-euro", "none"], typer.Option(help="Smoothing over time.")]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace outputs that exist.")]


@app.callback()
def startrack() -> None:
    """Real-time video face landmark tracker: every face, frame by frame, with an uncertainty for each point."""


@app.command()
def track(
    source: Annotated[str, typer.Argument(help="Video file, picture, folder of pictures, URL or camera index.")] = "",
    save_video: Annotated[Path | None, typer.Option(help="Overlay video (.mp4), sound and timestamps kept.")] = None,
    csv: Annotated[Path | None, typer.Option(help="Landmarks as CSV in OpenFace's columns.")] = None,
    jsonl: Annotated[Path | None, typer.Option(help="Landmarks, covariances, scores as JSON Lines.")] = None,
    summary: Annotated[Path | None, typer.Option(help="Speed and counts of the run as JSON; - for the screen.")] = None,
    max_faces: MaxFaces = 8,
    weights: Weights = None,
    detector: Detector = "auto",
    detector_model: DetectorModel = None,
    detect_every: DetectEvery = 15,
    init_box: Annotated[str | None, typer.Option(help="X,Y,W,H of the face in pixels, in place of a detector.")] = None,
    smooth: Smooth = "one-euro",
    show: Annotated[Literal["auto", "window", "none"], typer.Option(help="auto: a window for live sources.")] = "auto",
    ellipses: Annotated[bool, typer.Option("--ellipses", help="Draw the uncertainty of each landmark.")] = False,
    realtime: Annotated[
        bool | None, typer.Option("--realtime/--no-realtime", help="Drop frames that are too late; default: live only.")
    ] = None,
    start: Annotated[float, typer.Option(min=0, help="Seconds to skip.")] = 0.0,
    end: Annotated[float | None, typer.Option(min=0, help="Second to stop at.")] = None,
    threads: Threads = 1,
    device: Device = "auto",
    mirror: Annotated[bool, typer.Option("--mirror", help="Exchange left and right.")] = False,
    width: Annotated[int | None, typer.Option(min=1, help="Asked of a camera, with --height.")] = None,
    height: Annotated[int | None, typer.Option(min=1, help="Asked of a camera, with --width.")] = None,
    fps: Annotated[float | None, typer.Option(min=0.1, help="Asked of a camera.")] = None,
    list_devices: Annotated[bool, typer.Option("--list-devices", help="Name the cameras and leave.")] = False,
    overwrite: Overwrite = False,
) -> None:
    """Follow every face of a video, camera or stream and write its landmarks."""
    from tracker.overlay import Overlay
    from tracker.pipeline import TrackerOptions
    from tracker.pipeline import track as follow
    from tracker.run import run
    from tracker.schemes import SCHEMES
    from tracker.video.base import mirror as mirrored
    from tracker.video.buffer import latest, prefetch
    from tracker.video.source import list_devices as cameras
    from tracker.video.source import open_source
    from tracker.window import Window, display_problem

    if list_devices:
        typer.echo("\n".join(cameras()) or "no cameras")
        return
    if not source:
        raise typer.BadParameter("missing; expected a file, folder, URL or camera index", param_hint="SOURCE")
    with _errors(), ExitStack() as stack:
        engine = stack.enter_context(_load_engine(weights, device, threads))
        detect = stack.enter_context(closing(_open_detector(detector, detector_model, init_box)))
        video = stack.enter_context(open_source(source, start_s=start, end_s=end, width=width, height=height, fps=fps))
        video = stack.enter_context(mirrored(video)) if mirror else video
        draw = Overlay(SCHEMES[engine.spec.scheme], ellipses=ellipses)
        sinks = _open_sinks(
            stack, video, engine, draw, save_video=save_video, csv=csv, jsonl=jsonl, overwrite=overwrite
        )
        windowed = show == "window" or (show == "auto" and video.info.is_live and display_problem() is None)
        window = stack.enter_context(Window(f"startrack: {source}")) if windowed else None
        drop_late = video.info.is_live if realtime is None else realtime
        frames = stack.enter_context(latest(video) if drop_late else prefetch(video))
        options = TrackerOptions(max_faces=max_faces, detect_every=detect_every)
        faces = follow(frames, detect, engine, make_smoother=_smoother(smooth), options=options)
        show_frame = (lambda tracked: window.show(draw(tracked))) if window else None
        run(faces, video.info, sinks, show_frame=show_frame, finish=lambda done: _report(done, summary))


@app.command()
def demo(
    out: Annotated[Path, typer.Option(help="Folder of the demo's files.")] = Path("demo"),
    seconds: Annotated[float, typer.Option(min=1, help="Length of the clip.")] = 8.0,
    detector: Detector = "auto",
    detector_model: DetectorModel = None,
    threads: Threads = 1,
) -> None:
    """Track a public-domain portrait in known motion; tells how far the landmarks stray from that motion."""
    from tracker.demo import make_demo_clip, motion_error, read_points

    with _errors():
        clip, tracked, points = out / "portrait.mp4", out / "tracked.mp4", out / "tracked.jsonl"
        typer.echo(f"making {clip} …")
        out.mkdir(parents=True, exist_ok=True)
        motion = make_demo_clip(clip, seconds=seconds)
    track(
        str(clip), save_video=tracked, jsonl=points, detector=detector, detector_model=detector_model,
        threads=threads, show="none", overwrite=True,
    )  # fmt: skip
    with _errors():
        error = motion_error(read_points(points), motion)
        typer.echo(
            f"distance from the known motion: {error.mean_percent:.2f} % of the inter-ocular distance on average, "
            f"95 % of all points within {error.p95_percent:.2f} %, lag {error.lag_frames:.2f} frames, "
            f"{error.missed_frames} frames without the face\n{tracked}: the clip with its landmarks"
        )


@app.command()
def bench(
    source: Annotated[str, typer.Argument(help="Video file.")],
    json: Annotated[Path | None, typer.Option(help="Write the figures here.")] = None,
    frames: Annotated[int, typer.Option(min=1, help="Frames to measure, after 30 to warm up.")] = 300,
    weights: Weights = None,
    detector: Detector = "auto",
    detector_model: DetectorModel = None,
    max_faces: MaxFaces = 8,
    detect_every: DetectEvery = 15,
    smooth: Smooth = "one-euro",
    threads: Threads = 1,
) -> None:
    """Measure the milliseconds of each stage on a clip, wall and CPU time."""
    from tracker.bench import measure
    from tracker.pipeline import TrackerOptions
    from tracker.video.source import open_source

    with _errors(), ExitStack() as stack:
        engine = stack.enter_context(_load_engine(weights, "auto", threads))
        detect = stack.enter_context(closing(_open_detector(detector, detector_model, None)))
        video = stack.enter_context(open_source(source))
        options = TrackerOptions(max_faces=max_faces, detect_every=detect_every)
        report = measure(video, detect, engine, make_smoother=_smoother(smooth), options=options, count=frames)
        _write_text(json, report.to_json())


@app.command()
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
    """Train a landmark network; leaves weights.safetensors, curves and a checkpoint to resume from."""
    with _errors():
        from train.recipes import RECIPES
        from train.trainer import TrainingOptions
        from train.trainer import train as run

        if recipe not in RECIPES:
            raise typer.BadParameter(f"{recipe!r}; expected one of {', '.join(RECIPES)}", param_hint="--recipe")
        chosen = RECIPES[recipe](data, backgrounds=backgrounds, seed=seed, **({"epochs": epochs} if epochs else {}))
        options = TrainingOptions(out=out, device=device, workers=workers, seed=seed, resume=resume)
        typer.echo(f"weights: {run(chosen, options)}")


@app.command()
def export(
    weights: Annotated[Path, typer.Option(help="Trained weights (.safetensors).")],
    out: Annotated[Path, typer.Option(help="Model file to write (.onnx), with its .json beside it.")],
    overwrite: Overwrite = False,
) -> None:
    """Turn trained weights into one self-contained model file: crops in, landmarks out."""
    with _errors():
        from engines.export import export_onnx
        from tracker.sinks.base import check_output
        from train.recipes.load import load_deployed

        spec, deployed = load_deployed(weights)
        sidecar = export_onnx(deployed, spec, check_output(out, overwrite=overwrite))
        typer.echo(f"{out}: sha256 {sidecar.sha256}")


@app.command()
def evaluate(
    data: Annotated[Path, typer.Option(help="Folder of the data set, as published.")],
    dataset: Annotated[Literal["300w"], typer.Option(help="Layout of the data set.")] = "300w",
    split: Annotated[str, typer.Option(help="common, challenging, full or validation.")] = "full",
    weights: Weights = None,
    json: Annotated[Path | None, typer.Option(help="Write the figures here.")] = None,
    plot: Annotated[Path | None, typer.Option(help="Write the CED plot (.png) here.")] = None,
    worst: Annotated[Path | None, typer.Option(help="Write a sheet of the worst faces (.png) here.")] = None,
    threads: Threads = 2,
) -> None:
    """Measure a landmark model on a test set: NME, failure rates, areas under the CED, in per cent."""
    with _errors():
        from train.data import ibug_300w
        from train.evaluate import evaluate as run
        from train.report.ced_plot import plot_ced
        from train.report.tables import subset_table
        from train.report.worst_cases import worst_cases

        with _load_any_engine(weights, threads) as engine:
            evaluation = run(engine, ibug_300w.load(data, split))
        typer.echo(subset_table(evaluation))
        if json:
            evaluation.write_json(json)
        if plot:
            plot_ced({engine.spec.name: evaluation.nme}, plot, protocol=evaluation.protocol)
        if worst:
            worst_cases(evaluation, worst)


@app.command()
def fetch_models(
    dest: Annotated[Path | None, typer.Option(help="Folder to put them in; by default the user's cache.")] = None,
) -> None:
    """Fetch the MediaPipe face detector's model, which its package does not bring."""
    from tracker.detect.fetch import fetch_models as fetch

    with _errors():
        typer.echo(f"{fetch(dest)}")


@app.command()
def doctor() -> None:
    """Look at this installation: versions, OpenCV clashes, models, GPU. Exit code 4 if it cannot track."""
    from rich.console import Console
    from rich.table import Table

    from tracker.doctor import Status, diagnose

    colours = {Status.OK: "[green]ok[/]", Status.WARNING: "[yellow]look[/]", Status.MISSING: "[red]missing[/]"}
    report = diagnose()
    table = Table("", "check", "found", box=None, header_style="dim")
    for check in report.checks:
        table.add_row(colours[check.status], check.name, check.detail)
    Console().print(table)
    if not report.can_track:
        raise typer.Exit(4)


def _open_sinks(
    stack: ExitStack,
    video: VideoStream,
    engine: Engine,
    draw: Overlay,
    *,
    save_video: Path | None,
    csv: Path | None,
    jsonl: Path | None,
    overwrite: bool,
) -> list[Sink]:
    """The outputs that the user named, closed with the stack whatever happens."""
    from tracker.sinks.csv_sink import CsvSink
    from tracker.sinks.jsonl_sink import JsonlSink

    sinks: list[Sink] = []
    if jsonl:
        sinks.append(stack.enter_context(JsonlSink(jsonl, overwrite=overwrite)))
    if csv:
        sinks.append(stack.enter_context(CsvSink(csv, engine.spec.num_landmarks, overwrite=overwrite)))
    if save_video:
        from tracker.sinks.mp4_sink import Mp4Sink

        sound = video.info.name if video.info.has_audio and not video.info.is_live else None
        sinks.append(
            stack.enter_context(Mp4Sink(save_video, video.info, draw=draw, audio_from=sound, overwrite=overwrite))
        )
    return sinks


def _load_engine(weights: Path | None, device: str, threads: int) -> Engine:
    from engines import load_engine
    from engines.zoo import DEFAULT_LANDMARKS, zoo_path

    return load_engine(weights or zoo_path(DEFAULT_LANDMARKS), device, threads=threads)


def _load_any_engine(weights: Path | None, threads: int) -> Engine:
    """Besides the deployed formats also the weights of a training."""
    if weights is None or weights.suffix != ".safetensors":
        return _load_engine(weights, "auto", threads)
    import torch

    from engines.torch_engine import TorchEngine
    from train.recipes.load import load_deployed

    torch.set_num_threads(threads)
    spec, deployed = load_deployed(weights)
    return TorchEngine(deployed, spec)


def _open_detector(name: str, model: Path | None, init_box: str | None) -> FaceDetector:
    if init_box is not None:
        from tracker.detect.fixed_detector import FixedDetector, parse_box

        try:
            return FixedDetector(parse_box(init_box))
        except ValueError as error:
            raise typer.BadParameter(str(error), param_hint="--init-box") from error
    match name:
        case "auto" | "mediapipe":
            from tracker.detect.fetch import resolve_model
            from tracker.detect.mediapipe_detector import MediaPipeDetector

            return MediaPipeDetector(resolve_model(explicit_path=model))
        case _:
            raise AssertionError(name)


def _smoother(name: str) -> MakeSmoother:
    match name:
        case "one-euro":
            from tracker.smooth.one_euro import OneEuro

            return OneEuro
        case "none":
            from tracker.smooth.none import NoSmoothing

            return NoSmoothing
        case _:
            raise AssertionError(name)


def _report(done: RunSummary, summary: Path | None) -> None:
    typer.echo(done.to_text(), err=True)
    if summary:
        _write_text(summary, done.to_json())


def _write_text(path: Path | None, text: str) -> None:
    """To a file, or to the screen for none or "-"."""
    from tracker.sinks.base import SinkError

    if path is None or str(path) == "-":
        typer.echo(text)
        return
    try:
        path.write_text(text + "\n", encoding="utf-8")
    except OSError as error:
        raise SinkError(f"{path}: cannot be written: {error.strerror}") from error


@contextmanager
def _errors() -> Iterator[None]:
    """Turn every error of the project into one line and its exit code; outputs are closed by then."""
    from engines.base import EngineError
    from tracker.sinks.base import SinkError
    from tracker.video.base import SourceError

    codes: dict[str, int] = {"TrainingError": 1, "DatasetError": 6}
    try:
        yield
    except SourceError as error:
        _fail(error, 3)
    except EngineError as error:
        _fail(error, 4)
    except SinkError as error:
        _fail(error, 5)
    except ModuleNotFoundError as error:
        _fail(f"{error.name} is not installed; expected the extra of this command: {_extra(error.name)}", 4)
    except KeyboardInterrupt:
        _fail("interrupted", 130)
    except Exception as error:
        # train's errors by name: importing train here would load torch on the tracking path
        if type(error).__name__ not in codes:
            raise
        _fail(error, codes[type(error).__name__])


def _extra(module: str | None) -> str:
    train_modules = ("torch", "onnx", "onnxscript", "safetensors", "tensorboard", "matplotlib")
    name = "train" if module and module.split(".")[0] in train_modules else "demo"
    return f"pip install 'startrack[{name}]'"


def _fail(error: object, code: int) -> NoReturn:
    typer.echo(f"startrack: {error}", err=True)
    raise typer.Exit(code)


if __name__ == "__main__":
    app()
