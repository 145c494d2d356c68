from __future__ import annotations

import io
import json
import os
import signal
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from rich.console import Console

from startrack.engines.base import EngineError
from startrack.stopping import Stopped, stoppable
from startrack.tracker.sinks.base import SinkError
from startrack.train.loop.progress import Progress
from startrack.train.loop.trainer import TrainingError, TrainingOptions, train
from startrack.train.models.compact_hourglass import CompactHourglass
from startrack.train.recipes import RECIPES
from startrack.train.recipes.compact import one_cycle
from startrack.train.recipes.recipe import Recipe
from startrack.train.recipes.star import milestones
from startrack.train.weights.checkpoint import load_training, load_weights
from startrack.train.weights.ema import WeightAverage, half_life_decay
from tests.train.tiny_training import Job, make_recipe
from tests.train.tiny_training import run as run_tiny


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


def test_a_training_that_is_stopped_is_saved_and_goes_on(
    made_300w: Path, made_backgrounds: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    whole = load_weights(train(tiny_recipe(made_300w, made_backgrounds), options(tmp_path / "whole")))
    recipe, calls = tiny_recipe(made_300w, made_backgrounds), 0

    def loss(output, batch):
        nonlocal calls
        calls += 1
        if calls == 3:
            os.kill(os.getpid(), signal.SIGTERM)  # in the middle of a step, which is done whole
        return recipe.loss(output, batch)

    rarely = options(tmp_path / "stopped", checkpoint_minutes=60.0, resume=True)  # on nothing: starts
    with stoppable(), pytest.raises(Stopped):
        train(replace(recipe, loss=loss), rarely)
    assert load_training(tmp_path / "stopped" / "training.pt")["step"] == 3
    assert "saved after step 3" in capsys.readouterr().out
    resumed = load_weights(train(tiny_recipe(made_300w, made_backgrounds), rarely))
    assert "going on after step 3\n" in capsys.readouterr().out
    for name, value in whole.state.items():
        torch.testing.assert_close(resumed.state[name], value, rtol=0, atol=0)


def test_a_folder_that_holds_a_training_is_not_overwritten(
    made_300w: Path, made_backgrounds: Path, tmp_path: Path
) -> None:
    weights = train(tiny_recipe(made_300w, made_backgrounds, epochs=1), options(tmp_path))
    before, log = weights.read_bytes(), (tmp_path / "log.jsonl").read_bytes()
    with pytest.raises(SinkError, match=r"holds a training \(training.pt, weights.safetensors\); expected another"):
        train(tiny_recipe(made_300w, made_backgrounds), options(tmp_path))
    assert weights.read_bytes() == before
    assert (tmp_path / "log.jsonl").read_bytes() == log


def test_what_has_changed_is_named_and_another_recipe_is_refused(
    made_300w: Path, made_backgrounds: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    train(tiny_recipe(made_300w, made_backgrounds, epochs=1), options(tmp_path))
    train(tiny_recipe(made_300w, made_backgrounds, epochs=2), options(tmp_path, resume=True))
    assert "changed since: epochs 1 → 2" in capsys.readouterr().out
    other = replace(tiny_recipe(made_300w, made_backgrounds), name="other")
    with pytest.raises(EngineError, match=r"training.pt: a training of compact-300w; expected one of other"):
        train(other, options(tmp_path, resume=True))
    wider = replace(
        tiny_recipe(made_300w, made_backgrounds), model=CompactHourglass(68, stacks=1, widths=(16, 8, 8), stem_width=8)
    )
    with pytest.raises(EngineError, match=r"training.pt: not a training of this recipe: ") as caught:
        train(wider, options(tmp_path, resume=True))
    assert "\n" not in str(caught.value)


def test_progress_speaks_from_the_first_second_where_there_is_no_terminal() -> None:
    screen, now = io.StringIO(), 0.0
    progress = Progress(
        "compact", total=100, faces_per_step=16, console=Console(file=screen, width=200), clock=lambda: now
    )
    with progress:
        for _ in range(40):
            now += 2.0
            progress.advance(1.2345)
    lines = screen.getvalue().splitlines()
    assert lines[0] == "compact: step 1 of 100, loss 1.234, 8 faces/s, 0:03:18 left"
    assert len(lines) == 3


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


def test_without_warm_up_the_average_starts_as_a_copy_and_decays_evenly() -> None:
    decay = half_life_decay(128)
    assert decay ** (10_000 / 128) == pytest.approx(0.5)
    model = torch.nn.Sequential(torch.nn.Linear(2, 2), torch.nn.BatchNorm1d(2))
    average = WeightAverage(model, decay, warm_up=False)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    with torch.no_grad():
        model[0].weight.add_(1)
        model[1].running_var.add_(2)
        model[1].num_batches_tracked.add_(3)
    average.update(model)
    state = average.model.state_dict()
    torch.testing.assert_close(state["0.weight"], before["0.weight"] + 1 - decay)
    torch.testing.assert_close(state["1.running_var"], before["1.running_var"] + 2 * (1 - decay))
    assert int(state["1.num_batches_tracked"]) == 3


@pytest.mark.parametrize("accumulate", [2, 4, 9])
def test_a_batch_in_parts_teaches_what_the_whole_does(accumulate: int, tmp_path: Path) -> None:
    # 6 faces in parts of 3, of 2 and of 1; without norms, which would see the parts alone
    whole = load_weights(run_tiny(tmp_path / "whole", Job(norms=False)))
    parts = load_weights(run_tiny(tmp_path / "parts", Job(norms=False, accumulate=accumulate)))
    for name, value in whole.state.items():
        torch.testing.assert_close(parts.state[name], value, rtol=1e-6, atol=1e-8)


def test_a_gradient_is_clipped_only_if_the_recipe_says_so(tmp_path: Path) -> None:
    def sgd(model: torch.nn.Module) -> torch.optim.Optimizer:
        return torch.optim.SGD(model.parameters())

    start = make_recipe(Job()).model.state_dict()["stem.0.conv.weight"]
    moved = {}
    for clip in (1e-3, None):
        recipe = replace(make_recipe(Job()), clip_gradient=clip, make_optimiser=sgd, epochs=1)
        train(recipe, options(tmp_path / str(clip)))
        moved[clip] = float((recipe.model.state_dict()["stem.0.conv.weight"] - start).norm())
    assert 0 < moved[1e-3] <= 2 * 1e-3 * 1e-3 < moved[None]  # two steps at a rate of 1e-3


@pytest.mark.parametrize("precision", ["float32", "tf32", "bfloat16"])
def test_products_are_as_exact_as_asked(precision: str, tmp_path: Path) -> None:
    recipe = make_recipe(Job())
    types = set()
    recipe.model.float().stem[0].conv.register_forward_hook(lambda module, given, output: types.add(output.dtype))
    train(replace(recipe, epochs=1), options(tmp_path, precision=precision))
    assert types == {torch.bfloat16 if precision == "bfloat16" else torch.float32}
    assert torch.backends.cudnn.allow_tf32 == (precision == "tf32")


def test_a_gradient_that_is_no_number_stops_too_and_changes_nothing(tmp_path: Path) -> None:
    recipe = make_recipe(Job())

    def loss(output, batch):
        zero = (output.heatmaps[0] * 0).abs().sum()
        return {**recipe.loss(output, batch), "root": torch.sqrt(zero)}  # its slope at 0 is 0 · ∞

    before = {name: value.clone() for name, value in recipe.model.named_parameters()}
    with pytest.raises(TrainingError, match="step 0: the loss is not finite"):
        train(replace(recipe, loss=loss), options(tmp_path))
    for name, value in recipe.model.named_parameters():
        assert torch.equal(value, before[name])


def test_the_loop_runs_compiled_and_in_either_order_of_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    compiled = []
    monkeypatch.setattr(torch, "compile", lambda network: compiled.append(network) or network)
    for channels_last in (True, False):
        recipe = replace(make_recipe(Job()), epochs=1)
        train(recipe, options(tmp_path / str(channels_last), channels_last=channels_last, compile=channels_last))
        kernel = recipe.model.stem[1].conv2.weight
        assert kernel.is_contiguous(memory_format=torch.channels_last) == channels_last
        assert (recipe.model in compiled) == channels_last


def test_learning_rate_rises_then_falls() -> None:
    rates = [one_cycle(step / 1000) for step in range(1000)]
    peak = rates.index(max(rates))
    assert 20 <= peak <= 40
    assert rates[:peak] == sorted(rates[:peak])
    assert rates[peak:] == sorted(rates[peak:], reverse=True)
    assert rates[-1] < 0.01 * max(rates)


def test_milestones_are_those_of_the_paper_and_scale_with_the_training() -> None:
    for epochs in (500, 50):
        steps = 14 * epochs  # an epoch is 14 steps
        rates = [milestones(step / steps) for step in range(steps)]
        drops = [step * 500 // steps for step in range(1, steps) if rates[step] != rates[step - 1]]
        assert drops == [200, 350, 450]
        assert rates[0] == 1e-3
        assert rates[-1] == pytest.approx(1e-6)


@pytest.mark.parametrize(("capabilities", "expected"), [({"avx512_bf16": True}, True), ({"avx512_f": True}, False)])
def test_bfloat16_is_for_hardware_that_multiplies_it(
    made_300w: Path,
    made_backgrounds: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capabilities: dict[str, bool],
    expected: bool,
) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: capabilities, raising=False)
    recipe = tiny_recipe(made_300w, made_backgrounds, epochs=1)
    features: list[torch.dtype] = []
    recipe.model.hourglasses[0].register_forward_hook(lambda _module, _inputs, out: features.append(out[0].dtype))
    train(replace(recipe, bfloat16=True), options(tmp_path))
    assert (torch.bfloat16 in features) == expected
