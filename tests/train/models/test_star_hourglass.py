from __future__ import annotations

import copy
import json
import re
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.utils.data import TensorDataset

from startrack.tracker.schemes import COFW_29, IBUG_68, WFLW_98, LandmarkScheme
from startrack.train.feed.star_batch import StarBatch
from startrack.train.loop.step import StepSettings, TrainingState, train_step
from startrack.train.losses.star_stacks import StackedStarLoss
from startrack.train.models.star_hourglass import (
    Attention,
    Bottleneck,
    StarHourglass,
    StarOutput,
    centroid,
    load_official,
    official_key,
    official_state_dict,
    stretched_grid,
)
from startrack.train.recipes.recipe import Recipe
from startrack.train.recipes.star import STAR_SPECS, milestones, official_adam
from startrack.train.weights.ema import WeightAverage

torch.set_num_threads(1)

SCHEMES = {"300W": IBUG_68, "WFLW": WFLW_98, "COFW": COFW_29}
EDGES = [(0, 1, 2), (2, 3)]


def tiny(**changes: Any) -> StarHourglass:
    torch.manual_seed(0)
    arguments: dict[str, Any] = {"stacks": 2, "channels": 8, "levels": 2, "input_size": 32} | changes
    return StarHourglass(5, arguments.pop("edges", EDGES), **arguments)


def network(scheme: LandmarkScheme, *, attention: bool = True, **arguments: Any) -> StarHourglass:
    return StarHourglass(scheme.num_landmarks, [e.indices for e in scheme.edges] if attention else (), **arguments)


@pytest.mark.parametrize("stacks", [1, 2, 3])
@pytest.mark.parametrize("coordinates", [True, False])
@pytest.mark.parametrize("shape", [(32, 32), (64, 48)])
def test_every_stack_gives_maps_of_a_quarter_of_the_size(
    stacks: int, coordinates: bool, shape: tuple[int, int]
) -> None:
    output = tiny(stacks=stacks, coordinates=coordinates)(torch.rand(2, 3, *shape) * 2 - 1)
    cells = (shape[0] // 4, shape[1] // 4)
    assert [tuple(maps.shape) for maps in output.heatmaps] == [(2, 5, *cells)] * stacks
    assert [tuple(maps.shape) for maps in output.point_maps] == [(2, 5, *cells)] * stacks
    assert [tuple(maps.shape) for maps in output.edge_maps] == [(2, 2, *cells)] * stacks
    assert all((maps >= 0).all() for maps in output.heatmaps)
    assert output.landmarks.shape == (2, 5, 2)
    assert (output.landmarks.abs() <= 1).all()


def test_without_attention_there_are_heatmaps_alone() -> None:
    output = tiny(edges=())(torch.rand(1, 3, 32, 32))
    assert output.point_maps == []
    assert output.edge_maps == []
    assert len(output.heatmaps) == 2


def test_attention_sums_edges_and_leaves_points_on_no_edge_to_their_own_map() -> None:
    points, edges = torch.full((1, 5, 1, 1), 0.5), torch.tensor([0.25, 1.0]).view(1, 2, 1, 1)
    mask = Attention(5, EDGES)(points, edges)
    assert mask.flatten().tolist() == [0.125, 0.125, 0.625, 0.5, 0.5]


def test_maps_stay_in_float32_under_autocast() -> None:
    points, edges = torch.rand(1, 5, 4, 4), torch.rand(1, 2, 4, 4)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        output = tiny()(torch.rand(1, 3, 32, 32))
        mask = Attention(5, EDGES)(points, edges)
    assert {maps.dtype for stack in output for maps in stack} == {torch.float32}
    torch.testing.assert_close(mask, Attention(5, EDGES)(points, edges), rtol=0, atol=0)


def test_every_weight_is_used_and_the_guide_has_no_gradient() -> None:
    model = tiny(stacks=3)
    output = model(torch.rand(2, 3, 32, 32))
    torch.stack([maps.square().mean() for maps in (*output.heatmaps, *output.edge_maps)]).sum().backward()
    unused = [name for name, value in model.named_parameters() if value.grad is None]
    assert unused == []
    heads = [name for name, value in model.named_parameters() if "heads" in name and not value.grad.any()]
    # the norm of the heatmaps takes their biases out
    assert all(re.search(r"heatmaps\.bias", name) for name in heads)


def test_sizes_of_the_published_networks() -> None:
    with torch.device("meta"):
        for scheme, used, whole in (
            (WFLW_98, 13_476_468, 17_177_332),
            (IBUG_68, 13_368_708, 17_069_572),
            (COFW_29, 13_225_028, 16_925_892),
        ):
            model = network(scheme)
            assert sum(value.numel() for value in model.parameters()) == used
            blocks = [module for module in model.modules() if isinstance(module, Bottleneck)]
            assert sum(isinstance(block.skip_layer, nn.Identity) for block in blocks) == 57
            state = official_state_dict(model)
            buffers = ("running_mean", "running_var", "num_batches_tracked")
            weights = [v.numel() for k, v in state.items() if not k.endswith(buffers) and not k.startswith("e2h")]
            assert (len(weights), sum(weights)) == (902, whole)
            assert len(state) == 1450


def test_centroid_by_hand() -> None:
    maps = torch.zeros(1, 3, 3, 5)
    maps[0, 0, 2, 4] = 7
    maps[0, 1, 0, [0, 1]] = 2
    # the third is empty
    torch.testing.assert_close(centroid(maps), torch.tensor([[[1.0, 1.0], [-0.75, -1.0], [0.0, 0.0]]]))
    assert stretched_grid(3).tolist() == [-1, 0, 1]
    with torch.autocast("cpu", dtype=torch.bfloat16):
        torch.testing.assert_close(centroid(maps.bfloat16()), centroid(maps))


@pytest.mark.parametrize("changes", [{}, {"edges": ()}, {"coordinates": False, "stacks": 1}])
def test_official_state_there_and_back(changes: dict[str, Any]) -> None:
    first, second = tiny(**changes), tiny(**changes)
    for value in second.parameters():
        nn.init.normal_(value)
    load_official(second, official_state_dict(first))
    for name, value in first.state_dict().items():
        torch.testing.assert_close(second.state_dict()[name], value, msg=name)
    # a state without the shortcuts that the STAR code never uses is complete too
    load_official(second, {k: v for k, v in official_state_dict(first).items() if "up1.skip_layer" not in k})


def test_foreign_states_are_refused() -> None:
    model = tiny()
    state = official_state_dict(model)
    with pytest.raises(ValueError, match=r"missing \['pre\.0\.conv\.bias'\]"):
        load_official(model, {key: value for key, value in state.items() if key != "pre.0.conv.bias"})
    with pytest.raises(ValueError, match=r"unknown \['head\.weight'\]"):
        load_official(model, {**state, "head.weight": torch.zeros(1)})
    with pytest.raises(ValueError, match="other edges"):
        load_official(tiny(edges=[(0, 1, 2), (2, 4)]), state)
    with pytest.raises(RuntimeError, match="size mismatch"):
        load_official(model, {**state, "pre.0.conv.bias": torch.zeros(3)})


def read(path: Path) -> dict[str, np.ndarray]:
    with np.load(path) as file:
        return {key: file[key] for key in file.files}


def stored_state(vectors: dict[str, np.ndarray]) -> dict[str, Tensor]:
    return {key.removeprefix("sd/"): torch.from_numpy(v) for key, v in vectors.items() if key.startswith("sd/")}


def assert_agrees(output: StarOutput, vectors: dict[str, np.ndarray], prefix: str) -> None:
    """Official outputs come as coordinates, points and edges of each stack, or as coordinates alone."""
    step = 3 if output.point_maps else 1
    for stack, heatmaps in enumerate(output.heatmaps):
        np.testing.assert_allclose(heatmaps, vectors[f"{prefix}_fusion{stack}"], atol=1e-4)
        np.testing.assert_allclose(centroid(heatmaps), vectors[f"{prefix}_y{step * stack:02d}"], atol=1e-5)
        if output.point_maps:
            points, edges = (vectors[f"{prefix}_y{step * stack + k:02d}"] for k in (1, 2))
            np.testing.assert_allclose(output.point_maps[stack], points, atol=5e-5)
            np.testing.assert_allclose(output.edge_maps[stack], edges, atol=5e-5)
    np.testing.assert_allclose(output.landmarks, vectors[f"{prefix}_landmarks"], atol=1e-5)


@pytest.mark.data
@pytest.mark.parametrize("name", ["cofw_eval", "noaam_300w", "nocoord_wflw"])
def test_official_small_networks(parity_dir: Path, name: str) -> None:
    vectors = read(parity_dir / "star" / f"net_small_{name}.npz")
    config = json.loads(str(vectors.get("config", '{"data": "COFW", "in_channel": 32}')))
    model = network(
        SCHEMES[config["data"]],
        attention=config.get("aam", True),
        channels=config["in_channel"],
        levels=config.get("nlevels", 4),
        coordinates=config.get("add_coord", True),
        input_size=vectors["input"].shape[-1],
    ).eval()
    state = stored_state(vectors)
    load_official(model, state)
    assert set(official_state_dict(model)) == set(state)
    images = torch.from_numpy(vectors["input"])
    with torch.inference_mode():
        assert_agrees(model(images), vectors, "eval")
        if "mid_pre" in vectors:
            np.testing.assert_allclose(model.stem(images), vectors["mid_pre"], atol=5e-5)
            np.testing.assert_allclose(model.stem[0](images[:1]), vectors["mid_stem"], atol=5e-5)


def official_steps(model: nn.Module, batch: StarBatch, steps: int, decay: float) -> tuple[Any, ...]:
    """The training loop's steps with the STAR code's settings: the terms of each step, the first output and gradients,
    and the averaged network. `batch.crops` are the network's input as it is."""
    history: list[dict[str, float]] = []
    outputs: list[StarOutput] = []
    gradients: list[dict[str, Tensor]] = []

    def loss(output: StarOutput, targets: StarBatch) -> dict[str, Tensor]:
        terms = StackedStarLoss()(output, targets)
        outputs.append(output)
        history.append({name: float(term.detach()) for name, term in terms.items()})
        return terms

    def adam(model: nn.Module) -> torch.optim.Optimizer:
        optimiser = official_adam(model)
        named = dict(model.named_parameters())
        optimiser.register_step_pre_hook(
            lambda *_: gradients.append({name: value.grad.clone() for name, value in named.items()})
        )
        return optimiser

    recipe = Recipe(
        name="official",
        spec=STAR_SPECS["star-cofw"],
        model=model,
        loss=loss,
        train_data=TensorDataset(torch.zeros(1)),
        validate=lambda network, device: {},
        make_optimiser=adam,
        learning_rate=milestones,
        epochs=500,
        batch_size=len(batch.crops),
        ema_decay=decay,
        ema_warm_up=False,
        clip_gradient=None,
    )
    state = TrainingState(model, WeightAverage(model, decay, warm_up=False), adam(model))
    for step in range(steps):
        train_step(recipe, state, batch, progress=step / 1000, settings=StepSettings(model))
    return history, outputs[0], gradients[0], state.average.model


@pytest.mark.data
def test_official_training_steps(parity_dir: Path) -> None:
    vectors = read(parity_dir / "star" / "net_small_cofw_train.npz")
    model = network(COFW_29, channels=32, input_size=vectors["input"].shape[-1])
    load_official(model, stored_state(read(parity_dir / "star" / "net_small_cofw_eval.npz")))
    keys = ("input", "landmarks_gt", "pointmap_gt", "edgemap_gt")
    images, *targets = (torch.from_numpy(vectors[key]) for key in keys)
    batch = StarBatch(images, *targets, torch.ones(len(images)))
    assert_first_terms_agree(copy.deepcopy(model), batch, vectors)
    history, output, gradients, average = official_steps(model, batch, 3, float(vectors["ema_decay"]))
    # Adam turns the rounding of a gradient near 0 into a full step, so steps drift apart; how far depends on the CPU,
    # as does which side of the guide's hard threshold a pixel falls on
    for step, (terms, tolerance) in enumerate(zip(history, (1e-4, 1e-2, 0.2), strict=True)):
        official = vectors[f"losses_step{step}"] * FACTORS
        np.testing.assert_allclose(list(terms.values()), official, rtol=tolerance)
        assert sum(terms.values()) == pytest.approx(float(vectors[f"sum_loss_step{step}"]), rel=tolerance / 5)
    for stack, key in ((0, "train_y00"), (3, "train_y09")):
        np.testing.assert_allclose(centroid(output.heatmaps[stack]).detach(), vectors[key], atol=1e-5)
    live = {official_key(name): gradient for name, gradient in gradients.items()}
    compared = assert_gradients_agree(live, vectors)
    states = official_state_dict(model), official_state_dict(average)
    assert_weights_agree(states, compared, vectors)
    for state, prefix, tolerance in zip(states, ("bn_after3/", "ema_bn_after3/"), (0.02, 1e-4), strict=True):
        for key in (key for key in vectors if key.startswith(prefix)):
            # running means follow the drift of the biases before them
            np.testing.assert_allclose(state[key.removeprefix(prefix)], vectors[key], atol=tolerance)


FACTORS = [factor for stack in range(4) for factor in (2.0 ** (stack - 3), *(2 * [10 * 2.0 ** (stack - 3)]))]
"""Of the terms of each stack: STAR, point maps, edge maps."""


def assert_first_terms_agree(model: nn.Module, batch: StarBatch, vectors: dict[str, np.ndarray]) -> None:
    """In float64, where only the official float32 rounds, whatever processor this is.

    Gradients and later steps are compared in float32, as the official ones were computed: the network has thresholds
    (the attention's guide, Adaptive Wing's two branches), and a pixel that float64 puts on the other side of one moves
    gradients of the last stack by up to 4 %, a hundred times more than one float32 processor is off another.
    """
    model, batch = model.double(), StarBatch(*(value.double() for value in batch))
    (terms,), *_ = official_steps(model, batch, 1, float(vectors["ema_decay"]))
    np.testing.assert_allclose(list(terms.values()), vectors["losses_step0"] * FACTORS, rtol=2e-5)
    assert sum(terms.values()) == pytest.approx(float(vectors["sum_loss_step0"]), rel=5e-6)


def assert_small(errors: list[float], *, middle: float, most: float, largest: float) -> None:
    """Half of the errors at most `middle`, nine in ten at most `most`, all at most `largest`: a mistake moves all of
    them, a pixel on the other side of a threshold only some."""
    found = np.quantile(errors, [0.5, 0.9, 1.0])
    assert (found <= [middle, most, largest]).all(), found


def assert_gradients_agree(gradients: dict[str, Tensor], vectors: dict[str, np.ndarray]) -> list[str]:
    """Returns the parameters whose gradient is more than rounding. A bias that a later norm takes out has none: about
    1e-6 where all others have 1e-2 and more."""
    norms = dict(zip((str(name) for name in vectors["param_names"]), vectors["grad_norm"], strict=True))
    assert set(gradients) == {name for name, norm in norms.items() if not np.isnan(norm)}
    compared = [name for name in gradients if norms[name] > 1e-6 * np.nanmax(vectors["grad_norm"])]
    assert len(compared) > 0.7 * len(gradients)
    assert all(name.endswith("bias") for name in set(gradients) - set(compared))
    # 1.1e-7, 3.0e-7, 7.2e-7 with AVX-512; 7.8e-6, 3.1e-5, 5.6e-4 with SSE alone
    of_norms = [abs(float(gradients[name].norm()) / norms[name] - 1) for name in compared]
    assert_small(of_norms, middle=5e-5, most=3e-4, largest=5e-2)
    stored = {name: vectors[f"grad/{name}"] for name in compared if f"grad/{name}" in vectors}
    assert len(stored) > 20
    # 4.3e-7, 2.3e-6, 4.1e-6 and 3.3e-5, 1.2e-4, 2.0e-3
    of_values = [float(np.abs(gradients[name].numpy() - one).max() / np.abs(one).max()) for name, one in stored.items()]
    assert_small(of_values, middle=3e-4, most=1e-3, largest=5e-2)
    return compared


def assert_weights_agree(
    states: tuple[dict[str, Tensor], dict[str, Tensor]], compared: list[str], vectors: dict[str, np.ndarray]
) -> None:
    """Of the trained and the averaged network: sums and norms, to a small part of what three steps of Adam move."""
    index = {str(name): k for k, name in enumerate(vectors["param_names"])}
    of_sums, of_norms, of_averages = [], [], []
    for name in compared:
        trained, averaged = (state[name].double() for state in states)
        moved = 3e-3 * trained.numel() ** 0.5  # three steps of 1e-3, their signs as if at random
        at = index[name]
        of_sums.append(abs(float(trained.sum()) - vectors["param_sum_after3"][at]) / moved)
        of_norms.append(abs(float(trained.norm()) - vectors["param_norm_after3"][at]) / moved)
        of_averages.append(abs(float(averaged.norm()) - vectors["ema_norm_after3"][at]) / moved)
    # with SSE alone 0.04, 0.14, 0.58; 0.004, 0.023, 0.068; 1.1e-5, 5.7e-5, 1.8e-4
    assert_small(of_sums, middle=0.2, most=0.6, largest=3)
    assert_small(of_norms, middle=0.02, most=0.1, largest=0.3)
    assert_small(of_averages, middle=1e-4, most=3e-4, largest=3e-3)


def seeded_state(names: list[str], shapes: list[tuple[int, ...]], seed: int) -> dict[str, Tensor]:
    """The weights of the parity folder's rule: each key's own generator."""
    state = {}
    for name, shape in zip(names, shapes, strict=True):
        rng = np.random.RandomState((zlib.crc32(name.encode()) + seed) % 2**32)
        if len(shape) == 4:
            gain = 0.3 if name.startswith(("out_", "merge_")) or ".conv3." in name else 1
            value = gain * rng.randn(*shape) / np.sqrt(np.prod(shape[1:]))
        elif name.endswith("running_var"):
            value = rng.uniform(0.5, 1.5, shape)
        elif ".bn" in name and name.endswith("weight"):
            value = rng.uniform(0.8, 1.2, shape)
        else:
            value = (0.1 if name.endswith("running_mean") or ".bn" in name else 0.02) * rng.randn(*shape)
        state[name] = torch.from_numpy(np.asarray(value, np.float32))
    return state


@pytest.mark.data
def test_official_network_of_full_size(parity_dir: Path) -> None:
    vectors = read(parity_dir / "star" / "net_full_wflw_seeded.npz")
    readme = (parity_dir / "star" / "README.md").read_text(encoding="utf-8")
    seed = int(re.findall(r"[Bb]ase seed (\d+)", readme)[0])
    model = network(WFLW_98).eval()
    built = official_state_dict(model)
    names = [str(name) for name in vectors["param_names"]]
    assert set(names) == set(built)
    fixed = [name for name in names if name.startswith("e2h_transform") or name.endswith("num_batches_tracked")]
    drawn = [name for name in names if name not in fixed]
    state = {name: built[name] for name in fixed} | seeded_state(drawn, [tuple(built[n].shape) for n in drawn], seed)
    sums = [float(state[name].double().sum()) for name in names]
    np.testing.assert_allclose(sums, vectors["param_sum"], atol=1e-3)
    load_official(model, state)
    with torch.inference_mode():
        output = model(torch.from_numpy(vectors["input_f16"].astype(np.float32)))
    for stack in range(4):
        np.testing.assert_allclose(centroid(output.heatmaps[stack]), vectors[f"y{3 * stack:02d}"], atol=1e-5)
        for key, maps in (
            (f"y{3 * stack + 1:02d}", output.point_maps[stack]),
            (f"y{3 * stack + 2:02d}", output.edge_maps[stack]),
            (f"fusion{stack}", output.heatmaps[stack]),
        ):
            mass = vectors[f"{key}_mass" if key.startswith("fusion") else f"{key}_sum"]
            np.testing.assert_allclose(maps.double().sum((2, 3)), mass, rtol=1e-4, atol=1e-2)
            np.testing.assert_allclose(maps.amax((2, 3)), vectors[f"{key}_max"], atol=5e-5)
    np.testing.assert_allclose(output.landmarks, vectors["landmarks"], atol=1e-5)
    np.testing.assert_allclose(output.heatmaps[3][0, :10], vectors["fusion3_first10"], atol=1e-4)
    np.testing.assert_allclose(output.point_maps[3][0, :10], vectors["y10_pointmaps_first10"], atol=5e-5)
    np.testing.assert_allclose(output.edge_maps[3][0], vectors["y11_edgemaps"], atol=5e-5)
