"""Random numbers that are a function of (seed, epoch, item, number of the draw), computed for a whole batch on its
device: the same on a CPU and a GPU, whatever else is in the batch and on whichever rank.

A counter-based generator: each word of 64 bits is the finaliser of SplitMix64 (Steele, Lea and Flood, OOPSLA 2014) over
a state that is a hash of the key plus a multiple of that generator's increment. Integers of torch wrap around.
"""

# B batch, D draws

from __future__ import annotations

import math

import torch
from torch import Tensor


def _signed(word: int) -> int:
    """The int64 with the bits of an unsigned word."""
    return word - 2**64 if word >= 2**63 else word


_INCREMENT = _signed(0x9E3779B97F4A7C15)
_FIRST, _SECOND = _signed(0xBF58476D1CE4E5B9), _signed(0x94D049BB133111EB)


def _finalise(words: Tensor) -> Tensor:
    """SplitMix64's bijection of int64 words."""
    words = (words ^ _shifted(words, 30)) * _FIRST
    words = (words ^ _shifted(words, 27)) * _SECOND
    return words ^ _shifted(words, 31)


def _shifted(words: Tensor, bits: int) -> Tensor:
    """Shift to the right that fills with zeros (torch's keeps the sign)."""
    return (words >> bits) & ((1 << (64 - bits)) - 1)


def sample_keys(epoch_B: Tensor, item_B: Tensor, seed: int) -> Tensor:
    """(B,) int64 key of each sample's own stream of words. epoch, item: (B,) int64."""
    start = torch.full_like(epoch_B, _signed(seed % 2**64))
    for value in (epoch_B, item_B):
        start = _finalise(start + _INCREMENT) + value
    return _finalise(start + _INCREMENT)


def words(keys_B: Tensor, first: int, count: int) -> Tensor:
    """(B, count) int64: words number first, first + 1, … of each stream, all 64 bits random."""
    numbers = torch.arange(first + 1, first + count + 1, device=keys_B.device)
    return _finalise(keys_B[:, None] + numbers * _INCREMENT)


def uniform(keys_B: Tensor, first: int, count: int) -> Tensor:
    """(B, count) float64 in [0, 1), multiples of 2⁻⁵³: one word each."""
    return _shifted(words(keys_B, first, count), 11).double() * 2.0**-53


def normal(uniform_BD: Tensor) -> Tensor:
    """(B, D) float64 standard normal, from an even number of uniform draws (Box and Muller, 1958): the first half gives
    the distances, the second the directions. Equal to the last bits on every device."""
    distance, turn = uniform_BD.chunk(2, dim=1)
    radius = torch.sqrt(-2 * torch.log1p(-distance))
    return torch.cat([radius * torch.cos(2 * math.pi * turn), radius * torch.sin(2 * math.pi * turn)], dim=1)


def random_bytes(keys_B: Tensor, first: int, count: int) -> Tensor:
    """(B, count) uint8; count a multiple of 8: a word gives eight."""
    return words(keys_B, first, count // 8).view(torch.uint8)
