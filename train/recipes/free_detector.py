"""free-detector: the network of the shipped face detector, trained on rendered pictures alone.

A detector that everybody may use for anything: random weights, no teacher, no photo. Its pictures are scenes of several
rendered people (`startrack render --scenes`), whose boxes and eyes are exact; rendered portraits (`startrack render`)
are its close-ups and groups, and are pasted in. Parts without a face come from the scenes between and below the faces,
from the portraits' edges, from drawings of patterns and of cloth and, with --backgrounds, from panoramas of real places
that show nobody. Light, texture and coverings change as in face_detector.py.

Watched, on a tenth of the scenes: AP and recall of faces of at least 32 px, in per cent.

Command: startrack train --recipe free-detector --data scenes --extra faces --backgrounds hdri --out runs/free-detector
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from startrack.train.augment.face_pastes import store_faces
from startrack.train.augment.faceless import faceless_pictures
from startrack.train.augment.panoramas import panorama_views
from startrack.train.feed.detection_dataset import DetectionDataset
from startrack.train.losses.detection import DetectionLoss
from startrack.train.models.face_detector import DeployedDetector
from startrack.train.recipes.compact import adamw, one_cycle
from startrack.train.recipes.face_detector import DETECTOR_SPEC, PICTURE_SIZE, detector_network
from startrack.train.recipes.recipe import Recipe
from startrack.train.sets import rendered, rendered_scenes
from startrack.train.sets.sample import DatasetError
from startrack.train.validation.detection_validation import detection_validation

FREE_DETECTOR_SPEC = replace(DETECTOR_SPEC, name="free-detector", min_score=0.65)
MOST_PORTRAITS = 3000
"""They are held in memory."""
FACELESS = 900
"""Further pictures without a face."""


def free_detector(
    data: Path, *, extra: Sequence[Path], backgrounds: Path | None = None, epochs: int = 100, seed: int = 0
) -> Recipe:
    """data: a folder of startrack render --scenes. extra: folders of portraits. backgrounds: a folder of panoramas that
    show nobody, as the assets' `hdri`. An epoch is 4096 pictures.

    Raises DatasetError for another folder, for pictures before photos and without portraits.
    """
    rendered_scenes.refuse_photos(data)
    for folder in extra:
        rendered.refuse_photos(folder)
    portraits = [sample for folder in extra for sample in rendered.load(folder, "train")]
    if not portraits:
        raise DatasetError(f"{data}: no portraits for the scenes; expected --extra, folders of startrack render")
    torch.manual_seed(seed)
    spec = FREE_DETECTOR_SPEC
    faces = store_faces(portraits[:: -(-len(portraits) // MOST_PORTRAITS)])
    faceless = faceless_pictures(faces, FACELESS, np.random.default_rng((seed, 1)))
    if backgrounds is not None:
        faceless += panorama_views(backgrounds, np.random.default_rng((seed, 2)))
    return Recipe(
        name=spec.name,
        spec=spec,
        model=detector_network(spec)[0],
        loss=DetectionLoss(spec.strides),
        train_data=DetectionDataset(
            rendered_scenes.load_scenes(data, "train"),
            faces,
            size=PICTURE_SIZE,
            textures=faceless,
            seed=seed,
        ),
        validate=detection_validation(
            rendered_scenes.load_scenes(data, "validation"), spec, lambda network: DeployedDetector(network, spec)
        ),
        make_optimiser=adamw,
        learning_rate=one_cycle,
        epochs=epochs,
        batch_size=32,
        ema_decay=0.998,
    )
