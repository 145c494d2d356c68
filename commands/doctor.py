"""doctor: what this machine has and lacks."""

from __future__ import annotations

import typer

from startrack.commands.shared.errors import one_line_errors


@one_line_errors()
def doctor() -> None:
    """Say what this machine has and lacks for tracking."""
    from startrack.commands.shared.machine import Status, diagnose
    from startrack.engines.zoo import DEFAULT_SIZE, DETECTORS, EYES, EYES_BY_DEFAULT, FREE, MODELS, shipped_sizes

    colours = {Status.OK: typer.colors.GREEN, Status.WARNING: typer.colors.YELLOW, Status.MISSING: typer.colors.RED}
    uses = {name: f"--model {size}{', the default' * (size == DEFAULT_SIZE)}" for size, name in shipped_sizes().items()}
    uses |= {MODELS[FREE]: f"--model {FREE}", DETECTORS["free"]: f"the detector of --model {FREE}"}
    uses |= {EYES["research"]: f"--eyes{', the default' * EYES_BY_DEFAULT}", EYES["free"]: f"--eyes of --model {FREE}"}
    report = diagnose(uses=uses)
    for check in report.checks:
        status = typer.style(f"{check.status.value:8}", fg=colours[check.status])
        typer.echo(f"{status} {check.name:22} {check.detail}")
    if not report.can_track:
        raise typer.Exit(4)
