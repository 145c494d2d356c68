"""Samples of a training set parted into those to train with and those to choose settings by."""

from __future__ import annotations

import zlib
from collections.abc import Sequence

from startrack.train.sets.sample import Sample

SHARE = 10
"""One picture in so many is held back."""


def hold_back(samples: Sequence[Sample]) -> tuple[list[Sample], list[Sample]]:
    """(train, validation), by a hash of the picture's name, the same on every machine: the faces of one picture stay
    together, those of one file of many pictures are parted one by one."""
    train: list[Sample] = []
    validation: list[Sample] = []
    for sample in samples:
        name = sample.path.stem if sample.picture is None else f"{sample.path.stem}#{sample.entry}"
        (train if zlib.crc32(name.encode("utf-8", "surrogatepass")) % SHARE else validation).append(sample)
    return train, validation
