"""DE-HRNet: HRNet with detail enhancement modules and DySample (Liu et al., PLoS ONE 20(9): e0325540, 2025).

No code was published, and only the abstract and a summary were at hand. Each open question is one field of
DeHrnetChoices each, with the reason for its default; a reading of the paper's text changes it there and nowhere else.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from torch import Tensor, nn

from startrack.train.models.compact_hourglass import conv_norm
from startrack.train.models.dem import DetailGate, DualDetailGate
from startrack.train.models.dysample import DySample
from startrack.train.models.hrnet import HRNet, Upsampler


@dataclass(frozen=True, slots=True)
class DeHrnetChoices:
    """Every inference about DE-HRNet that the paper's text would settle."""

    placement: Literal["stage", "module"] = "stage"
    """DEM after the last exchange module of stages 2, 3 and 4, or after every one of them. Inferred: the caption says
    only that it acts on the branches; once per stage is the fewest."""
    joining: Literal["sum", "concat"] = "sum"
    """α of the two-input version (train.models.dem). Inferred: the sum keeps the branch's width."""
    reduction: int = 16
    """Of the two fully connected layers. Inferred: SENet's, which the summary names."""
    bias: bool = True
    """Of the two layers. Inferred: SENet's."""
    start: float = 0.0
    """Bias of the second layer at the start. Inferred: nothing is said of it, so the gate starts near 1.5."""
    dropout: float = 0.1
    """After the two-input version. Inferred: the figure shows it, its rate is not known."""
    dropout_of: Literal["elements", "channels"] = "elements"
    """Inferred: the formula says dropout without more."""
    style: Literal["lp", "pl"] = "lp"
    """DySample's offsets. Inferred: the default of its paper; "pl" cannot take steps of 8 with 32 channels."""
    groups: int = 4
    """DySample's. Inferred: the default of its paper, halved until it divides the branch's width (W18: 2)."""
    dynamic: bool = False
    """DySample's scope. Inferred: DySample, not DySample+, is named."""
    upsample_first: bool = False
    """DySample on the coarse branch before its 1×1 convolution instead of after it. Inferred: it takes the place of
    HRNet's interpolation, which comes after, and costs a fifth there."""


class SampledBridge(nn.Sequential):
    """A coarse branch joins a finer one: 1×1 convolution and norm under HRNet's names, and DySample."""

    def __init__(self, channels_in: int, channels_out: int, scale: int, choices: DeHrnetChoices) -> None:
        width = channels_in if choices.upsample_first else channels_out
        groups = choices.groups
        while width % groups:
            groups //= 2
        grow = DySample(width, scale, style=choices.style, groups=groups, dynamic=choices.dynamic)
        super().__init__(*conv_norm(channels_in, channels_out, kernel=1), grow)
        self.upsample_first = choices.upsample_first

    def forward(self, x: Tensor) -> Tensor:
        conv, norm, grow = self
        result: Tensor = norm(conv(grow(x))) if self.upsample_first else grow(norm(conv(x)))
        return result


class DeHRNet(HRNet):
    """Images → K heatmaps at a quarter of the size, with the names of HRNet's published weights for all of its parts.

    [INF] The paper's base is HRNet-W32 in the form for bodies: its gains over HRNet are those over W32.
    """

    def __init__(
        self,
        num_landmarks: int,
        *,
        width: int = 32,
        modules: Sequence[int] = (1, 4, 3),
        blocks: int = 4,
        all_branches: bool = False,
        choices: DeHrnetChoices | None = None,
    ) -> None:
        chosen = choices or DeHrnetChoices()
        super().__init__(
            num_landmarks,
            width=width,
            modules=modules,
            blocks=blocks,
            all_branches=all_branches,
            upsampler=_sampling(chosen),
        )
        self.choices = chosen
        self.details = nn.ModuleDict()
        for stage in (2, 3, 4):
            for number in self._enhanced(stage, modules[stage - 2]):
                last = stage == 4 and number == modules[2] - 1 and not all_branches
                widths = [width * 2**branch for branch in range(1 if last else stage)]
                self.details[f"{stage}_{number}"] = Enhancement(widths, chosen)

    def _enhanced(self, stage: int, count: int) -> Sequence[int]:
        """Which exchange modules of a stage are followed by a DEM."""
        return range(count) if self.choices.placement == "module" else (count - 1,)

    def run_modules(self, stage: int, maps: list[Tensor]) -> list[Tensor]:
        for number, module in enumerate(getattr(self, f"stage{stage}")):
            maps = module(maps)
            key = f"{stage}_{number}"
            if key in self.details:
                maps = self.details[key](maps)
        return maps


class Enhancement(nn.ModuleList):
    """A DEM on every branch: of one input on the finest, on each other one of itself and the next finer."""

    def __init__(self, widths: Sequence[int], choices: DeHrnetChoices) -> None:
        super().__init__([_gate(widths[0], choices)])
        dropout = nn.Dropout if choices.dropout_of == "elements" else nn.Dropout2d
        for high, low in itertools.pairwise(widths):
            gate = _gate(low if choices.joining == "sum" else 2 * low, choices)
            self.append(DualDetailGate(high, low, joining=choices.joining, gate=gate, dropout=dropout(choices.dropout)))

    def forward(self, maps: list[Tensor]) -> list[Tensor]:
        """All of them read the branches as they came."""
        finest, *others = self
        pairs = zip(others, maps[1:], maps, strict=False)
        return [finest(maps[0]), *(gate(low, high) for gate, low, high in pairs)]


def _gate(channels: int, choices: DeHrnetChoices) -> DetailGate:
    return DetailGate(channels, reduction=choices.reduction, bias=choices.bias, start=choices.start)


def _sampling(choices: DeHrnetChoices) -> Upsampler:
    def make(channels_in: int, channels_out: int, scale: int) -> nn.Module:
        return SampledBridge(channels_in, channels_out, scale, choices)

    return make
