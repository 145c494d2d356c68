"""Options that several commands share, and checks of options."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Literal

import typer


def named(*suffixes: str) -> Callable[[Path | None], Path | None]:
    """A check of an option: its file name ends in one of the suffixes."""

    def check(path: Path | None) -> Path | None:
        if path is not None and path.suffix.lower() not in suffixes:
            raise typer.BadParameter(f"{str(path)!r}; expected a name ending in {' or '.join(suffixes)}")
        return path

    return check


Weights = Annotated[Path | None, typer.Option(help="Landmark model, .onnx or .safetensors; default: the shipped one.")]
EngineUrl = Annotated[str | None, typer.Option("--engine", help="triton://HOST:PORT/MODEL, in place of --weights.")]
Device = Annotated[Literal["auto", "cpu", "cuda", "tensorrt"], typer.Option(help="Hardware of the landmark model.")]
Threads = Annotated[int, typer.Option(min=1, help="CPU threads of the landmark model.")]
Detector = Annotated[Literal["auto", "zoo", "mediapipe", "yunet"], typer.Option(help="Face detector; zoo: ours.")]
DetectorModel = Annotated[Path | None, typer.Option(help="Model file of the detector; yunet needs one.")]
DetectorSize = Annotated[int, typer.Option(min=32, help="Longer side of what zoo and yunet see; 640: small faces.")]
MaxFaces = Annotated[int, typer.Option(min=1, help="Faces to follow at most.")]
DetectEvery = Annotated[int, typer.Option(min=1, help="Frames between two looks for further faces.")]
Smooth = Annotated[Literal["kalman", "one-euro", "none"], typer.Option(help="Smoothing over time.")]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace outputs that exist.")]
Figures = Annotated[Path | None, typer.Option(help="Write the figures here as JSON; - for the screen.")]
