"""star-cofw: STAR on COFW, 29 landmarks, as its code trains it (Zhou et al., CVPR 2023).

Network, losses and schedule are those of star-300w (train/recipes/star.py), with what differs from paper and code. All
1345 training faces are trained on; the NME of the 507 test faces is watched, and nothing is chosen by it. Hidden
landmarks are trained on like visible ones, as in the code. [DIFF] Coordinates count from 0 and a mirrored face is where
it should be; in the code they count from 1, and mirrored faces are a pixel off. The right eye's edge is left open, as
in the code.

Command: startrack train --recipe star-cofw --data COFW --out runs/star-cofw --device cuda

Expected, of the paper: NME 4.62 per cent of the distance of the pupils, 3.21 of the outer eye corners, for the best of
all epochs on the test set. Not run here: COFW was not at hand, its loader is proven on made files.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from startrack.train.feed.star_faces import StarFaces
from startrack.train.recipes.recipe import Recipe
from startrack.train.recipes.star import EPOCHS, STAR_SPECS, star_recipe
from startrack.train.sets import cofw


def star_cofw(
    data: Path,
    *,
    validation: Path | None = None,
    extra: Sequence[Path] = (),
    extra_weight: float = 1.0,
    epochs: int = EPOCHS,
    seed: int = 0,
) -> Recipe:
    """data: the folder of the .mat files, or a pack of the training faces; then validation is a pack of faces to watch.
    extra: folders or packs of further faces; extra_weight: of each in the loss."""
    faces = StarFaces(
        data, cofw.load, validation_split="test", validation=validation, extra=extra, extra_weight=extra_weight
    )
    return star_recipe(STAR_SPECS["star-cofw"], faces, epochs=epochs, seed=seed, normaliser="inter_pupil")
