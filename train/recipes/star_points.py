"""star-points: STAR on a user's own pictures and points.

Pictures with .pts files of any number of landmarks, or COCO keypoints (docs/data.md), most useful with --init: the
network of star-300w starts from trained weights, its heads are re-initialised. 68, 98 and 29 points in .pts files are
taken for iBUG's, WFLW's and COFW's, with their edges. Points of another number have no edges, so the network has no
attention. Pictures are mirrored where flip pairs are known, see own_points.py; faces with a landmark without a place
are left out.

Command: startrack train --recipe star-points --data points --init star.safetensors --out runs/points --device cuda

Watched: the NME in per cent of the box of the points. No figure to expect: it depends on the points.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from startrack.tracker.schemes import find_scheme
from startrack.train.feed.star_faces import StarFaces
from startrack.train.recipes.recipe import Recipe
from startrack.train.recipes.star import star_recipe, star_spec
from startrack.train.sets.own.own_points import read_own_points
from startrack.train.sets.sample import fully_annotated


def star_points(
    data: Path,
    *,
    dataset: str | None = None,
    flip_pairs: Path | None = None,
    extra: Sequence[Path] = (),
    extra_weight: float = 1.0,
    epochs: int = 100,
    seed: int = 0,
) -> Recipe:
    """STAR on a user's own pictures and points.

    data, dataset, flip_pairs: see read_own_points. extra: folders of further faces; extra_weight:
    of each in the loss.
    """
    own = read_own_points(data, dataset, flip_pairs)
    spec = star_spec("star-points", find_scheme(own.scheme.name))
    splits = {name: fully_annotated(getattr(own, name), spec.num_landmarks) for name in ("train", "validation")}
    faces = StarFaces(
        data,
        lambda _, split: splits[split],
        # the edges are the network's, which a model file cannot name for a plain markup
        scheme=replace(own.scheme, edges=find_scheme(own.scheme.name).edges),
        extra=extra,
        extra_weight=extra_weight,
    )
    return star_recipe(spec, faces, epochs=epochs, seed=seed, normaliser="box", batch_size=16)
