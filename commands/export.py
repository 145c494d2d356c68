"""export: trained weights → a model file to track with."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated

import typer

from startrack.commands.shared.errors import one_line_errors
from startrack.commands.shared.options import Overwrite, named


@one_line_errors()
def export(
    weights: Annotated[Path, typer.Option(help="Trained weights (.safetensors); with --fp16 also an .onnx.")],
    out: Annotated[Path, typer.Option(callback=named(".onnx"), help="Model file to write; with its .json.")],
    fp16: Annotated[
        bool, typer.Option("--fp16", help="Half convolutions, float32 norms and decode: for GPUs.")
    ] = False,
    overwrite: Overwrite = False,
) -> None:
    """Turn trained weights into a model file to track with."""
    from startrack.engines.sidecar import file_sha256
    from startrack.tracker.sinks.base import check_output

    if weights.suffix == ".onnx" and not fp16:
        raise typer.BadParameter(f"{weights.name!r}; expected .safetensors, or --fp16", param_hint="--weights")
    if weights.exists() and out.exists() and weights.samefile(out):
        raise typer.BadParameter("the weights themselves; expected another name", param_hint="--out")
    check_output(out, overwrite=overwrite)
    if not fp16:
        _export_float(weights, out)
    else:
        from startrack.engines.graphs.export_half import export_half

        with TemporaryDirectory(prefix="startrack-") as folder:
            source = weights
            if weights.suffix != ".onnx":
                source = Path(folder) / out.name
                # the report counts losses on the way to half, so nothing may be lost before
                _export_float(weights, source, half_weights=False)
            typer.echo(export_half(source, out).to_text())
    typer.echo(f"{out}: sha256 {file_sha256(out)}")


def _export_float(weights: Path, out: Path, *, half_weights: bool = True) -> None:
    from startrack.engines.base import EyeSpec, ModelSpec
    from startrack.engines.graphs.export import export_onnx
    from startrack.engines.graphs.export_detector import export_detector
    from startrack.engines.graphs.export_eyes import export_eyes
    from startrack.train.recipes.load import load_deployed

    spec, net = load_deployed(weights)
    if isinstance(spec, ModelSpec):
        export_onnx(net, spec, out, half_weights=half_weights)
    elif isinstance(spec, EyeSpec):
        export_eyes(net, spec, out, half_weights=half_weights)
    else:
        export_detector(net, spec, out, half_weights=half_weights)
