"""Sample → mirror, warp, texture → crop and maps: the input of a STAR training when the CPU prepares it."""

# K landmarks

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch.utils.data import Dataset

from startrack.tracker.crop import roi_from_points
from startrack.tracker.schemes import LandmarkScheme
from startrack.tracker.types import Roi
from startrack.train.augment.star_augment import StarAugmentation, mirror, vary
from startrack.train.feed.dataset import ItemKey
from startrack.train.feed.star_batch import StarBatch
from startrack.train.sets.sample import DatasetError, Sample
from startrack.train.sets.star_crop import normalise
from startrack.train.targets.star import edge_maps, point_maps, star_edges


def tracker_roi(sample: Sample, crop_scale: float) -> Roi:
    """The square of a face's plain crop: that which the tracker and an evaluation cut (ModelSpec.crop_scale).

    [DIFF] The STAR code takes centre and side from its lists, which are not published with it; its demo cuts 1.05 times
    the smaller side of the landmarks' box (star_crop.roi_from_tight_box). Then some landmarks of every second face of
    300W, 3.8 % of all, lie outside the crop, where no heatmap can show them.
    """
    return roi_from_points(sample.landmarks, crop_scale)


class StarDataset(Dataset[StarBatch]):
    """Augmented crops of faces with their maps.

    What item i of epoch e shows depends on (seed, e, i) alone, not on the worker or process that makes it. A picture
    is read again each time: those of WFLW do not fit into memory.
    """

    def __init__(
        self,
        samples: Sequence[Sample],
        scheme: LandmarkScheme,
        *,
        crop_scale: float,
        crop_size: int = 256,
        augmentation: StarAugmentation,
        seed: int = 0,
    ) -> None:
        """Raises DatasetError for a face of another markup, or whose landmarks are not all known."""
        self.samples = samples
        self.scheme = scheme
        self.crop_scale = crop_scale
        self.crop_size = crop_size
        self.augmentation = augmentation
        self.seed = seed
        self._edges = star_edges(scheme)
        for sample in samples:
            if len(sample.landmarks) != scheme.num_landmarks:
                expected = f"expected the {scheme.num_landmarks} of {scheme.name}"
                raise DatasetError(f"{sample.path}: {sample.name} has {len(sample.landmarks)} landmarks; {expected}")
            if not np.isfinite(sample.landmarks).all():
                raise DatasetError(f"{sample.path}: {sample.name} has landmarks without a place; STAR needs all")

    def __len__(self) -> int:
        return len(self.samples)

    def __getitem__(self, key: ItemKey) -> StarBatch:
        sample, size = self.samples[key.item], self.crop_size
        rng = np.random.default_rng((self.seed, key.epoch, key.item))
        image, landmarks_K2 = sample.read_image()[..., ::-1], sample.landmarks
        roi = tracker_roi(sample, self.crop_scale)
        if rng.random() < self.augmentation.mirror:
            image, landmarks_K2, roi = mirror(image, landmarks_K2, roi, self.scheme, official=False)
        crop, landmarks_K2 = vary(image, landmarks_K2, roi, augmentation=self.augmentation, rng=rng, size=size)
        return StarBatch(
            crops=torch.from_numpy(np.ascontiguousarray(crop)),
            landmarks=torch.from_numpy(normalise(landmarks_K2, size)),
            point_maps=torch.from_numpy(point_maps(landmarks_K2, size)),
            edge_maps=torch.from_numpy(edge_maps(landmarks_K2, self._edges, size)),
            weight=torch.tensor(float(sample.weight)),
        )
