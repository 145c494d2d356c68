from __future__ import annotations

import math

import pytest
import torch

from startrack.train.augment.batch_random import normal, random_bytes, sample_keys, uniform, words


def keys(count: int, seed: int = 0) -> torch.Tensor:
    return sample_keys(torch.arange(count) // 100, torch.arange(count) % 100, seed)


def test_words_are_those_of_splitmix64() -> None:
    """First outputs for the seed 1234567, as published with the generator (Rosetta Code, "Pseudo-random numbers")."""
    expected = [6457827717110365317, 3203168211198807973, 9817491932198370423, 4593380528125082431]
    found = words(torch.tensor([1234567]), 0, 4)[0].tolist()
    assert [value % 2**64 for value in found] == expected
    assert words(torch.tensor([1234567]), 2, 2)[0].tolist() == found[2:]


def test_a_sample_has_its_numbers_whatever_stands_beside_it() -> None:
    whole = uniform(keys(64, seed=3), 0, 10)
    assert torch.equal(uniform(keys(64, seed=3)[17:18], 0, 10), whole[17:18])
    order = torch.randperm(64, generator=torch.Generator().manual_seed(0))
    assert torch.equal(uniform(keys(64, seed=3)[order], 0, 10), whole[order])


def test_every_part_of_the_key_counts() -> None:
    one = torch.ones(1, dtype=torch.int64)
    streams = [sample_keys(e * one, i * one, seed).item() for e in range(9) for i in range(9) for seed in range(-1, 3)]
    assert len(set(streams)) == len(streams)
    assert sample_keys(one, one, 2**64 + 5).item() == sample_keys(one, one, 5).item()


def test_uniform_is_uniform() -> None:
    draws = uniform(keys(4000), 0, 8)
    assert ((draws >= 0) & (draws < 1)).all()
    # 32000 draws in ten bins: 3200 each, sigma 54
    assert (torch.histc(draws.float(), 10, 0, 1) - 3200).abs().max() < 5 * 54
    correlation = torch.corrcoef(draws.T) - torch.eye(8)
    assert correlation.abs().max() < 5 / math.sqrt(4000)
    neighbours = torch.corrcoef(torch.stack([draws[:-1, 0], draws[1:, 0]]))[0, 1]
    assert neighbours.abs() < 5 / math.sqrt(4000)


def test_normal_is_normal() -> None:
    draws = normal(uniform(keys(8000), 0, 4))
    assert draws.shape == (8000, 4)
    torch.testing.assert_close(draws.mean(dim=0), torch.zeros(4).double(), atol=5 / math.sqrt(8000), rtol=0)
    torch.testing.assert_close(torch.cov(draws.T), torch.eye(4).double(), atol=0.08, rtol=0)
    for limit in (0.5, 1, 2, 3):
        expected = math.erf(limit / math.sqrt(2))
        spread = math.sqrt(expected * (1 - expected) / draws.numel())
        assert (draws.abs() < limit).double().mean().item() == pytest.approx(expected, abs=5 * spread)


def test_bytes_are_even() -> None:
    found = random_bytes(keys(100), 20, 2560)
    assert found.shape == (100, 2560)
    counts = torch.bincount(found.flatten().long(), minlength=256)
    assert (counts - 1000).abs().max() < 5.5 * math.sqrt(1000)
    assert torch.equal(random_bytes(keys(100), 21, 8), found[:, 8:16])
