"""A folder of pictures of several people: made in order, resumable, each person rendered once when first needed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np

from startrack.train.sets.rendered import FACTS_SUFFIX, picture_stem
from startrack.train.sets.rendered_scenes import PEOPLE_FOLDER, SCENES_FILE
from startrack.train.synthetic.backgrounds import Backdrops
from startrack.train.synthetic.crowd.cut_out import CutOut, read_cut_out, render_cut_out, write_cut_out
from startrack.train.synthetic.crowd.group import Group, make_group
from startrack.train.synthetic.portrait import encoded_picture
from startrack.train.synthetic.rendered_set import Series, make_missing, open_series
from startrack.train.synthetic.studio import Studio
from startrack.whole_file import write_whole

PEOPLE = 400
"""Different people of a series."""
IN_MEMORY = 96
"""Cut-outs that are kept, 1.6 MB each."""
HIDDEN = 0.02
"""Share of a face that is seen, below which it is not there."""


@dataclass(frozen=True, slots=True)
class SceneSeries:
    """What all pictures of a folder have in common."""

    seed: int
    assets: str
    """Digest of the assets."""
    backgrounds: str
    """Digest of the background photos' names; empty without."""
    people: int = PEOPLE
    format: int = 1
    """Changes when the same seed gives other pictures."""


def scene_series(series: Series) -> SceneSeries:
    """The series of scenes with the seed, the assets and the backgrounds of portraits."""
    return SceneSeries(series.seed, series.assets, series.backgrounds, format=series.format)


def open_scenes(folder: Path, series: SceneSeries) -> None:
    """Begin a folder, or go on with one of the same series. Raises DatasetError if it holds another one."""
    open_series(folder, series, SCENES_FILE)


def render_scenes(
    studio: Studio, folder: Path, series: SceneSeries, numbers: range, backdrops: Backdrops
) -> Iterator[tuple[int, bool]]:
    """Write those pictures that are missing; yields each number and whether its picture was made now."""
    people = _people(studio, folder, series)
    environments = studio.assets.environments

    def make(stem: Path, number: int) -> dict[str, object]:
        group = make_group(people, series.people, environments, series.seed, number, backdrops=backdrops)
        write_whole(stem.with_suffix(".jpg"), encoded_picture(group.image, group.jpeg_quality).tobytes())
        return _facts(group)

    return make_missing(folder, numbers, make)


def _people(studio: Studio, folder: Path, series: SceneSeries) -> Callable[[int], CutOut]:
    """Number → cut-out; read from the folder or, the first time, rendered into it."""

    @lru_cache(maxsize=IN_MEMORY)
    def cut_out(number: int) -> CutOut:
        stem = folder / PEOPLE_FOLDER / picture_stem(number)
        if not stem.with_suffix(FACTS_SUFFIX).exists():
            write_cut_out(stem, render_cut_out(studio, series.seed, number))
        return read_cut_out(stem)  # the new one, too: rounded to 8 bits, as it will be the next time

    return cut_out


def _facts(group: Group) -> dict[str, object]:
    """Truth of a picture as plain numbers: of each face that is seen at all."""
    return {
        "faces": [
            {
                "square": np.round(face.square, 3).tolist(),
                "points": np.round(face.points, 3).tolist(),
                "visible": round(face.visible, 3),
                "turn_deg": round(face.turn_deg, 2),
            }
            for face in group.faces
            if face.visible >= HIDDEN
        ]
    }
