from __future__ import annotations

import pytest
import typer

from startrack.commands.shared.signal_stage import camera_of, check_camera
from startrack.commands.shared.track_options import Signals


def test_no_camera_is_known_unless_it_is_named() -> None:
    assert camera_of(Signals(), 640, 480, mirror=False) is None


def test_a_camera_by_hand() -> None:
    camera = camera_of(Signals(focal=700), 640, 480, mirror=True)
    assert camera is not None
    assert (camera.focal_px, camera.centre, camera.is_guess) == (700, (319.5, 239.5), False)
    wide = camera_of(Signals(fov=90, principal_point="300,250"), 640, 480, mirror=False)
    assert wide is not None
    assert wide.focal_px == pytest.approx(320)
    assert wide.centre == (300, 250)
    mirrored = camera_of(Signals(fov=90, principal_point="300,250"), 640, 480, mirror=True)
    assert mirrored is not None
    assert mirrored.centre == (339, 250)


@pytest.mark.parametrize(
    ("signals", "expected"),
    [
        (Signals(focal=700, fov=60), "expected one of --focal and --fov"),
        (Signals(principal_point="1,2"), "expected --focal or --fov, too"),
        (Signals(focal=700, principal_point="1"), "'1'; expected X,Y in pixels"),
        (Signals(focal=700, principal_point="nan,2"), "expected X,Y in pixels"),
        (Signals(focal=700, principal_point="1,2,3"), "expected X,Y in pixels"),
    ],
)
def test_contradictions_are_named(signals: Signals, expected: str) -> None:
    with pytest.raises(typer.BadParameter, match=expected):
        check_camera(signals)
