"""A replay gives what tracking with the smoother gives."""

from __future__ import annotations

import numpy as np

from startrack.tracker.pipeline import track_frames
from startrack.tracker.smooth import late_smoother_of
from startrack.tracker.smooth.none import NoSmoothing
from startrack.tracker.smooth.one_euro import OneEuro
from startrack.train.motion.recording import record_track, replay
from tests.tracker.disc_world import SHAPE, DiscDetector, disc_engine, disc_frame


def test_a_replay_is_what_tracking_gives_also_over_a_loss() -> None:
    rng = np.random.default_rng(5)
    places = [np.array([100 + 2 * t, 110]) + rng.normal(0, 0.5, 2) for t in range(40)]
    # hidden for 5 frames; a second face from frame 25 on
    worlds = [[(*place, 30)] if not 15 <= t < 20 else [] for t, place in enumerate(places)]
    worlds = [world + [(250, 50, 20)] * (t >= 25) for t, world in enumerate(worlds)]
    frames = [disc_frame(world, index) for index, world in enumerate(worlds)]
    truth = np.array([place + SHAPE * 30 for place in places])
    recording = record_track(track_frames(frames, DiscDetector(), disc_engine(), make_smoother=NoSmoothing), truth)
    assert recording.lost == 5
    assert set(recording.ids[:15]) == {0.0}
    assert np.nanmax(np.abs(recording.points - truth)) < 1.0
    live = record_track(track_frames(frames, DiscDetector(), disc_engine(), make_smoother=OneEuro), truth)
    smooth = replay(recording, late_smoother_of("one-euro", 0))
    np.testing.assert_allclose(smooth, live.points)
    assert np.nanmax(np.abs(smooth - recording.points)) > 0.1
