"""The network of each specification, as it is trained and as it is deployed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch import nn

from startrack.train.recipes.awing import AWING_SPECS, awing_network
from startrack.train.recipes.compact import COMPACT_SPECS, compact_network
from startrack.train.recipes.de_hrnet_body import DE_HRNET_SPECS, de_hrnet_network
from startrack.train.recipes.face_detector import detector_network
from startrack.train.recipes.hrnet import HRNET_SPECS, hrnet_network
from startrack.train.recipes.star import STAR_SPECS, star_network

NETWORKS: dict[str, Callable[[Any], tuple[nn.Module, nn.Module]]] = {
    **dict.fromkeys(COMPACT_SPECS, compact_network),
    "face-detector": detector_network,
    **dict.fromkeys((*STAR_SPECS, "star-points"), star_network),
    **dict.fromkeys(AWING_SPECS, awing_network),
    **dict.fromkeys(HRNET_SPECS, hrnet_network),
    **dict.fromkeys(DE_HRNET_SPECS, de_hrnet_network),
}
"""Name of a specification → the network that a checkpoint's weights fit, and the same with decoding, as exported."""
