"""Batches of a STAR training made on the device that trains: keys in, augmented crops and targets out.

What item i of epoch e shows depends on (seed, e, i) alone: not on the rank, the rest of the batch or the device. It is
not the pictures that the loader of single pictures shows for the same seed, whose numbers come from numpy, but the same
distribution, and for the same numbers the same crop (tests/train/augment/test_batch_warp.py and its neighbours).
"""

# B batch, K landmarks, E edges, S side of the crop

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.utils.data import Dataset

from startrack.tracker.schemes import COFW_29
from startrack.train.augment.batch_draws import StarDraws, draw_augmentation
from startrack.train.augment.batch_random import sample_keys
from startrack.train.augment.batch_texture import change_textures
from startrack.train.augment.batch_warp import drawn_warp, plain_warp, warp_landmarks, warp_pictures
from startrack.train.augment.star_augment import StarAugmentation
from startrack.train.feed.dataset import ItemKey
from startrack.train.feed.star_batch import StarBatch
from startrack.train.packs.packed_faces import PackedFaces
from startrack.train.targets.batch_targets import EdgeMaps, PointMaps
from startrack.train.targets.star import star_edges


class KeyBatch(NamedTuple):
    """Which faces, in which epochs' variation; one item has no leading B."""

    epoch: Tensor
    """(B,) int64."""
    item: Tensor
    """(B,) int64."""


class StarBatches(Dataset[KeyBatch]):
    """Packed faces as a data set of keys, and the way from keys to a StarBatch.

    Loading needs no worker process: an item is its key. All pictures move to the device of the first prepare.
    """

    def __init__(
        self,
        faces: PackedFaces,
        *,
        crop_scale: float,
        augmentation: StarAugmentation | None,
        crop_size: int = 256,
        seed: int = 0,
        official_mirror: bool = False,
    ) -> None:
        """crop_scale: side of the plain crop by the larger side of the landmarks' box (ModelSpec.crop_scale).
        augmentation: None gives the plain crop. official_mirror: whether COFW is mirrored as in the STAR code, for
        packs of landmarks that count from 1 ([TRAP] of star_augment.mirror); the loaders' count from 0."""
        self.scheme = faces.scheme
        self.maker = StarBatchMaker(faces, crop_scale=crop_scale, crop_size=crop_size, official_mirror=official_mirror)
        self.augmentation = augmentation
        self.seed = seed

    def __len__(self) -> int:
        return len(self.maker.weights)

    def __getitem__(self, key: ItemKey) -> KeyBatch:
        return KeyBatch(torch.tensor(key.epoch), torch.tensor(key.item))

    @torch.no_grad()
    def prepare(self, batch: KeyBatch, device: str) -> StarBatch:
        """The crops and targets of a batch of keys. From the second call on, the host waits for nothing."""
        self.maker.to(device)
        epoch, item = batch.epoch.to(device), batch.item.to(device)
        draws = None
        if self.augmentation is not None:
            keys = sample_keys(epoch, item, self.seed)
            draws = draw_augmentation(keys, self.augmentation, self.maker.crop_size)
        made: StarBatch = self.maker(item, draws)
        return made


class StarBatchMaker(nn.Module):
    """Faces on a device, and all that is computed there between draws and batch."""

    pictures: Tensor
    landmarks: Tensor
    rois: Tensor
    """(N, 3) float64 centre x, y and side of the plain crops, pixels of the packed pictures."""
    mirror_offsets: Tensor
    weights: Tensor
    flip_order: Tensor

    def __init__(self, faces: PackedFaces, *, crop_scale: float, crop_size: int, official_mirror: bool) -> None:
        super().__init__()
        self.crop_size = crop_size
        low, high = faces.landmarks.amin(dim=1), faces.landmarks.amax(dim=1)
        side = (high - low).amax(dim=1, keepdim=True) * crop_scale
        constants = {
            "pictures": faces.pictures,
            "landmarks": faces.landmarks,
            "rois": torch.cat([(low + high) / 2, side], dim=1),
            # a pixel of the original picture
            "mirror_offsets": faces.zooms * float(official_mirror and faces.scheme is COFW_29),
            "weights": faces.weights,
            "flip_order": torch.from_numpy(faces.scheme.flip_order),
        }
        for name, value in constants.items():
            self.register_buffer(name, value, persistent=False)
        self.points = PointMaps(crop_size)
        self.edges = EdgeMaps(star_edges(faces.scheme), crop_size)

    def forward(self, item_B: Tensor, draws: StarDraws | None) -> StarBatch:
        """item: (B,) int64; draws: None gives the plain crops."""
        rois_B3, size = self.rois[item_B], self.crop_size
        warp = plain_warp(len(item_B), item_B.device) if draws is None else drawn_warp(draws)
        offsets_B = self.mirror_offsets[item_B]
        crops_B3SS = warp_pictures(self.pictures[item_B], rois_B3, warp, mirror_offsets_B=offsets_B, size=size)
        if draws is not None:
            crops_B3SS = change_textures(crops_B3SS, draws)
        landmarks_BK2 = warp_landmarks(self.landmarks[item_B], rois_B3, warp, flip_order_K=self.flip_order, size=size)
        return StarBatch(
            crops=crops_B3SS.permute(0, 2, 3, 1).contiguous(),
            landmarks=((2 * landmarks_BK2 + 1) / size - 1).clamp(-1, 1).float(),
            point_maps=self.points(landmarks_BK2),
            edge_maps=self.edges(landmarks_BK2),
            weight=self.weights[item_B],
        )
