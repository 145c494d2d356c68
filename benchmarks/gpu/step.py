"""One step of a STAR training, as fast as it can be put together, and the time of each of its parts."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from startrack.train.feed.star_batch import StarBatch
from startrack.train.feed.star_batches import KeyBatch, StarBatches
from startrack.train.losses.star_stacks import StackedStarLoss
from startrack.train.models.star_hourglass import StarHourglass, StarOutput
from startrack.train.weights.ema import WeightAverage, half_life_decay

PARTS = ("prepare", "forward", "loss", "backward", "optimiser", "average")


@dataclass(frozen=True)
class Setting:
    """How a step is run."""

    name: str
    bfloat16: bool = False
    tf32: bool = False
    channels_last: bool = False
    compiled: bool = False
    compiled_loss: bool = False

    @staticmethod
    def all() -> tuple[Setting, ...]:
        return (
            Setting("bfloat16 channels_last compiled+loss", True, True, True, True, True),
            Setting("bfloat16 channels_last compiled", True, True, True, True),
            Setting("bfloat16 compiled", True, True, False, True),
            Setting("bfloat16 channels_last", True, True, True),
            Setting("bfloat16", True, True),
            Setting("tf32 channels_last compiled", False, True, True, True),
            Setting("tf32 channels_last", False, True, True),
            Setting("float32 channels_last", False, False, True),
            Setting("float32"),
        )


class _Input(nn.Module):
    """Crops as they are cut → the network."""

    def __init__(self, network: StarHourglass, *, channels_last: bool) -> None:
        super().__init__()
        self.network = network
        self.order = torch.channels_last if channels_last else torch.contiguous_format

    def forward(self, crops_BSS3: Tensor) -> StarOutput:
        images = (crops_BSS3.permute(0, 3, 1, 2).float() - 127.5) / 127.5
        output: StarOutput = self.network(images.contiguous(memory_format=self.order))
        return output


class Step:
    """A network in training, and its next step."""

    def __init__(self, made: StarBatches, setting: Setting, *, stacks: int, channels: int, device: str) -> None:
        self.made, self.setting, self.device = made, setting, device
        torch.manual_seed(0)
        torch.compiler.reset()  # else a second batch size is compiled for any size
        torch.backends.cudnn.benchmark = True
        torch.backends.cudnn.allow_tf32 = setting.tf32
        torch.set_float32_matmul_precision("high" if setting.tf32 else "highest")
        scheme = made.scheme
        edges = [edge.indices for edge in scheme.edges]
        network = StarHourglass(scheme.num_landmarks, edges, stacks=stacks, channels=channels)
        model = _Input(network, channels_last=setting.channels_last).to(device)
        if setting.channels_last:
            model = model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.model = model
        self.optimiser = torch.optim.Adam(model.parameters(), lr=1e-3, fused=device.startswith("cuda"))
        self.average = WeightAverage(model, half_life_decay(128), warm_up=False)
        self.network: Callable[..., Any] = torch.compile(model) if setting.compiled else model
        self.losses = StackedStarLoss()
        self.loss: Callable[..., Tensor] = torch.compile(self._loss) if setting.compiled_loss else self._loss
        self.number = 0

    def _loss(self, output: StarOutput, batch: StarBatch) -> Tensor:
        return torch.stack(list(self.losses(output, batch).values())).sum()

    def run(self, batch: int, mark: Callable[[str], None] = lambda part: None) -> None:
        """One step; mark is called after each part. The device is not waited for."""
        self.number += 1
        numbers = torch.arange(batch, device=self.device)
        items = (numbers + self.number * batch) % len(self.made)
        faces = self.made.prepare(KeyBatch(torch.full_like(items, self.number), items), self.device)
        mark("prepare")
        with torch.autocast(self.device.split(":")[0], dtype=torch.bfloat16, enabled=self.setting.bfloat16):
            output = self.network(faces.crops)
        mark("forward")
        total = self.loss(output, faces)
        mark("loss")
        total.backward()  # type: ignore[no-untyped-call]
        mark("backward")
        self.optimiser.step()
        self.optimiser.zero_grad(set_to_none=True)
        mark("optimiser")
        self.average.update(self.model)
        mark("average")

    def wait(self) -> None:
        if self.device.startswith("cuda"):
            torch.cuda.synchronize()

    def parts_ms(self, batch: int, *, steps: int) -> dict[str, float]:
        """Mean milliseconds of each part, waiting for the device after each: their sum is more than a step's."""
        spent = dict.fromkeys(PARTS, 0.0)
        for _ in range(steps):
            self.wait()
            last = time.perf_counter()

            def mark(part: str) -> None:
                nonlocal last
                self.wait()
                now = time.perf_counter()
                spent[part] += 1e3 * (now - last) / steps
                last = now

            self.run(batch, mark)
        return spent
