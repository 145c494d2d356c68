"""Every recipe by name."""

from __future__ import annotations

from collections.abc import Callable

from startrack.train.recipes.awing import awing_300w, awing_300w_small, awing_cofw, awing_wflw
from startrack.train.recipes.compact import compact_300w, compact_300w_large
from startrack.train.recipes.compact_distilled import (
    compact_300w_distilled,
    compact_300w_large_distilled,
    compact_300w_slim,
    compact_300w_small,
)
from startrack.train.recipes.de_hrnet_body import dehrnet_300w, dehrnet_coco, dehrnet_coco_small, dehrnet_mpii
from startrack.train.recipes.eyes import eyes
from startrack.train.recipes.face_detector import face_detector, face_detector_tuned
from startrack.train.recipes.free import free_landmarks
from startrack.train.recipes.free_detector import free_detector
from startrack.train.recipes.hrnet import (
    hrnet_300w,
    hrnet_300w_small,
    hrnet_coco,
    hrnet_coco_small,
    hrnet_coco_w48,
    hrnet_mpii,
)
from startrack.train.recipes.own_points import own_points
from startrack.train.recipes.recipe import Recipe
from startrack.train.recipes.star import star_300w, star_300w_small
from startrack.train.recipes.star_cofw import star_cofw
from startrack.train.recipes.star_points import star_points
from startrack.train.recipes.star_wflw import star_wflw

RECIPES: dict[str, Callable[..., Recipe]] = {
    "compact-300w": compact_300w,
    "compact-300w-large": compact_300w_large,
    "compact-300w-distilled": compact_300w_distilled,
    "compact-300w-small": compact_300w_small,
    "compact-300w-slim": compact_300w_slim,
    "compact-300w-large-distilled": compact_300w_large_distilled,
    "eyes": eyes,
    "face-detector": face_detector,
    "face-detector-tuned": face_detector_tuned,
    "free-landmarks": free_landmarks,
    "free-detector": free_detector,
    "star-300w": star_300w,
    "star-300w-small": star_300w_small,
    "star-wflw": star_wflw,
    "star-cofw": star_cofw,
    "star-points": star_points,
    "own-points": own_points,
    "awing-300w": awing_300w,
    "awing-300w-small": awing_300w_small,
    "awing-wflw": awing_wflw,
    "awing-cofw": awing_cofw,
    "hrnet-300w": hrnet_300w,
    "hrnet-300w-small": hrnet_300w_small,
    "hrnet-coco": hrnet_coco,
    "hrnet-coco-w48": hrnet_coco_w48,
    "hrnet-coco-small": hrnet_coco_small,
    "hrnet-mpii": hrnet_mpii,
    "dehrnet-coco": dehrnet_coco,
    "dehrnet-coco-small": dehrnet_coco_small,
    "dehrnet-mpii": dehrnet_mpii,
    "dehrnet-300w": dehrnet_300w,
}
