"""star-points: STAR on a user's own pictures and points.

A folder with train and validation in it, pictures with .pts files of any number of landmarks (docs/data.md), most
useful with --init: the network of star-300w starts from trained weights, its heads are re-initialised. 68, 98 and 29
points are
taken for iBUG's, WFLW's and COFW's, with their edges and mirror pairs. Points of another number have no edges, so the
network has no attention, and pictures are not mirrored: which points would change places is not known.

Command: startrack train --recipe star-points --data points --init star.safetensors --out runs/points --device cuda

Watched: the NME in per cent of the box of the points. No figure to expect: it depends on the points.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from startrack.tracker.schemes import SCHEMES, plain_scheme
from startrack.train.feed.star_faces import StarFaces
from startrack.train.recipes.recipe import Recipe
from startrack.train.recipes.star import star_recipe, star_spec
from startrack.train.sets import points_folder


def star_points(
    data: Path, *, extra: Sequence[Path] = (), extra_weight: float = 1.0, epochs: int = 100, seed: int = 0
) -> Recipe:
    """data: the folder. extra: folders of further faces; extra_weight: of each in the loss."""
    count = len(points_folder.load(data, "train")[0].landmarks)
    known = {scheme.num_landmarks: scheme for scheme in SCHEMES.values()}
    spec = star_spec("star-points", known.get(count) or plain_scheme(count))
    faces = StarFaces(data, points_folder.load, extra=extra, extra_weight=extra_weight)
    return star_recipe(spec, faces, epochs=epochs, seed=seed, normaliser="box", batch_size=16)
