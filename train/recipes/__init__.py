"""Every recipe by name, and the network of each as it is deployed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch import nn

from train.recipes.awing import AWING_SPECS, awing_300w, awing_300w_small, awing_cofw, awing_network, awing_wflw
from train.recipes.compact import compact_300w, compact_network
from train.recipes.de_hrnet_body import (
    DE_HRNET_SPECS,
    de_hrnet_network,
    dehrnet_300w,
    dehrnet_coco,
    dehrnet_coco_small,
    dehrnet_mpii,
)
from train.recipes.face_detector import detector_network, face_detector
from train.recipes.hrnet import (
    HRNET_SPECS,
    hrnet_300w,
    hrnet_300w_small,
    hrnet_coco,
    hrnet_coco_small,
    hrnet_coco_w48,
    hrnet_mpii,
    hrnet_network,
)
from train.recipes.recipe import Recipe
from train.recipes.star import STAR_SPECS, star_300w, star_300w_small, star_network
from train.recipes.star_cofw import star_cofw
from train.recipes.star_points import star_points
from train.recipes.star_wflw import star_wflw

RECIPES: dict[str, Callable[..., Recipe]] = {
    "compact-300w": compact_300w,
    "face-detector": face_detector,
    "star-300w": star_300w,
    "star-300w-small": star_300w_small,
    "star-wflw": star_wflw,
    "star-cofw": star_cofw,
    "star-points": star_points,
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
NETWORKS: dict[str, Callable[[Any], tuple[nn.Module, nn.Module]]] = {
    "compact-300w": compact_network,
    "face-detector": detector_network,
    **dict.fromkeys((*STAR_SPECS, "star-points"), star_network),
    **dict.fromkeys(AWING_SPECS, awing_network),
    **dict.fromkeys(HRNET_SPECS, hrnet_network),
    **dict.fromkeys(DE_HRNET_SPECS, de_hrnet_network),
}
"""Name of a specification → the network that a checkpoint's weights fit, and the same with decoding, as exported."""
