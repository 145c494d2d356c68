"""compact-300w-steady: the network of compact-300w-slim, trained on true landmarks and on agreement with itself.

Each face is seen twice, the second time as the next frame of a video would show it (train/feed/two_views.py); what the
two readings differ by beyond the face's motion is a term of the loss (train/losses/steady.py). All else is as in
compact.py. For a network that is trained already: --init.

Command: startrack train --recipe compact-300w-steady --data 300w --extra helen256 --extra helen_reduced --extra faces
--backgrounds wider_photos --init engines/zoo/compact-300w-slim-float.onnx --out runs/steady
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from startrack.train.feed.two_views import FacesSeenTwice
from startrack.train.losses.steady import SteadyLoss
from startrack.train.recipes.compact import SLIM_SPEC, Faces, labelled_recipe
from startrack.train.recipes.recipe import Recipe


def compact_300w_steady(
    data: Path,
    *,
    extra: Sequence[Path] = (),
    extra_weight: float = 1.0,
    backgrounds: Path | None = None,
    epochs: int = 20,
    seed: int = 0,
) -> Recipe:
    """The fields of Faces. A step takes eight faces, sixteen crops. Raises DatasetError if a folder is not as published."""
    faces = Faces(data, extra, extra_weight, backgrounds)
    plain = labelled_recipe(SLIM_SPEC, faces, epochs=epochs, seed=seed)
    return replace(
        plain,
        loss=SteadyLoss(SLIM_SPEC.stride),
        train_data=FacesSeenTwice(plain.train_data, seed),
        batch_size=8,
    )
