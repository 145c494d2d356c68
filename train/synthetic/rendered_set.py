"""A folder of rendered faces: pictures with .pts files and what else is known of each, made in order, resumable."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from startrack.outside import LARGEST_FACTS, read_json, reason, shown
from startrack.train.sets.pts import write_pts
from startrack.train.sets.rendered import FACTS_SUFFIX, SERIES_FILE, picture_stem
from startrack.train.sets.sample import DatasetError
from startrack.train.synthetic.backgrounds import Backdrops
from startrack.train.synthetic.portrait import encoded_picture, render_portrait
from startrack.train.synthetic.studio import Studio
from startrack.whole_file import write_whole

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

FORMAT = 5
"""Changes when the same seed gives other pictures."""


@dataclass(frozen=True, slots=True)
class Series:
    """What all pictures of a folder have in common; a folder holds one series."""

    seed: int
    size: int
    """Side of the pictures, px."""
    assets: str
    """Digest of the assets."""
    backgrounds: str
    """Digest of the background photos' names; empty without."""
    format: int = FORMAT


def make_series(studio: Studio, seed: int, size: int, backdrops: Backdrops) -> Series:
    """The series that a seed gives with these assets."""
    digest = hashlib.sha256()
    for array in (studio.head.neutral, studio.head.identity[:, ::97], studio.head.expression[:, ::97]):
        digest.update(array.tobytes())
    digest.update(f"{len(studio.assets.skins)} {len(studio.assets.hair)} {len(studio.assets.environments)}".encode())
    names = "\n".join(path.name for path in backdrops.photos)
    photos = hashlib.sha256(names.encode("utf-8", "surrogatepass")).hexdigest()[:16] if names else ""
    return Series(seed, size, digest.hexdigest()[:16], photos)


def open_series(folder: Path, series: DataclassInstance, name: str = SERIES_FILE) -> None:
    """Begin a folder, or go on with one of the same series, whose file has that name. Raises DatasetError if it holds
    another one."""
    about = folder / name
    if not about.exists():
        if folder.exists() and any(folder.iterdir()):
            raise DatasetError(f"{folder}: holds other files; expected a new folder, or one that render has made")
        folder.mkdir(parents=True, exist_ok=True)
        write_whole(about, json.dumps(asdict(series), indent=1) + "\n")
        return
    try:
        held = read_json(about, LARGEST_FACTS)
    except (OSError, ValueError) as error:
        raise DatasetError(f"{about}: cannot be read: {reason(error)}") from error
    for name, value in asdict(series).items():
        entry = held.get(name) if isinstance(held, dict) else None
        if entry != value:
            raise DatasetError(f"{about}: made with {name} {shown(entry)}; expected {value!r}, or a new folder")


def render_series(
    studio: Studio, folder: Path, series: Series, numbers: range, backdrops: Backdrops
) -> Iterator[tuple[int, bool]]:
    """Write those pictures that are missing; yields each number and whether its picture was made now.

    Numbers that other processes make may be left out.
    """

    def make(stem: Path, number: int) -> dict[str, object]:
        portrait = render_portrait(studio, series.seed, number, size=series.size, backdrops=backdrops)
        write_whole(stem.with_suffix(".jpg"), encoded_picture(portrait.image, portrait.jpeg_quality).tobytes())
        write_pts(stem.with_suffix(".pts"), portrait.truth.landmarks)
        return portrait.truth.to_json()

    return make_missing(folder, numbers, make)


def make_missing(
    folder: Path, numbers: range, make: Callable[[Path, int], Mapping[str, object]]
) -> Iterator[tuple[int, bool]]:
    """Make the pictures of a folder whose facts are missing; yields each number and whether it was made now.

    make: writes a picture, given its path without suffix and its number, and returns its facts. These are written last:
    a picture without them is made again after an interruption.
    """
    for number in numbers:
        stem = folder / picture_stem(number)
        facts = stem.with_suffix(FACTS_SUFFIX)
        is_missing = not facts.exists()
        if is_missing:
            stem.parent.mkdir(exist_ok=True)
            write_whole(facts, json.dumps(make(stem, number)) + "\n")
        yield number, is_missing
