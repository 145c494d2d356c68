"""One annotated person, the square its crop is cut from, and the order in which data sets of bodies are read."""

# K landmarks

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from startrack import outside
from startrack.outside import reason, shown
from startrack.tracker.types import FloatArray, Roi
from startrack.train.sets.sample import DatasetError, Sample

ASPECT = 3 / 4
"""Width over height of the view of a network for bodies (Xiao et al., ECCV 2018, and HRNet)."""
BOX_SCALE = 1.25
"""Height of the crop over the height of the person's box, brought to the aspect."""


@dataclass(frozen=True, slots=True, eq=False)
class Body:
    """A person in a picture."""

    sample: Sample
    """Picture, landmarks, visibility, and box or roi."""
    image_id: int = 0
    """COCO's number of the picture; 0 where there is none."""
    area: float = 0.0
    """Pixels of the person's outline (COCO), the scale of OKS; 0 where it is not known."""
    head_size: float = 0.0
    """Pixels, 0.6 times the diagonal of the head's box (MPII), the unit of PCKh; 0 where it is not known."""
    box_score: float = 1.0
    """The person detector's, 1 for an annotated box."""


def body_roi(box: FloatArray, *, scale: float = BOX_SCALE, aspect: float = ASPECT) -> Roi:
    """The square on a person's box, (4,) xyxy: `scale` times the height that the box has at the aspect.

    The middle `aspect` of the square's columns shows the box as HRNet's crop of 192×256 or 288×384 pixels does.
    """
    left, top, right, bottom = (float(value) for value in box)
    height = max(bottom - top, (right - left) / aspect)
    return Roi(np.array([(left + right) / 2, (top + bottom) / 2]), max(height * scale, 1e-3))


def roi_of(sample: Sample) -> Roi:
    """The square of a person's plain crop. Raises DatasetError if its data set gives neither a square nor a box."""
    if sample.roi is not None:
        return sample.roi
    if sample.box is None:
        raise DatasetError(f"{sample.name}: neither a box nor a square; expected one for a body")
    return body_roi(sample.box)


Load = Callable[[Path, str], list[Body]]


def read_json(path: Path) -> Any:
    """Raises DatasetError if the file cannot be read or is not JSON."""
    try:
        return outside.read_json(path)
    except (OSError, ValueError) as error:
        raise DatasetError(f"{path}: not JSON that can be read: {reason(error)}") from error


@contextmanager
def as_published(where: str) -> Iterator[None]:
    """Whatever an entry of a file lacks, or has of another kind, becomes a DatasetError that names it."""
    try:
        yield
    except (KeyError, TypeError, ValueError, IndexError, AttributeError, OverflowError) as error:
        raise DatasetError(f"{where}: not as published: {shown(error, longest=200)}") from error
