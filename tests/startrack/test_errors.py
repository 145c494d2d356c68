"""Whoever uses startrack can catch everything it raises by one name."""

from __future__ import annotations

import pytest

from startrack.engines.base import EngineError
from startrack.errors import StartrackError
from startrack.tracker.sinks.base import SinkError
from startrack.tracker.video.base import SourceError
from startrack.train.loop.trainer import TrainingError
from startrack.train.sets.sample import DatasetError


@pytest.mark.parametrize("kind", [EngineError, SinkError, SourceError, DatasetError, TrainingError])
def test_every_error_is_a_startrack_error(kind: type[Exception]) -> None:
    assert issubclass(kind, StartrackError)
