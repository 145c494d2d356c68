"""Processes that train one network together, as torchrun starts them: one for each GPU, or a few on a CPU.

    torchrun --nproc-per-node=4 cli.py train …

Each works on its share of every batch; gradients, and the statistics of batch norms, are those of the whole batch.
"""

# B batch, C channels, h w rows and columns

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, TypeVar

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

Value = TypeVar("Value")

PATIENCE = timedelta(minutes=30)
"""How long a process waits for the others: while the first one validates, they do."""


@dataclass(frozen=True, slots=True)
class Ranks:
    """Which of how many processes this is."""

    rank: int = 0
    world_size: int = 1
    local_rank: int = 0
    """Among those of this machine: the number of its GPU."""

    @property
    def first(self) -> bool:
        """Whether this process writes files, validates and speaks."""
        return self.rank == 0

    @classmethod
    def from_environment(cls) -> Ranks:
        """As torchrun says; alone without it."""
        return cls(*(int(os.environ.get(name, default)) for name, default in _VARIABLES))


ALONE = Ranks()
_VARIABLES = (("RANK", 0), ("WORLD_SIZE", 1), ("LOCAL_RANK", 0))


@contextmanager
def joined(device: str) -> Iterator[tuple[Ranks, str]]:
    """Meet the other processes, and part from them at the end; gives the own rank and device ("cuda" becomes "cuda:1").

    NCCL between GPUs, gloo between CPUs. Alone nothing happens.
    """
    ranks = Ranks.from_environment()
    if device == "cuda":
        device = f"cuda:{ranks.local_rank}"
        torch.cuda.set_device(device)
    if ranks.world_size == 1:
        yield ranks, device
        return
    dist.init_process_group("nccl" if device.startswith("cuda") else "gloo", timeout=PATIENCE)
    try:
        yield ranks, device
    finally:
        dist.destroy_process_group()


def from_first(value: Value | None, ranks: Ranks) -> Value | None:
    """The first process's value, for all; the others' own value is not looked at."""
    if ranks.world_size == 1:
        return value
    shared: list[Any] = [value]
    dist.broadcast_object_list(shared, src=0)
    return shared[0]  # type: ignore[no-any-return]


def mean_over_ranks(values: Tensor, ranks: Ranks) -> Tensor:
    """The mean of a tensor over all processes, without gradients."""
    if ranks.world_size == 1:
        return values
    total = values.clone()
    dist.all_reduce(total)
    return total / ranks.world_size


def share_gradients(model: nn.Module, ranks: Ranks) -> nn.Module:
    """The network as it is to be called: a backward pass leaves the mean of all processes' gradients."""
    if ranks.world_size == 1:
        return model
    return DistributedDataParallel(model, gradient_as_bucket_view=True)


def synchronise_norms(model: nn.Module, ranks: Ranks, device: str) -> nn.Module:
    """Batch norms over the whole batch instead of this process' share; names in the state dict stay as they are."""
    if ranks.world_size == 1:
        return model
    if device.startswith("cuda"):
        converted: nn.Module = nn.SyncBatchNorm.convert_sync_batchnorm(model)  # type: ignore[no-untyped-call]
        return converted
    for name, child in list(model.named_modules()):
        if type(child) is nn.BatchNorm2d:
            model.set_submodule(name, SyncedBatchNorm2d.of(child))
    return model


class SyncedBatchNorm2d(nn.BatchNorm2d):
    """Batch norm over all processes on a CPU, where torch's own SyncBatchNorm does not run.

    Sums are exchanged in float64: the variance is a small difference of large ones.
    """

    @classmethod
    def of(cls, norm: nn.BatchNorm2d) -> SyncedBatchNorm2d:
        """The same norm with the same weights and statistics, synchronised."""
        synced = cls(norm.num_features, norm.eps, norm.momentum, norm.affine, norm.track_running_stats)
        synced.__dict__.update(norm.__dict__)
        return synced

    def forward(self, input: Tensor) -> Tensor:
        """(B, C, h, w) → the same shape and type; only a training step needs the other processes."""
        if not self.training:
            return super().forward(input)
        x_BChw = input.to(self.running_mean.dtype)  # type: ignore[union-attr]
        size = x_BChw.numel() // x_BChw.shape[1]
        var_C, mean_C = (value.double() for value in torch.var_mean(x_BChw, dim=(0, 2, 3), correction=0))
        own = torch.cat([mean_C, var_C + mean_C.square(), mean_C.new_ones(1)]) * size
        sums: Tensor = _SumOverRanks.apply(own)  # type: ignore[no-untyped-call]
        count = sums[-1].detach()
        mean_C, square_C = (sums[:-1] / count).chunk(2)
        var_C = (square_C - mean_C.square()).clamp_min(0)
        self._follow(mean_C.detach(), var_C.detach() * count / (count - 1).clamp_min(1))
        scale_C = (var_C + self.eps).rsqrt().to(x_BChw.dtype) * self.weight
        shift_C = self.bias - mean_C.to(x_BChw.dtype) * scale_C
        return torch.addcmul(shift_C.view(1, -1, 1, 1), x_BChw, scale_C.view(1, -1, 1, 1)).to(input.dtype)

    @torch.no_grad()
    def _follow(self, mean_C: Tensor, variance_C: Tensor) -> None:
        """Move the running statistics as nn.BatchNorm2d does, by the unbiased variance."""
        assert self.running_mean is not None
        assert self.running_var is not None
        assert self.num_batches_tracked is not None
        self.num_batches_tracked += 1
        share = 1 / float(self.num_batches_tracked) if self.momentum is None else self.momentum
        self.running_mean.lerp_(mean_C.to(self.running_mean.dtype), share)
        self.running_var.lerp_(variance_C.to(self.running_var.dtype), share)


class _SumOverRanks(torch.autograd.Function):
    """The sum of a tensor over all processes; so is its gradient, for every process' loss depends on it."""

    @staticmethod
    def forward(ctx: Any, values: Tensor) -> Tensor:
        total = values.clone()
        dist.all_reduce(total)
        return total

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        total = gradients[0].clone()
        dist.all_reduce(total)
        return total
