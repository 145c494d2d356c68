"""Blendshapes of real clips. In 08 a man looks neutral for 0.57 s, grins and blinks once, and holds the grin from
1.1 s on; in 40 a woman speaks."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from startrack.api import track
from startrack.tracker.metrics.quietness import near_blinks, restlessness
from startrack.tracker.signals import blendshape_names

NAMES = blendshape_names()
MOST, RESTLESS = 0.15, 0.02
UPPER = [name.startswith(("brow", "cheek", "eyeWide")) for name in NAMES]
BROWS = [name.startswith(("brow", "eyeWide")) for name in NAMES]
LIDS = [NAMES.index("eyeBlinkRight"), NAMES.index("eyeBlinkLeft")]


def values(path: Path, neutral_s: float | None) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(T,) seconds, (T, S) blendshapes, (T,) whether no blink is near."""
    rows = [
        (result.frame.time_s, list(each.signals.blendshapes.values()))
        for result in track(path, max_faces=1, neutral_s=neutral_s)
        for each in result.tracks
        if each.signals is not None
    ]
    times_s, found = (np.array(column) for column in zip(*rows, strict=True))
    return times_s, found, ~near_blinks(found[:, LIDS].max(axis=1))


@pytest.mark.data
@pytest.mark.parametrize("neutral_s", [None, 0.5])
def test_a_face_that_holds_still_moves_nothing(data_dir: Path, neutral_s: float | None) -> None:
    times_s, found, open_eyes = values(data_dir / "clips/08_single_face.mp4", neutral_s)
    neutral, held = times_s < 0.5, (times_s > 1.1) & (times_s < 2.1)
    assert found[neutral].max() <= MOST
    # a grin lifts the cheeks, so they count in the neutral part alone
    assert found[np.ix_(open_eyes, BROWS)].max() <= MOST
    for part in (neutral, held):
        assert restlessness(found, part & open_eyes).max() <= RESTLESS
    # and the grin is seen, on both sides
    grin = dict(zip(NAMES, np.median(found[held], axis=0), strict=True))
    assert min(grin["mouthSmileRight"], grin["mouthSmileLeft"]) > 0.5
    assert found[:, LIDS].max(axis=0).min() > 0.6


@pytest.mark.data
def test_brows_and_cheeks_of_a_speaker_rest(data_dir: Path) -> None:
    _, found, open_eyes = values(data_dir / "clips/40_grid_speaker.mpg", None)
    assert found[np.ix_(open_eyes, UPPER)].max() <= MOST
    assert restlessness(found[:, UPPER], open_eyes).max() <= RESTLESS
    assert found[:, NAMES.index("jawOpen")].max() > 0.1


@pytest.mark.data
def test_brows_of_a_head_that_leans_rest(data_dir: Path) -> None:
    """In 04 a man speaks, and leans towards the camera and back."""
    _, found, open_eyes = values(data_dir / "clips/04_webcam_cap13.mp4", None)
    brows = [name.startswith("brow") for name in NAMES]
    assert found[np.ix_(open_eyes, brows)].max() <= 0.5
    assert restlessness(found[:, brows], open_eyes).max() <= RESTLESS


@pytest.mark.data
def test_an_eye_behind_a_hand_does_not_open_wide(data_dir: Path) -> None:
    """In 17 a hand passes before the face."""
    _, found, _ = values(data_dir / "clips/17_intel_asl_hand_over_face.mkv", None)
    assert found[:, [name.startswith("eyeWide") for name in NAMES]].max() <= 0.6
