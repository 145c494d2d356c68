"""export: trained weights → a model file to track with."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from commands.errors import one_line_errors
from commands.options import Overwrite, named


@one_line_errors()
def export(
    weights: Annotated[Path, typer.Option(help="Trained weights (.safetensors).")],
    out: Annotated[Path, typer.Option(callback=named(".onnx"), help="Model file to write; its .json goes beside it.")],
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
