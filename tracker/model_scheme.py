"""The landmark numbering that a model file names."""

from __future__ import annotations

from startrack.engines.base import EngineError, ModelSpec
from startrack.tracker.schemes import LandmarkScheme, find_scheme


def scheme_of(spec: ModelSpec) -> LandmarkScheme:
    """Raises EngineError if nobody knows the scheme, or if it has another number of landmarks than the model."""
    try:
        scheme = find_scheme(spec.scheme)
    except ValueError as error:
        raise EngineError(f"{spec.name}: {error}") from error
    if scheme.num_landmarks != spec.num_landmarks:
        raise EngineError(
            f"{spec.name}: {spec.num_landmarks} landmarks; expected {scheme.num_landmarks} of {scheme.name}"
        )
    return scheme
