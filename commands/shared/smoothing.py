"""How many frames a run looks ahead, from the options."""

from __future__ import annotations

import typer


def frames_ahead(lookahead: int | None, smooth: str, strength: float = 1.0, *, usual: int = 0) -> int:
    """Frames of look-ahead. lookahead: those asked for, None for the usual ones.

    Raises typer.BadParameter if a smoother that looks at no frame ahead is to do so.
    """
    from startrack.tracker.smooth import CAN_LOOK_AHEAD

    if smooth == CAN_LOOK_AHEAD and strength > 0:
        return usual if lookahead is None else lookahead
    if lookahead:
        expected = f"expected 0 with --smooth {smooth}: only {CAN_LOOK_AHEAD} looks ahead"
        if smooth == CAN_LOOK_AHEAD:
            expected = "expected 0 with --smoothing-strength 0: nothing is smoothed"
        raise typer.BadParameter(f"{lookahead}; {expected}", param_hint="--lookahead")
    return 0
