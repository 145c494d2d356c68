"""Which values the fields of a model's specification may have: a file from outside can hold any."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from dataclasses import MISSING, fields
from numbers import Integral, Real
from typing import Any, NamedTuple

from startrack.outside import shown


class Rule(NamedTuple):
    """Test of a field, and its description."""

    fits: Callable[[Any], bool]
    expected: str


def whole(low: int, high: int) -> Rule:
    """An integer, ends included."""
    return Rule(
        lambda value: isinstance(value, Integral) and not isinstance(value, bool) and low <= int(value) <= high,
        f"a whole number, {low} to {high}" if low != 1 else f"a whole number that must be positive, {high} at most",
    )


def number(low: float, high: float) -> Rule:
    """A finite number, ends included."""
    return Rule(lambda value: _is_number(value, low, high), f"a number, {low:g} to {high:g}")


def any_number() -> Rule:
    """A finite number."""
    return number(-sys.float_info.max, sys.float_info.max)


def numbers(count: int, low: float, high: float) -> Rule:
    """So many of them."""
    return Rule(
        lambda value: _is_sequence(value, count, count) and all(_is_number(each, low, high) for each in value),
        f"{count} numbers, {low:g} to {high:g}",
    )


def ascending(longest: int, high: int) -> Rule:
    """Whole numbers above 0, each larger than the one before."""
    each = whole(1, high)
    return Rule(
        lambda value: (
            _is_sequence(value, 1, longest)
            and all(each.fits(one) for one in value)
            and list(value) == sorted(set(value))
        ),
        f"up to {longest} ascending whole numbers, 1 to {high}",
    )


def either(first: Rule, second: Rule) -> Rule:
    """One of two."""
    return Rule(lambda value: first.fits(value) or second.fits(value), f"{first.expected}; or {second.expected}")


def words(longest: int = 1000) -> Rule:
    """Any text, also an empty one."""
    return Rule(lambda value: isinstance(value, str) and len(value) <= longest, f"a text of up to {longest} characters")


def one_of(*choices: str) -> Rule:
    """One of these texts."""
    return Rule(lambda value: isinstance(value, str) and value in choices, f"one of {', '.join(choices)}")


YES_OR_NO = Rule(lambda value: isinstance(value, bool), "true or false")

LANDMARK_RULES = {
    "name": words(),
    "scheme": words(),
    "num_landmarks": whole(1, 10_000),
    "input_size": whole(1, 4096),
    "heatmap_size": whole(1, 4096),
    "crop_scale": number(0.1, 100),
    "mean": numbers(3, -1e6, 1e6),
    "std": numbers(3, 1e-6, 1e6),
    "colour_order": one_of("rgb", "bgr"),
    "decoder": one_of("soft_argmax", "stretched_soft_argmax", "argmax", "quarter_offset", "dark"),
    "presence": YES_OR_NO,
}
"""Fields of ModelSpec; NetworkSpec has rules of its own."""
DETECTOR_RULES = {
    "name": words(),
    "strides": ascending(16, 1024),
    "input_size": whole(1, 16_384),
    "smallest_face": whole(1, 16_384),
    "min_score": number(0, 1),
    "max_overlap": number(1e-6, 1),
    "colour_order": one_of("rgb", "bgr"),
    "kind": one_of("face_detector"),
}
"""Fields of DetectorSpec."""
EYE_RULES = {
    "name": words(),
    "input_width": whole(8, 1024),
    "input_height": whole(8, 1024),
    "crop_scale": number(0.5, 10),
    "least_corners": number(0.01, 1),
    "lid_bias": either(numbers(0, 0, 0), numbers(12, -100, 100)),
    "kind": one_of("eyes"),
}
"""Fields of EyeSpec."""


def unfit(spec: object, rules: Mapping[str, Rule]) -> str | None:
    """The first field that breaks its rule, as "field is value; expected …"; None if all fit."""
    for name, rule in rules.items():
        value = getattr(spec, name)
        if not rule.fits(value):
            return f"{name} is {shown(value)}; expected {rule.expected}"
    return None


def unfit_names(kind: type, found: object) -> str | None:
    """Why the names in a JSON object are not those of a dataclass's fields; None if they are."""
    if not isinstance(found, dict):
        return f"{shown(found)}; expected an object with fields"
    known = fields(kind)
    needed = [entry.name for entry in known if entry.default is MISSING and entry.default_factory is MISSING]
    missing = [name for name in needed if name not in found]
    unknown = [name for name in found if name not in {entry.name for entry in known}]
    if missing:
        return f"no {missing[0]}; expected {', '.join(needed)}"
    return f"a field {shown(unknown[0])}; expected {', '.join(entry.name for entry in known)}" if unknown else None


def _is_number(value: object, low: float, high: float) -> bool:
    if not isinstance(value, Real) or isinstance(value, bool):
        return False
    try:
        return low <= float(value) <= high
    except OverflowError:  # an integer of hundreds of digits
        return False


def _is_sequence(value: object, shortest: int, longest: int) -> bool:
    return isinstance(value, tuple | list) and shortest <= len(value) <= longest
