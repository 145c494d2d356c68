"""star-wflw: STAR on WFLW, 98 landmarks, as its code trains it (Zhou et al., CVPR 2023).

Network, losses and schedule are those of star-300w (train/recipes/star.py), with what differs from paper and code. All
7500 training faces are trained on; the NME of the 2500 test faces is watched, and nothing is chosen by it.

Command: startrack train --recipe star-wflw --data WFLW --out runs/star-wflw --device cuda

Expected, of the paper: NME 4.02 per cent of the inter-ocular distance, FR10 2.32 %, AUC10 0.605, for the best of all
epochs on the test set. Not run here: WFLW was not at hand, its loader is proven on made files.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from startrack.train.feed.star_faces import StarFaces
from startrack.train.recipes.recipe import Recipe
from startrack.train.recipes.star import EPOCHS, STAR_SPECS, star_recipe
from startrack.train.sets import wflw


def star_wflw(
    data: Path,
    *,
    validation: Path | None = None,
    extra: Sequence[Path] = (),
    extra_weight: float = 1.0,
    epochs: int = EPOCHS,
    seed: int = 0,
) -> Recipe:
    """data: the published folders, or a pack of the training faces; then validation is a pack of faces to watch. extra:
    folders or packs of further faces; extra_weight: of each in the loss."""
    faces = StarFaces(
        data, wflw.load, validation_split="test", validation=validation, extra=extra, extra_weight=extra_weight
    )
    return star_recipe(STAR_SPECS["star-wflw"], faces, epochs=epochs, seed=seed)
