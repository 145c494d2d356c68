"""Who a face is: weights of the identity shapes, and what age does to a head beyond them."""

# V vertices, N places

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from startrack.train.synthetic.geometry.compiled import compiled
from startrack.train.synthetic.geometry.mesh import Floats
from startrack.train.synthetic.head.head_model import HeadModel

YOUNGEST_YEARS, GROWN_YEARS, OLDEST_YEARS = 1.0, 18.0, 88.0
SHAPES = 100
"""Identity shapes that are drawn; a model with fewer gets the first of them."""


@dataclass(frozen=True, slots=True, eq=False)
class Identity:
    """A person's head."""

    weights: Floats
    """(S,) of the identity shapes, standard deviations."""
    age_years: float
    female: bool
    """What hair, beard and brows are drawn by; the shapes have no such axis."""


@dataclass(frozen=True, slots=True)
class Growth:
    """How a part of the head differs with age: scaled about a centre and moved, fading out with distance."""

    centre: tuple[float, float, float]
    """cm on the mean head; x > 0 has a twin on the right."""
    reach: tuple[float, float, float]
    """Distance of each axis at which the effect has fallen to 1/e, cm."""
    scale: tuple[float, float, float] = (0.0, 0.0, 0.0)
    """Relative change of size along each axis."""
    move: tuple[float, float, float] = (0.0, 0.0, 0.0)
    """cm."""


CHILD = (
    Growth((3.1, 3.6, 9.0), (2.2, 1.8, 3.0), scale=(0.16, 0.24, 0.0)),  # eyes have nearly their final size
    Growth((0.0, 0.8, 11.5), (2.0, 2.6, 3.0), scale=(-0.26, -0.3, -0.45)),  # short, flat nose
    Growth((0.0, 3.0, 10.8), (1.2, 1.8, 2.5), move=(0.0, 0.0, -0.35)),  # low bridge
    Growth((0.0, -3.4, 11.0), (2.8, 1.6, 3.0), scale=(-0.16, 0.04, 0.0), move=(0.0, 0.45, -0.2)),
    Growth((0.0, -7.0, 9.5), (4.5, 2.4, 5.0), scale=(-0.2, 0.0, 0.0), move=(0.0, 1.35, -0.75)),  # small chin
    Growth((6.0, -3.5, 5.5), (2.6, 3.2, 4.0), move=(-0.25, 0.5, 0.3)),  # jaw
    Growth((4.6, -1.8, 9.0), (2.0, 2.0, 3.0), move=(0.25, -0.15, 0.45)),  # full cheeks
    Growth((0.0, 9.0, 3.0), (9.0, 5.5, 9.0), scale=(0.06, 0.0, 0.05), move=(0.0, 0.5, 0.25)),  # large skull
    Growth((0.0, -13.0, 0.0), (9.0, 4.0, 9.0), scale=(-0.22, 0.0, -0.2)),  # thin neck
)
"""A child of about three years; Farkas, "Anthropometry of the Head and Face" (1994), gives the proportions."""
OLD = (
    Growth((0.0, 0.6, 12.0), (1.8, 2.4, 2.5), scale=(0.12, 0.08, 0.05), move=(0.0, -0.2, 0.0)),  # nose and
    Growth((8.4, 2.0, -0.5), (1.8, 3.5, 2.5), scale=(0.1, 0.2, 0.1)),  # ears grow on
    Growth((0.0, -3.4, 11.0), (2.8, 1.3, 2.5), scale=(0.04, -0.25, -0.1)),  # thin lips
    Growth((4.6, -5.6, 7.8), (1.8, 1.6, 2.5), move=(0.2, -0.45, 0.25)),  # jowls
    Growth((4.4, -0.5, 8.8), (1.8, 1.8, 2.5), move=(-0.12, -0.3, -0.3)),  # hollow cheeks
    Growth((4.8, 5.2, 8.8), (1.6, 1.0, 2.5), move=(0.0, -0.25, 0.0)),  # lower brows
    Growth((0.0, -10.5, 6.5), (2.5, 2.2, 3.0), move=(0.0, -0.4, 0.5)),  # loose throat
)


def draw_identity(head: HeadModel, rng: np.random.Generator) -> Identity:
    """A person: an eighth are children and a fifth above 60 years."""
    count = min(SHAPES, len(head.identity))
    weights = rng.normal(0, 1, SHAPES)[:count] * rng.uniform(0.6, 1.15)
    chance = rng.random()
    if chance < 0.13:
        age = rng.uniform(YOUNGEST_YEARS, 12)
    elif chance < 0.8:
        age = rng.uniform(12, 60)
    else:
        age = rng.uniform(60, OLDEST_YEARS)
    child = 1 - child_weight(age) * 0.5  # children differ less
    return Identity((weights * child).astype(np.float32), float(age), bool(rng.random() < 0.5))


def child_weight(age_years: float) -> float:
    """1 at three years and below, 0 when grown."""
    return float(np.clip((GROWN_YEARS - age_years) / (GROWN_YEARS - 3.0), 0, 1) ** 1.3)


def old_weight(age_years: float) -> float:
    """0 to 45 years, 1 at 80."""
    return float(np.clip((age_years - 45.0) / 35.0, 0, 1.2))


def age_offset(places: Floats, age_years: float) -> Floats:
    """(N, 3) offset that age gives to places on the mean head, cm."""
    total = np.zeros_like(places)
    for amount, parts in ((child_weight(age_years), CHILD), (old_weight(age_years), OLD)):
        if amount > 0:
            for part in parts:
                total += np.float32(amount) * _grown(places, part)
    return total


def _grown(places: Floats, part: Growth) -> Floats:
    vectors = np.array([part.centre, part.reach, part.scale, part.move], np.float32)
    total = np.zeros_like(places)
    for side in (1, -1) if part.centre[0] else (1,):
        _grow(
            total, places, vectors * np.where([[True], [False], [False], [True]], np.array([side, 1, 1], np.float32), 1)
        )
    return total


@compiled
def _grow(total: Floats, places: Floats, part: Floats) -> None:
    """Add one growth, given by centre, reach, scale and move as rows, where it is above a ten thousandth."""
    for i in range(places.shape[0]):
        x, y, z = places[i, 0] - part[0, 0], places[i, 1] - part[0, 1], places[i, 2] - part[0, 2]
        away = (x / part[1, 0]) ** 2 + (y / part[1, 1]) ** 2 + (z / part[1, 2]) ** 2
        if away < 9.2:
            fade = np.exp(-away)
            total[i, 0] += fade * (x * part[2, 0] + part[3, 0])
            total[i, 1] += fade * (y * part[2, 1] + part[3, 1])
            total[i, 2] += fade * (z * part[2, 2] + part[3, 2])


def identity_offset(head: HeadModel, identity: Identity) -> Floats:
    """(V, 3) offset of a person's neutral head from the mean one, cm.

    Eyeballs stay round: each window moves with its eye as a whole.
    """
    offset = head.shape(identity.weights) + age_offset(head.neutral, identity.age_years)
    for window, centre in zip(head.eye_windows, head.eye_centres, strict=True):
        growth = 1 + 0.14 * child_weight(identity.age_years)
        shift = offset[window].mean(0)
        offset[window] = shift + (head.neutral[window] - centre) * np.float32(growth - 1)
    return offset.astype(np.float32)
