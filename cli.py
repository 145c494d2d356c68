"""The command line: wiring of sources, engines, detectors, smoothers and sinks; heavy imports inside their command.

Exit codes: 0 done, 1 training failed, 2 wrong usage, 3 the source cannot be read, 4 a model or a package cannot be
loaded or run, 5 an output cannot be written, 6 the data set is not as published, 130 interrupted. Whatever the code,
outputs are finished and hold every frame until then.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, NoReturn

import typer

if TYPE_CHECKING:
    from engines.base import Engine
    from tracker.detect.base import FaceDetector
    from tracker.sinks.base import Sink
    from tracker.types import FaceBox

EXIT_CODES = (__doc__ or "").split("\n\n")[-1]
TRAIN_PACKAGES = ("torch", "onnx", "onnxscript", "safetensors", "tensorboard", "matplotlib")
"""What the extra `train` brings."""

app = typer.Typer(
    name="startrack",
    epilog=EXIT_CODES,
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)


@contextmanager
def one_line_errors() -> Iterator[None]:
    """Turn every error of the project into one line and its exit code; outputs are closed by then."""
    try:
        yield
    except KeyboardInterrupt:
        _fail("interrupted", 130)
    except ImportError as error:
        if error.name in TRAIN_PACKAGES:
            _fail(f"{error.name} is not installed; expected: pip install 'startrack[train]'", 4)
        _fail(f"{error}; startrack doctor says what is missing", 4)
    except OSError as error:  # what no sink has put in its own words
        _fail(f"{error.filename or 'output'}: cannot be written: {error.strerror or error}", 5)
    except Exception as error:
        from engines.base import EngineError
        from tracker.sinks.base import SinkError
        from tracker.video.base import SourceError
        from train.data.sample import DatasetError

        codes = {SourceError: 3, EngineError: 4, SinkError: 5, DatasetError: 6}
        if type(error) not in codes:
            raise
        _fail(error, codes[type(error)])


def _fail(error: object, code: int) -> NoReturn:
    typer.echo(f"startrack: {error}", err=True)
    raise typer.Exit(code)


def _named(*suffixes: str) -> Callable[[Path | None], Path | None]:
    """A check of an option: its file name ends in one of the suffixes."""

    def check(path: Path | None) -> Path | None:
        if path is not None and path.suffix.lower() not in suffixes:
            raise typer.BadParameter(f"{str(path)!r}; expected a name ending in {' or '.join(suffixes)}")
        return path

    return check


Weights = Annotated[Path | None, typer.Option(help="Landmark model, .onnx or .safetensors; default: the shipped one.")]
Device = Annotated[Literal["auto", "cpu", "cuda"], typer.Option(help="Hardware of the landmark model.")]
Threads = Annotated[int, typer.Option(min=1, help="CPU threads of the landmark model.")]
Detector = Annotated[Literal["auto", "zoo", "mediapipe", "yunet"], typer.Option(help="Face detector; zoo: ours.")]
DetectorModel = Annotated[Path | None, typer.Option(help="Model file of the detector; yunet needs one.")]
DetectorSize = Annotated[int, typer.Option(min=32, help="Longer side of what zoo and yunet see; 640: small faces.")]
MaxFaces = Annotated[int, typer.Option(min=1, help="Faces to follow at most.")]
DetectEvery = Annotated[int, typer.Option(min=1, help="Frames between two looks for further faces.")]
Smooth = Annotated[Literal["one-euro", "none"], typer.Option(help="Smoothing over time.")]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace outputs that exist.")]
Figures = Annotated[Path | None, typer.Option(help="Write the figures here as JSON; - for the screen.")]


@app.callback()
def startrack() -> None:
    """Real-time video face landmark tracker: every face, frame by frame, with an uncertainty for each point."""


@app.command(epilog=EXIT_CODES)
@one_line_errors()
def track(
    source: Annotated[str, typer.Argument(help="Video, picture, folder or glob of pictures, URL, camera index.")] = "",
    save_video: Annotated[Path | None, typer.Option(callback=_named(".mp4"), help="Video with the overlay.")] = None,
    csv: Annotated[Path | None, typer.Option(help="Landmarks as CSV in OpenFace's columns.")] = None,
    jsonl: Annotated[Path | None, typer.Option(help="Landmarks, covariances, scores as JSON Lines.")] = None,
    summary: Annotated[Path | None, typer.Option(help="Speed and counts of the run as JSON; - for the screen.")] = None,
    max_faces: MaxFaces = 8,
    weights: Weights = None,
    detector: Detector = "auto",
    detector_model: DetectorModel = None,
    detector_size: DetectorSize = 320,
    detect_every: DetectEvery = 15,
    init_box: Annotated[str | None, typer.Option(help="X,Y,W,H of the face in pixels, in place of a detector.")] = None,
    smooth: Smooth = "one-euro",
    show: Annotated[Literal["auto", "window", "none"], typer.Option(help="auto: a window for live sources.")] = "auto",
    ellipses: Annotated[bool, typer.Option("--ellipses", help="Draw the uncertainty of each landmark.")] = False,
    realtime: Annotated[bool | None, typer.Option(help="Drop frames that are late; by default live ones only.")] = None,
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
    """Follow every face and write its landmarks."""
    from tracker import pipeline, run, window
    from tracker.detect.fixed_detector import FixedDetector
    from tracker.overlay import Overlay
    from tracker.progress import expected_frames
    from tracker.schemes import SCHEMES
    from tracker.sinks.csv_sink import CsvSink
    from tracker.sinks.jsonl_sink import JsonlSink
    from tracker.sinks.mp4_sink import Mp4Sink
    from tracker.smooth import SMOOTHERS
    from tracker.video import base, buffer, pace
    from tracker.video import source as sources

    if list_devices:
        typer.echo("\n".join(sources.list_devices()) or "no cameras")
        return
    if not source:
        raise typer.BadParameter("missing; expected a file, folder, URL or camera index", param_hint="source")
    with ExitStack() as stack:
        run.check_outputs(source, (save_video, csv, jsonl, summary), overwrite=overwrite)
        engine = stack.enter_context(_load_engine(weights, device, threads))
        # before the source: a camera does not wait
        detect = FixedDetector(_box(init_box)) if init_box else _open_detector(detector, detector_model, detector_size)
        stack.enter_context(closing(detect))
        video = stack.enter_context(
            sources.open_source(source, start_s=start, end_s=end, width=width, height=height, fps=fps)
        )
        info, drop_late = video.info, video.info.is_live if realtime is None else realtime
        if init_box:  # once more, now that the picture's size is known
            _box(init_box, info.width, info.height)
        if mirror:
            video = stack.enter_context(base.mirror(video))
        if drop_late and not info.is_live:
            video = stack.enter_context(pace.at_its_pace(video))
        draw = Overlay(SCHEMES[engine.spec.scheme], ellipses=ellipses)
        sinks: list[Sink] = []
        if jsonl:
            sinks.append(stack.enter_context(JsonlSink(jsonl, overwrite=overwrite)))
        if csv:
            sinks.append(stack.enter_context(CsvSink(csv, engine.spec.num_landmarks, overwrite=overwrite)))
        if save_video:
            sound = info.name if info.has_audio and not info.is_live else None
            mp4 = Mp4Sink(save_video, info, draw=draw, audio_from=sound, overwrite=overwrite)
            stack.callback(lambda: typer.echo(f"startrack: {mp4.note}", err=True) if mp4.note else None)
            sinks.append(stack.enter_context(mp4))
        screen = stack.enter_context(window.open_window(show, info))
        frames = stack.enter_context(buffer.latest(video) if drop_late else buffer.prefetch(video))
        options = pipeline.TrackerOptions(max_faces=max_faces, detect_every=detect_every)
        faces = pipeline.track(frames, detect, engine, make_smoother=SMOOTHERS[smooth], options=options)
        total, show_frame = expected_frames(info, start, end), lambda seen: screen is None or screen.show(draw(seen))
        run.run(faces, sinks, total=total, show_frame=show_frame, summary=summary)


@app.command()
@one_line_errors()
def demo(
    out: Annotated[Path, typer.Option(help="Folder of the demo's files.")] = Path("demo"),
    seconds: Annotated[float, typer.Option(min=1, help="Length of the clip.")] = 8.0,
    detector: Detector = "auto",
    detector_model: DetectorModel = None,
    threads: Threads = 1,
) -> None:
    """Track a portrait in known motion and measure the error."""
    from tracker.demo import make_demo_clip, motion_error, read_points

    clip, tracked, points = out / "portrait.mp4", out / "tracked.mp4", out / "tracked.jsonl"
    typer.echo(f"making {clip} …")
    out.mkdir(parents=True, exist_ok=True)
    motion = make_demo_clip(clip, seconds=seconds)
    track(
        str(clip), save_video=tracked, jsonl=points, detector=detector, detector_model=detector_model,
        threads=threads, show="none", overwrite=True,
    )  # fmt: skip
    typer.echo(f"{motion_error(read_points(points), motion).to_text()}\n{tracked}: the clip with its landmarks")


@app.command()
@one_line_errors()
def bench(
    source: Annotated[str, typer.Argument(help="Video file.")],
    json: Figures = None,
    frames: Annotated[int, typer.Option(min=1, help="Frames to measure, after 30 to warm up.")] = 300,
    weights: Weights = None,
    detector: Detector = "auto",
    detector_model: DetectorModel = None,
    detector_size: DetectorSize = 320,
    max_faces: MaxFaces = 8,
    detect_every: DetectEvery = 15,
    smooth: Smooth = "one-euro",
    threads: Threads = 1,
) -> None:
    """Measure the milliseconds of each stage on a clip, as JSON."""
    from tracker.bench import measure
    from tracker.pipeline import TrackerOptions
    from tracker.run import check_outputs, write_text
    from tracker.smooth import SMOOTHERS
    from tracker.video.source import open_source

    with ExitStack() as stack:
        check_outputs(source, (json,), overwrite=True)
        engine = stack.enter_context(_load_engine(weights, "auto", threads))
        video = stack.enter_context(open_source(source))
        detect = stack.enter_context(closing(_open_detector(detector, detector_model, detector_size)))
        options = TrackerOptions(max_faces=max_faces, detect_every=detect_every)
        report = measure(video, detect, engine, make_smoother=SMOOTHERS[smooth], options=options, count=frames)
        write_text(json or Path("-"), report.to_json())


@app.command()
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
        _fail(error, 1)


@app.command()
@one_line_errors()
def export(
    weights: Annotated[Path, typer.Option(help="Trained weights (.safetensors).")],
    out: Annotated[Path, typer.Option(callback=_named(".onnx"), help="Model file to write; its .json goes beside it.")],
    overwrite: Overwrite = False,
) -> None:
    """Turn trained weights into a model file to track with."""
    from engines.base import ModelSpec
    from engines.export import export_onnx
    from engines.export_detector import export_detector
    from tracker.sinks.base import check_output
    from train.recipes.load import load_deployed

    check_output(out, overwrite=overwrite)
    spec, net = load_deployed(weights)
    sidecar = export_onnx(net, spec, out) if isinstance(spec, ModelSpec) else export_detector(net, spec, out)
    typer.echo(f"{out}: sha256 {sidecar.sha256}")


@app.command()
@one_line_errors()
def evaluate(
    data: Annotated[Path, typer.Option(help="Folder of the data set, as published; for faces with a faces.json.")],
    dataset: Annotated[str, typer.Option(help="300w for landmarks, faces for the detector.")] = "300w",
    split: Annotated[str | None, typer.Option(help="common, challenging, full, validation; faces: all.")] = None,
    weights: Weights = None,
    detector: Detector = "auto",
    detector_model: DetectorModel = None,
    detector_size: DetectorSize = 320,
    json: Figures = None,
    plot: Annotated[Path | None, typer.Option(callback=_named(".png", ".svg"), help="Draw the CED here.")] = None,
    worst: Annotated[Path | None, typer.Option(callback=_named(".png", ".jpg"), help="Draw the worst here.")] = None,
    threads: Threads = 2,
) -> None:
    """Measure a landmark model or a face detector, in per cent."""
    from tracker.run import check_outputs, write_text
    from train.data import DATASETS
    from train.data.face_photos import load_face_photos
    from train.evaluate import evaluate as run
    from train.evaluate_faces import evaluate_faces
    from train.report import ced_plot, tables, worst_cases

    check_outputs(str(data), (json, plot, worst), overwrite=True)
    if dataset == "faces":
        with closing(_open_detector(detector, detector_model, detector_size, 0.05)) as detect:
            faces = evaluate_faces(detect, load_face_photos(data, split or "all"), detector)
        typer.echo(faces.to_text(), err=str(json) == "-")
        if json:
            write_text(json, faces.to_json())
        return
    if dataset not in DATASETS:
        raise typer.BadParameter(f"{dataset!r}; expected faces or {', '.join(DATASETS)}", param_hint="--dataset")
    with _load_engine(weights, "auto", threads) as engine:
        evaluation = run(engine, DATASETS[dataset](data, split or "full"))
    typer.echo(tables.subset_table(evaluation), err=str(json) == "-")
    if json:
        write_text(json, evaluation.to_json())
    if plot:
        ced_plot.plot_ced({engine.spec.name: evaluation.nme}, plot, protocol=evaluation.protocol)
    if worst:
        worst_cases.worst_cases(evaluation, worst)


@app.command()
@one_line_errors()
def fetch_models(dest: Annotated[Path | None, typer.Option(help="Folder; default: the user's cache.")] = None) -> None:
    """Fetch the model of MediaPipe's face detector."""
    from tracker.detect.fetch import fetch_models as fetch

    typer.echo(f"{fetch(dest)}")


@app.command()
def doctor() -> None:
    """Say what this machine has and lacks for tracking."""
    from tracker.doctor import Status, diagnose

    colours = {Status.OK: typer.colors.GREEN, Status.WARNING: typer.colors.YELLOW, Status.MISSING: typer.colors.RED}
    report = diagnose()
    for check in report.checks:
        status = typer.style(f"{check.status.value:8}", fg=colours[check.status])
        typer.echo(f"{status} {check.name:22} {check.detail}")
    if not report.can_track:
        raise typer.Exit(4)


def _load_engine(weights: Path | None, device: str, threads: int) -> Engine:
    from engines import load_engine
    from engines.zoo import DEFAULT_LANDMARKS, zoo_path

    if weights is None or weights.suffix != ".safetensors":
        return load_engine(weights or zoo_path(DEFAULT_LANDMARKS), device, threads=threads)
    import torch

    from engines.torch_engine import TorchEngine
    from train.device import torch_device
    from train.recipes.load import load_landmark_network

    torch.set_num_threads(threads)
    spec, deployed = load_landmark_network(weights)
    return TorchEngine(deployed, spec, torch_device(device))


def _open_detector(name: str, model: Path | None, size: int, min_score: float | None = None) -> FaceDetector:
    from engines.zoo import DEFAULT_DETECTOR, zoo_path

    threshold = {} if min_score is None else {"min_score": min_score}
    match name:
        case "zoo" | "auto":
            from engines import load_detector
            from tracker.detect.zoo_detector import ZooDetector

            return ZooDetector(load_detector(model or zoo_path(DEFAULT_DETECTOR)), input_size=size, min_score=min_score)
        case "yunet":
            from tracker.detect.yunet_detector import YuNetDetector

            if model is None:
                raise typer.BadParameter("missing; expected YuNet's .onnx file", param_hint="--detector-model")
            return YuNetDetector(model, input_size=size, **threshold)
        case _:
            from tracker.detect.fetch import resolve_model
            from tracker.detect.mediapipe_detector import MediaPipeDetector

            return MediaPipeDetector(resolve_model(explicit_path=model), **threshold)


def _box(text: str, width: int | None = None, height: int | None = None) -> FaceBox:
    from tracker.detect.fixed_detector import parse_box

    try:
        return parse_box(text, width, height)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--init-box") from error


if __name__ == "__main__":
    app()
