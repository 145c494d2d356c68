"""Options that several commands share, and checks of options."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Literal

import typer

from startrack.engines.zoo import DEFAULT_SIZE, FREE, shipped_sizes


def named(*suffixes: str) -> Callable[[Path | None], Path | None]:
    """A check of an option: its file name ends in one of the suffixes."""

    def check(path: Path | None) -> Path | None:
        if path is not None and path.suffix.lower() not in suffixes:
            raise typer.BadParameter(f"{str(path)!r}; expected a name ending in {' or '.join(suffixes)}")
        return path

    return check


def _figures(path: Path | None) -> Path | None:
    """A check of an option whose file is replaced without asking: it replaces no file of another kind."""
    if path is not None and path.is_file() and path.suffix.lower() != ".json":
        raise typer.BadParameter(f"{str(path)!r} exists and is no .json file; expected a name ending in .json")
    return path


def _shipped(size: str | None) -> str | None:
    """A check of an option: a landmark model of this size is part of the package. The free one says itself whether."""
    if size is not None and size != FREE and size not in shipped_sizes():
        raise typer.BadParameter(f"{size!r}; expected {', '.join((*shipped_sizes(), FREE))}")
    return size


ModelSize = Annotated[
    str | None,
    typer.Option(
        "--model",
        callback=_shipped,
        help=f"Ours: {', '.join(shipped_sizes())}; default: {DEFAULT_SIZE}; {FREE}: for any use.",
    ),
]
ModelLicence = Annotated[
    Literal["research", "free"] | None,
    typer.Option(help="free: only models that are free for any use; research: any of ours, the default."),
]
Weights = Annotated[Path | None, typer.Option(help="Landmark model, .onnx or .safetensors, in place of --model.")]
EngineUrl = Annotated[str | None, typer.Option("--engine", help="triton://HOST:PORT/MODEL, in place of --weights.")]
Device = Annotated[Literal["auto", "cpu", "cuda", "tensorrt"], typer.Option(help="Hardware of the landmark model.")]
Threads = Annotated[int, typer.Option(min=1, help="CPU threads of the landmark model.")]
Detector = Annotated[Literal["auto", "zoo", "mediapipe", "yunet"], typer.Option(help="Face detector; zoo: ours.")]
DetectorModel = Annotated[Path | None, typer.Option(help="Model file of the detector; yunet needs one.")]
DetectorSize = Annotated[
    int | None, typer.Option(min=32, help="Longer side of what zoo and yunet see: by default 416 and 320.")
]
MaxFaces = Annotated[int, typer.Option(min=1, help="Faces to follow at most.")]
DetectEvery = Annotated[
    int, typer.Option(min=1, help="Frames between two looks for more faces, where a picture moves.")
]
LookAhead = Annotated[
    int | None, typer.Option(min=0, max=60, help="Frames to smooth ahead; 0: none. By default 5, of live sources 0.")
]
SmoothingStrength = Annotated[float, typer.Option(min=0, help="Factor of the smoothing; 0: none.")]
Smooth = Annotated[Literal["kalman", "one-euro", "none"], typer.Option(help="Smoothing over time.")]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace outputs that exist.")]
Figures = Annotated[
    Path | None, typer.Option(callback=_figures, help="Write the figures here as JSON; - for the screen.")
]
