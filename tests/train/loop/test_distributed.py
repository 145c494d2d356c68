"""Two processes over gloo against one, on a CPU."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch import nn

from startrack.train.loop.distributed import (
    ALONE,
    Ranks,
    SyncedBatchNorm2d,
    from_first,
    joined,
    mean_over_ranks,
    synchronise_norms,
)
from startrack.train.weights.checkpoint import load_training, load_weights
from tests.train.tiny_training import Job, run

ROOT = Path(__file__).parents[3]
pytestmark = pytest.mark.timeout(300)


def start(folder: Path, *, ranks: int = 1, **job: int) -> list[subprocess.Popen[str]]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    words = [sys.executable, "-m", "tests.train.tiny_training", str(folder), *(f"{k}={v}" for k, v in job.items())]
    place = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "WORLD_SIZE": str(ranks), "OMP_NUM_THREADS": "1"}
    return [
        subprocess.Popen(
            words,
            cwd=ROOT,
            env={**os.environ, **place, "RANK": str(rank), "LOCAL_RANK": str(rank), "PYTHONPATH": str(ROOT)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for rank in range(ranks)
    ]


def finish(processes: list[subprocess.Popen[str]], *codes: int) -> list[str]:
    """Wait for all; returns what each wrote to stderr."""
    written = [process.communicate(timeout=240)[1] for process in processes]
    found = [process.returncode for process in processes]
    assert found == list(codes or [0] * len(processes)), "\n".join(written)
    return written


def assert_same_weights(folder: Path, other: Path, tolerance: float) -> None:
    first, second = (load_weights(path / "weights.safetensors").state for path in (folder, other))
    assert first.keys() == second.keys()
    for name, value in first.items():
        torch.testing.assert_close(second[name], value, rtol=tolerance, atol=tolerance, msg=name)


@pytest.mark.parametrize("norms", [True, pytest.param(False, marks=pytest.mark.slow)])
def test_two_processes_learn_what_one_does(norms: bool, tmp_path: Path) -> None:
    # batches of 5 of 13 faces: shares of 3 and 2
    finish(start(tmp_path / "two", ranks=2, norms=int(norms), batch_size=5))
    run(tmp_path / "one", Job(norms=norms, batch_size=5))
    assert_same_weights(tmp_path / "one", tmp_path / "two", 1e-6)
    logs = [
        [json.loads(line) for line in (tmp_path / name / "log.jsonl").read_text().splitlines()]
        for name in ("one", "two")
    ]
    assert [line["epoch"] for line in logs[1]] == [1, 2, 3]
    for one, two in zip(*logs, strict=True):
        assert two == pytest.approx(one, abs=2e-6)
    # files are those of the first process alone
    assert sorted(path.name.split(".")[0] for path in (tmp_path / "two").iterdir()) == sorted(
        path.name.split(".")[0] for path in (tmp_path / "one").iterdir()
    )


@pytest.mark.slow
def test_a_loss_that_is_no_number_stops_every_process_with_its_batch_saved(tmp_path: Path) -> None:
    written = finish(start(tmp_path, ranks=2, nan_at=1, nan_rank=1), 1, 1)
    assert all("TrainingError: step 1: the loss is not finite" in text for text in written)
    for name in ("not_finite_step1.pt", "not_finite_step1_rank1.pt"):
        assert load_training(tmp_path / name)["batch"]["crops"].shape[0] == 3


@pytest.mark.parametrize("ranks", [1, pytest.param(2, marks=pytest.mark.slow)])
def test_a_training_killed_in_an_epoch_resumes_to_the_same_weights(ranks: int, tmp_path: Path) -> None:
    processes = start(tmp_path / "killed", ranks=ranks, kill_at=3, workers=1)
    for process in processes:
        process.communicate(timeout=240)
    assert [process.returncode for process in processes] == [-9] * ranks
    assert load_training(tmp_path / "killed" / "training.pt")["step"] == 3  # of 2 an epoch
    with open(tmp_path / "killed" / "log.jsonl", "a", encoding="utf-8") as log:
        log.write('{"step": 4, "epoch": 2}\n{"ste')  # as if it had been killed between log and state
    finish(start(tmp_path / "killed", ranks=ranks, resume=1))
    whole = tmp_path / "whole"
    if ranks == 1:
        run(whole, Job())
    else:
        finish(start(whole, ranks=ranks))
    assert_same_weights(whole, tmp_path / "killed", 0)
    assert (whole / "log.jsonl").read_text() == (tmp_path / "killed" / "log.jsonl").read_text()
    first, second = (load_training(folder / "training.pt") for folder in (whole, tmp_path / "killed"))
    assert first["terms"] == second["terms"]
    for name, value in first["model"].items():
        assert torch.equal(second["model"][name], value), name


def test_alone_there_is_nothing_to_share() -> None:
    assert Ranks.from_environment() == ALONE
    assert ALONE.first
    model, values = nn.Sequential(nn.BatchNorm2d(3)), torch.ones(2)
    with joined("cpu") as (ranks, device):
        assert (ranks, device) == (ALONE, "cpu")
        assert synchronise_norms(model, ranks, device) is model
        assert mean_over_ranks(values, ranks) is values
        assert from_first("state", ranks) == "state"
    assert type(model[0]) is nn.BatchNorm2d


def test_the_synchronised_norm_of_one_process_is_batch_norm(tmp_path: Path) -> None:
    torch.manual_seed(0)
    plain = nn.BatchNorm2d(3)
    nn.init.normal_(plain.weight)
    model = nn.Sequential(nn.BatchNorm2d(3))
    model.load_state_dict({f"0.{name}": value for name, value in plain.state_dict().items()})
    synced = synchronise_norms(model, Ranks(0, 2), "cpu")[0]
    assert type(synced) is SyncedBatchNorm2d
    torch.distributed.init_process_group("gloo", init_method=f"file://{tmp_path / 'meet'}", rank=0, world_size=1)
    try:
        for _ in range(3):
            x = torch.randn(4, 3, 5, 2) * 2 + 30
            first, second = (x.clone().requires_grad_() for _ in range(2))
            outputs = plain(first), synced(second)
            torch.testing.assert_close(*outputs, rtol=1e-5, atol=1e-5)
            for output in outputs:
                (output * torch.arange(2)).sum().backward()
            torch.testing.assert_close(first.grad, second.grad, rtol=1e-4, atol=1e-5)
            torch.testing.assert_close(plain.weight.grad, synced.weight.grad, rtol=1e-4, atol=1e-4)
    finally:
        torch.distributed.destroy_process_group()
    assert synced.state_dict().keys() == plain.state_dict().keys()
    for name, value in plain.state_dict().items():
        torch.testing.assert_close(synced.state_dict()[name], value, rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(plain.eval()(x), synced.eval()(x))
