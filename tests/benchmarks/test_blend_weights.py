from __future__ import annotations

import torch
from torch import nn

from benchmarks.shipping.blend_weights import blend


class Tiny(nn.Module):
    def __init__(self, weight: float) -> None:
        super().__init__()
        self.conv, self.norm = nn.Conv2d(3, 1, 1, bias=False), nn.BatchNorm2d(1)
        nn.init.constant_(self.conv.weight, weight)

    def forward(self, pictures: torch.Tensor) -> torch.Tensor:
        return self.norm(self.conv(pictures.permute(0, 3, 1, 2).float()))  # type: ignore[no-any-return]


def test_weights_lie_between_and_norms_are_measured_again() -> None:
    first, last = Tiny(1.0), Tiny(3.0)
    pictures = torch.full((40, 2, 2, 3), 5, dtype=torch.uint8)
    pictures[:20] = 7
    blend(first, last.state_dict(), 0.25, pictures)
    assert torch.allclose(first.conv.weight, torch.full((1, 3, 1, 1), 1.5))
    # two batches, of 32 and 8: their means 1.5 · 3 · (7 · 20 + 5 · 12) / 32 and 1.5 · 3 · 5, each counted once
    assert first.norm.running_mean is not None
    assert torch.allclose(first.norm.running_mean, torch.tensor([(4.5 * 6.25 + 4.5 * 5) / 2]))
    assert not first.training
