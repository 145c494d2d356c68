from __future__ import annotations

from startrack.train.metrics.rounding import rounded


def test_floats_are_rounded_wherever_they_are() -> None:
    given = {"a": 1.234567, "b": [2.0, (0.00004, 3)], "c": {"d": None, "e": "0.123456", "f": True}}
    assert rounded(given) == {"a": 1.2346, "b": [2.0, [0.0, 3]], "c": {"d": None, "e": "0.123456", "f": True}}
    assert rounded(1.25, 1) == 1.2
