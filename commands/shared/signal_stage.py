"""The stage of head pose and blendshapes, as the options ask for it."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import typer

from startrack.commands.shared.track_options import Signals

if TYPE_CHECKING:
    from startrack.engines.zoo import Licence
    from startrack.tracker.schemes import LandmarkScheme
    from startrack.tracker.signals import SignalStage
    from startrack.tracker.types import Intrinsics


def check_camera(signals: Signals) -> None:
    """Raises BadParameter if the options contradict each other or name no point."""
    if signals.gaze_offset is not None and signals.eyes is False:
        raise typer.BadParameter("there is no gaze with --no-eyes", param_hint="--gaze-offset")
    if signals.focal is not None and signals.fov is not None:
        raise typer.BadParameter("expected one of --focal and --fov", param_hint="--fov")
    if signals.principal_point is not None:
        if signals.focal is None and signals.fov is None:
            raise typer.BadParameter("expected --focal or --fov, too", param_hint="--principal-point")
        _point(signals.principal_point)


def open_signal_stage(
    signals: Signals, scheme: LandmarkScheme, width: int, height: int, *, mirror: bool, licence: Licence
) -> SignalStage:
    """width, height: of the pictures. mirror: whether they are mirrored before they are tracked. licence: of what heads
    and neutral faces are compared to."""
    from startrack.tracker.signals import SignalStage
    from startrack.tracker.signals.usual_faces import USUAL_FACES

    camera = camera_of(signals, width, height, mirror=mirror)
    return SignalStage(
        scheme,
        neutral_s=signals.neutral,
        gaze_offset_s=signals.gaze_offset,
        camera=camera,
        faces=USUAL_FACES[licence],
    )


def camera_of(signals: Signals, width: int, height: int, *, mirror: bool) -> Intrinsics | None:
    """The camera that the options name, None if they name none. Raises BadParameter as check_camera."""
    from startrack.tracker.signals import camera_of_view
    from startrack.tracker.types import Intrinsics

    check_camera(signals)
    if signals.focal is None and signals.fov is None:
        return None
    middle = (width - 1) / 2, (height - 1) / 2
    x, y = middle if signals.principal_point is None else _point(signals.principal_point)
    if signals.focal is None:
        assert signals.fov is not None
        focal_px = camera_of_view(signals.fov, width, height).focal_px
    else:
        focal_px = signals.focal
    return Intrinsics(focal_px, (width - 1 - x if mirror else x, y))


def _point(text: str) -> tuple[float, float]:
    try:
        x, y = map(float, text.split(","))
    except ValueError:
        x = y = math.nan
    if not (math.isfinite(x) and math.isfinite(y)):
        raise typer.BadParameter(f"{text!r}; expected X,Y in pixels, such as 640,360", param_hint="--principal-point")
    return x, y
