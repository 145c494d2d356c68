from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from engines.base import EngineError
from train.checkpoint import load_training, load_weights
from train.ema import WeightAverage
from train.models.compact_hourglass import CompactHourglass
from train.recipes import RECIPES
from train.recipes.compact import one_cycle
from train.recipes.recipe import Recipe
from train.trainer import TrainingError, TrainingOptions, train


def tiny_recipe(made_300w: Path, made_backgrounds: Path, epochs: int = 2) -> Recipe:
    recipe = RECIPES["compact-300w"](made_300w, backgrounds=made_backgrounds, epochs=epochs)
    torch.manual_seed(0)
    network = CompactHourglass(68, stacks=1, widths=(8, 8, 8), stem_width=8)
    return replace(recipe, model=network, batch_size=8, bfloat16=False)


def options(out: Path, **change) -> TrainingOptions:
    return TrainingOptions(**({"out": out, "workers": 0, "validate_epochs": 1, "checkpoint_minutes": 0.0} | change))


def test_training_leaves_weights_curves_and_state(made_300w: Path, made_backgrounds: Path, tmp_path: Path) -> None:
    recipe = tiny_recipe(made_300w, made_backgrounds)
    weights = load_weights(train(recipe, options(tmp_path)))
    assert weights.spec == recipe.spec
    recipe.model.load_state_dict(weights.state)
    lines = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert [line["epoch"] for line in lines] == [1, 2]
    assert {"step", "validation_nme", "learning_rate", "train/distance0", "train/presence"} <= set(lines[0])
    assert list(tmp_path.glob("events.out.tfevents.*"))


def test_a_killed_training_resumes_to_the_same_weights(made_300w: Path, made_backgrounds: Path, tmp_path: Path) -> None:
    whole = load_weights(train(tiny_recipe(made_300w, made_backgrounds), options(tmp_path / "whole")))

    class KilledError(Exception):
        pass

    recipe = tiny_recipe(made_300w, made_backgrounds)
    calls = 0

    def loss(output, batch):
        nonlocal calls
        calls += 1
        if calls == 4:  # in the second epoch
            raise KilledError
        return recipe.loss(output, batch)

    with pytest.raises(KilledError):
        train(replace(recipe, loss=loss), options(tmp_path / "killed"))
    assert load_training(tmp_path / "killed" / "training.pt")["step"] == 3
    again = tiny_recipe(made_300w, made_backgrounds)
    resumed = load_weights(train(again, options(tmp_path / "killed", resume=True)))
    for name, value in whole.state.items():
        torch.testing.assert_close(resumed.state[name], value, rtol=0, atol=0)


def test_a_loss_that_is_no_number_stops_with_the_batch_saved(
    made_300w: Path, made_backgrounds: Path, tmp_path: Path
) -> None:
    recipe = tiny_recipe(made_300w, made_backgrounds)
    broken = replace(recipe, loss=lambda output, batch: {"bad": output.presence_logit.sum() * float("nan")})
    with pytest.raises(TrainingError, match="step 0: the loss is not finite; weights and batch saved to") as caught:
        train(broken, options(tmp_path))
    saved = load_training(Path(str(caught.value).rsplit(" ", 1)[1]))
    assert saved["batch"]["crops"].shape[0] == 8


@pytest.mark.parametrize("content", [b"", b"text", b"PK\x03\x04broken"])
def test_a_damaged_state_or_checkpoint_is_named(tmp_path: Path, content: bytes) -> None:
    for name, load in (("training.pt", load_training), ("weights.safetensors", load_weights)):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(EngineError, match=name):
            load(tmp_path / name)
        with pytest.raises(EngineError, match=r"missing\.pt"):
            load(tmp_path / "missing.pt")


def test_a_state_that_would_execute_code_is_refused(tmp_path: Path) -> None:
    class Evil:
        def __reduce__(self):
            return (open, (str(tmp_path / "executed"), "w"))

    torch.save({"step": Evil()}, tmp_path / "training.pt")
    with pytest.raises(EngineError, match=r"training\.pt"):
        load_training(tmp_path / "training.pt")
    assert not (tmp_path / "executed").exists()


def test_average_forgets_its_start_and_follows_statistics() -> None:
    model = torch.nn.Sequential(torch.nn.Linear(2, 2), torch.nn.BatchNorm1d(2))
    average = WeightAverage(model, 0.9)
    with torch.no_grad():
        for value in model.parameters():
            value.fill_(3.0)
        model[1].running_mean.fill_(5.0)
        model[1].num_batches_tracked.fill_(7)
    average.update(model)
    first = average.model.state_dict()
    decay = 2 / 11
    assert float(first["1.running_mean"][0]) == pytest.approx(5 * (1 - decay))
    assert int(first["1.num_batches_tracked"]) == 7
    for _ in range(200):
        average.update(model)
    torch.testing.assert_close(average.model.state_dict(), model.state_dict(), rtol=1e-4, atol=1e-4)


def test_learning_rate_rises_then_falls() -> None:
    rates = [one_cycle(step / 1000) for step in range(1000)]
    peak = rates.index(max(rates))
    assert 20 <= peak <= 40
    assert rates[:peak] == sorted(rates[:peak])
    assert rates[peak:] == sorted(rates[peak:], reverse=True)
    assert rates[-1] < 0.01 * max(rates)
