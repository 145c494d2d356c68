"""The end of a network of regressed heatmaps as it is run, and its beginning: uint8 crops in, landmarks out."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from startrack.engines.base import ModelSpec
from startrack.train.models.awing_hourglass import MapOutput
from startrack.train.models.decode import soft_argmax
from startrack.train.models.decode_peaks import dark, find_peaks, quarter_offset
from startrack.train.models.landmark_head import LandmarkOutput

DARK_KERNEL = 11
"""engines.decode.dark's."""


class CropInput(nn.Module):
    """uint8 crops → the network's input; its view is given back as square heatmaps.

    width: how many columns of the crop, around its middle, the network sees; a body is higher than wide, and its
    network is spared the rest of the square. Heatmaps are 0 outside that part.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, network: nn.Module, spec: ModelSpec, *, width: int | None = None) -> None:
        super().__init__()
        self.network = network
        self.left = (spec.input_size - (width or spec.input_size)) // 2
        self.stride = spec.stride
        self.register_buffer("mean", torch.tensor(spec.mean).view(1, 3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(spec.std).view(1, 3, 1, 1), persistent=False)

    def forward(self, crops: Tensor) -> MapOutput:
        """crops: (B, S, S, 3) uint8."""
        seen = crops[:, :, self.left : crops.shape[2] - self.left]
        output = self.network((seen.permute(0, 3, 1, 2).float() - self.mean) / self.std)
        side = self.left // self.stride
        return MapOutput([F.pad(maps, (side, side)) for maps in output.maps] if side else output.maps)


class PeakLandmarks(nn.Module):
    """A network of regressed heatmaps → landmarks, by spec.decoder ("quarter_offset" or "dark")."""

    def __init__(self, network: nn.Module, spec: ModelSpec) -> None:
        super().__init__()
        self.network = network
        self.spec = spec

    def forward(self, crops: Tensor) -> LandmarkOutput:
        """crops: (B, S, S, 3) uint8. Presence is 1: such a network does not separate faces or bodies from
        background."""
        maps = self.network(crops).maps[-1][:, : self.spec.num_landmarks].float().relu()
        peaks = find_peaks(maps)
        cells = (
            dark(maps, peaks, kernel=DARK_KERNEL, max_step=1.0)
            if self.spec.decoder == "dark"
            else quarter_offset(maps, peaks)
        )
        points = self.spec.stride * (cells + 0.5) - 0.5
        score = peaks.values.clamp(0, 1)
        return LandmarkOutput(points, self._covariance(maps, peaks.values), score, maps.new_ones(maps.shape[0]), maps)

    def _covariance(self, maps_BKhw: Tensor, height_BK: Tensor) -> Tensor:
        """As engines.decode.peak_spread."""
        above = (maps_BKhw - 0.25 * height_BK[..., None, None]).relu()
        mass = above.sum((2, 3), keepdim=True)
        even = 1 / (above.shape[2] * above.shape[3])
        shares = torch.where(mass > 1e-12, above / mass.clamp_min(1e-12), even)
        xx, xy, yy = soft_argmax(shares, self.spec.stride).covariance.unbind(-1)
        return torch.stack([torch.stack([xx, xy], -1), torch.stack([xy, yy], -1)], -2)
