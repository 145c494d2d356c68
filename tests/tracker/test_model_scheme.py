from __future__ import annotations

import pytest

from startrack.engines.base import EngineError, ModelSpec
from startrack.tracker.model_scheme import scheme_of
from startrack.tracker.schemes import IBUG_68


def spec(scheme: str, num_landmarks: int) -> ModelSpec:
    return ModelSpec("net", scheme, num_landmarks, input_size=64, heatmap_size=16, crop_scale=1.25)


def test_the_scheme_that_a_model_names() -> None:
    assert scheme_of(spec("ibug_68", 68)) is IBUG_68
    assert scheme_of(spec("points_9", 9)).num_landmarks == 9


@pytest.mark.parametrize(
    ("scheme", "number", "message"),
    [("ibug", 68, "net: no landmark scheme 'ibug'"), ("ibug_68", 98, "net: 98 landmarks; expected 68 of ibug_68")],
)
def test_a_model_file_that_contradicts_itself_is_refused(scheme: str, number: int, message: str) -> None:
    with pytest.raises(EngineError, match=message):
        scheme_of(spec(scheme, number))
