from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Literal, get_args

import numpy as np
import pytest
import torch
from torch import Tensor

from startrack.train.losses.smooth_l1 import smooth_l1
from startrack.train.losses.star import EMPTY_MASS, EPSILON, MIN_MASS, Distance, Ellipse, StarLoss, covariance, ellipse
from startrack.train.losses.wing import wing
from startrack.train.models.star_hourglass import centroid, stretched_grid

torch.set_num_threads(1)

SCALAR = {
    "smooth_l1": lambda e: smooth_l1(e.square()),
    "l1": torch.abs,
    "l2": torch.square,
    "wing": lambda e: wing(e.square()),
}


def blobs(count: int, *, size: tuple[int, int] = (20, 24), seed: int = 0) -> Tensor:
    """(2, count, h, w) float64 turned ellipses of random mass on a little noise."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[0 : size[0], 0 : size[1]]
    maps = []
    for _ in range(2 * count):
        turn, (wide, narrow) = rng.uniform(0, np.pi), rng.uniform(1, 4, 2)
        dx, dy = x - rng.uniform(2, size[1] - 2), y - rng.uniform(2, size[0] - 2)
        along, across = np.cos(turn) * dx + np.sin(turn) * dy, np.cos(turn) * dy - np.sin(turn) * dx
        blob = np.exp(-((along / wide) ** 2 + (across / narrow) ** 2) / 2) + 0.01 * rng.random(size)
        maps.append(blob * np.exp(rng.normal(0, 3)))
    return torch.tensor(np.array(maps)).view(2, count, *size)


def eigen_loss(maps: Tensor, targets: Tensor, loss: StarLoss) -> Tensor:
    """The loss by its definition, with an eigen-solver."""
    distance = SCALAR[loss.distance]
    x, y = (stretched_grid(n).double() for n in (maps.shape[-1], maps.shape[-2]))
    grid = torch.stack(torch.meshgrid(x, y, indexing="xy"), -1).reshape(-1, 2)
    share = maps.flatten(2) / maps.flatten(2).sum(-1, keepdim=True)
    mean = share @ grid
    away = grid - mean.unsqueeze(-2)
    v1, v2 = share.sum(-1) + EPSILON, share.square().sum(-1) + EPSILON
    spread = torch.einsum("bkn,bkni,bknj->bkij", share, away, away) / (v1 - v2 / v1)[..., None, None]
    values, vectors = torch.linalg.eigh(spread)
    errors = torch.einsum("bkij,bki->bkj", vectors, targets - mean)
    deviations = ((values.detach() if loss.restriction == "detached" else values) + EPSILON).sqrt()
    if loss.version == 2:
        cost = (distance(errors) / deviations).sum(-1)
    elif loss.distance in ("l1", "l2"):
        cost = distance(errors / deviations).mean(-1)
    else:
        cost = distance((errors / deviations).norm(dim=-1))
    return (cost + (loss.weight * values.sum(-1) if loss.restriction == "value" else 0)).mean()


@pytest.mark.parametrize("restriction", ["value", "detached"])
@pytest.mark.parametrize("version", [1, 2])
@pytest.mark.parametrize("distance", get_args(Distance))
def test_closed_form_agrees_with_an_eigen_solver(
    distance: Distance, version: Literal[1, 2], restriction: Literal["value", "detached"]
) -> None:
    maps = blobs(20)
    targets = torch.rand(2, 20, 2, dtype=torch.float64) * 2 - 1
    targets[:, :10] = centroid(maps)[:, :10] + 0.003
    got, expected = maps.clone().requires_grad_(), maps.clone().requires_grad_()
    loss = StarLoss(distance, restriction, weight=0.7, version=version)
    value, reference = loss(got, targets), eigen_loss(expected, targets, loss)
    value.backward()
    reference.backward()
    torch.testing.assert_close(value, reference, rtol=1e-12, atol=0)
    worst = (got.grad - expected.grad).abs().amax((2, 3)) / expected.grad.abs().amax((2, 3))
    assert worst.max() < 1e-9


def test_ellipse_is_that_of_the_covariance() -> None:
    maps = blobs(30, seed=1)
    mean, (xx, yy, xy), mass = (v[0].unbind(-1) if v.ndim == 4 else v[0] for v in covariance([maps]))
    found = Ellipse(*(value[0] for value in ellipse([maps])))
    torch.testing.assert_close(found.mean, torch.stack(mean, -1))
    torch.testing.assert_close(found.mass, mass)
    torch.testing.assert_close(found.major.norm(dim=-1), torch.ones(2, 30, dtype=torch.float64))
    low, high = found.variances.unbind(-1)
    cos, sin = found.major.unbind(-1)
    torch.testing.assert_close(high * cos**2 + low * sin**2, xx)
    torch.testing.assert_close(high * sin**2 + low * cos**2, yy)
    torch.testing.assert_close((high - low) * sin * cos, xy)


@pytest.mark.parametrize("version", [1, 2])
def test_gradient_is_the_slope(version: Literal[1, 2]) -> None:
    maps = blobs(2, size=(6, 5), seed=2).requires_grad_()
    targets = centroid(maps.detach()) + torch.tensor([[[0.2, -0.1], [0.004, 0.002]]], dtype=torch.float64)
    assert torch.autograd.gradcheck(StarLoss(version=version), (maps, targets))


def test_mass_does_not_matter() -> None:
    maps = blobs(5, seed=3).float()
    targets = torch.zeros(2, 5, 2)
    torch.testing.assert_close(StarLoss()(maps, targets), StarLoss()(1e3 * maps, targets), rtol=1e-5, atol=0)


def degenerate() -> Iterator[tuple[str, Tensor]]:
    y, x = np.mgrid[0:16, 0:16]
    single, pair, diagonal = (np.zeros((16, 16)) for _ in range(3))
    single[3, 5] = 2
    pair[3, 5] = pair[4, 5] = 1
    diagonal[3, 5] = diagonal[4, 6] = 1
    round_ = np.exp(-((x - 7) ** 2 + (y - 7) ** 2) / 8)
    maps = {
        "single": single,
        "pair": pair,
        "diagonal": diagonal,
        "round": round_,
        "flat": np.ones((16, 16)),
        "empty": np.zeros((16, 16)),
    }
    for name, values in maps.items():
        yield name, torch.tensor(values)
    for exponent in (-5, -6, -6.5, -7, -7.3, -8.5, -9, -12, -20):
        yield f"mass 1e{exponent}", torch.tensor(round_ / round_.sum() * 10**exponent)
        yield f"pair of mass 1e{exponent}", torch.tensor(pair / 2 * 10**exponent)


@pytest.mark.parametrize("values", [pytest.param(values, id=name) for name, values in degenerate()])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_degenerate_maps_give_finite_loss_and_gradient(values: Tensor, dtype: torch.dtype) -> None:
    for distance in get_args(Distance):
        for version in (1, 2):
            maps = values.to(dtype).view(1, 1, 16, 16).requires_grad_()
            loss = StarLoss(distance, version=version)(maps, torch.tensor([[[0.1, -0.2]]], dtype=dtype))
            loss.backward()
            assert torch.isfinite(loss)
            assert loss >= 0
            assert torch.isfinite(maps.grad).all()
            if values.sum() < EMPTY_MASS:
                assert loss == 0
                assert (maps.grad == 0).all()


@pytest.mark.parametrize("mass", [30.0, 0.4 * MIN_MASS], ids=["divided by their mass", "divided by more"])
def test_gradients_are_those_of_the_formula(mass: float) -> None:
    """[TRAP] Below MIN_MASS the mean is not the centroid, so that its own shift changes the covariance."""
    maps = (mass * blobs(4, seed=3) / blobs(4, seed=3).sum((-2, -1), keepdim=True)).requires_grad_()
    x, y = (torch.linspace(-1, 1, maps.shape[axis], dtype=torch.float64) for axis in (-1, -2))
    x, y = x.float().double(), y.float().double().unsqueeze(-1)
    total = maps.sum((-2, -1), keepdim=True)
    share = maps / total.clamp_min(MIN_MASS)
    mean_x, mean_y = ((share * axis).sum((-2, -1), keepdim=True) for axis in (x, y))
    dx, dy = x - mean_x, y - mean_y
    moments = torch.stack([(share * product).sum((-2, -1)) for product in (dx * dx, dy * dy, dx * dy)], -1)
    v1, v2 = share.sum((-2, -1)) + EPSILON, share.square().sum((-2, -1)) + EPSILON
    by_formula = moments / (v1 - v2 / v1).clamp_min(EPSILON / 2).unsqueeze(-1)
    mean, found, found_mass = (value[0] for value in covariance([maps]))
    factors = torch.randn(found.shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    torch.testing.assert_close(found, by_formula, rtol=1e-5, atol=1e-8)
    means = torch.cat([mean_x, mean_y], -1).squeeze(-2)
    gradients = [
        torch.autograd.grad((factors * a).sum() + (factors[..., :2] * b).sum() + c.sum() * MIN_MASS, maps)[0]
        for a, b, c in ((found, mean, found_mass), (by_formula, means, total))
    ]
    torch.testing.assert_close(gradients[0], gradients[1], rtol=1e-4, atol=float(1e-5 * gradients[1].abs().max()))


def test_circle_is_measured_along_the_coordinates() -> None:
    y, x = torch.meshgrid(torch.arange(15.0), torch.arange(15.0), indexing="ij")
    maps = torch.exp(-((x - 7) ** 2 + (y - 7) ** 2) / 8).view(1, 1, 15, 15)
    found = Ellipse(*(value[0] for value in ellipse([maps])))
    assert found.major.tolist() == [[[1.0, 0.0]]]
    assert float(found.variances[0, 0, 0]) == float(found.variances[0, 0, 1])


def test_transposed_map_has_the_transposed_gradient() -> None:
    """Two pixels above each other, where the STAR code's rows of eigenvectors give a wrong sign."""
    maps = torch.zeros(1, 1, 9, 9, dtype=torch.float64)
    maps[0, 0, 3, 4], maps[0, 0, 6, 4] = 1, 2
    target = torch.tensor([[[0.3, -0.2]]], dtype=torch.float64)
    upright, lying = maps.clone().requires_grad_(), maps.mT.clone().requires_grad_()
    StarLoss()(upright, target).backward()
    StarLoss()(lying, target.flip(-1)).backward()
    torch.testing.assert_close(upright.grad, lying.grad.mT)


def test_half_precision_maps_are_measured_in_float32() -> None:
    maps = blobs(3, seed=4).bfloat16()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        loss = StarLoss()(maps, torch.zeros(2, 3, 2))
    assert loss.dtype == torch.float32
    torch.testing.assert_close(loss, StarLoss()(maps.float(), torch.zeros(2, 3, 2)))


def official_cases(parity_dir: Path) -> tuple[dict[str, np.ndarray], list[int], list[int]]:
    """The vectors, the cases with values to compare, and those of them with gradients to compare."""
    with np.load(parity_dir / "star" / "star_loss.npz") as file:
        vectors = {key: file[key] for key in file.files}
    names = [str(name) for name in vectors["names"]]
    values = [index for index, name in enumerate(names) if not ("DEGENERATE" in name or "below_clamp" in name)]
    # a diagonal covariance in ascending order: the official gradient has a sign wrong (module docstring)
    right = [i for i in values if not ("DIAG" in names[i] and vectors["cov"][i, 0, 0] < vectors["cov"][i, 1, 1])]
    return vectors, values, right


def run_alone(loss: StarLoss, maps: Tensor, target: Tensor) -> tuple[float, np.ndarray]:
    leaf = maps[None, None].clone().requires_grad_()
    value = loss(leaf, target[None, None])
    value.backward()
    return float(value.detach()), leaf.grad[0, 0].numpy()


VARIANTS = [(version, distance, weight) for version in (1, 2) for distance in get_args(Distance) for weight in (1, 0)]


@pytest.mark.data
@pytest.mark.parametrize(
    # their version 2 raises TypeError for "wing"
    ("version", "distance", "weight"),
    [variant for variant in VARIANTS if variant[:2] != (2, "wing")],
)
def test_official_losses_and_gradients(
    parity_dir: Path, version: Literal[1, 2], distance: Distance, weight: int
) -> None:
    vectors, values, right = official_cases(parity_dir)
    key = f"v{version}_{distance.replace('_', '')}_w{weight}"
    loss = StarLoss(distance, version=version, weight=weight)
    maps, targets = torch.from_numpy(vectors["heatmaps"]), torch.from_numpy(vectors["groundtruth"])
    # round blobs have no first direction: rounding of the covariance turns it, and gradients with it
    spread = np.linalg.eigvalsh(np.nan_to_num(vectors["cov"].astype(np.float64)))
    roundness = np.maximum(1, spread[:, 1] / np.maximum(spread[:, 1] - spread[:, 0], 1e-12))
    for index in values:
        single, gradient = run_alone(loss, maps[index], targets[index])
        double, gradient64 = run_alone(loss, maps[index].double(), targets[index].double())
        assert double == pytest.approx(vectors[f"loss64_{key}"][index], rel=1e-9)
        assert single == pytest.approx(vectors[f"loss64_{key}"][index], rel=5e-5)
        if f"grad_{key}" in vectors and index in right:
            official = vectors[f"grad_{key}"][index]
            # in float64, so that theirs alone is rounded
            allowed = 3e-5 * roundness[index] * np.abs(official).max()
            assert np.abs(gradient64 - official).max() < allowed, vectors["names"][index]
        if f"grad64_{key}" in vectors and index in right:
            official = vectors[f"grad64_{key}"][index]
            assert np.abs(gradient64 - official).max() < 1e-8 * np.abs(official).max(), vectors["names"][index]
            allowed = 1e-5 * roundness[index] * np.abs(official).max()
            assert np.abs(gradient - official).max() < allowed, vectors["names"][index]


@pytest.mark.data
def test_official_batch_and_moments(parity_dir: Path) -> None:
    vectors, values, _ = official_cases(parity_dir)
    maps, targets = torch.from_numpy(vectors["heatmaps"]), torch.from_numpy(vectors["groundtruth"])
    batch = vectors["batch_idx"]
    for key in (name for name in vectors if name.startswith("batch_loss_")):
        version, distance, weight = key.removeprefix("batch_loss_").split("_")
        loss = StarLoss(distance.replace("smoothl1", "smooth_l1"), version=int(version[1:]), weight=float(weight[1:]))
        found = loss(maps[batch].view(2, -1, *maps.shape[1:]), targets[batch].view(2, -1, 2))
        assert float(found) == pytest.approx(float(vectors[key]), rel=5e-5)
    mean, (xx, yy, xy), mass = (v[0, 0].unbind(-1) if v.ndim == 4 else v[0, 0] for v in covariance([maps[None]]))
    np.testing.assert_allclose(torch.stack(mean, -1)[values], vectors["mean"][values], atol=1e-5)
    np.testing.assert_allclose(mass, vectors["mass"], rtol=1e-5)
    official = vectors["cov"][values].reshape(-1, 4)
    difference = np.abs(torch.stack([xx, xy, xy, yy], -1)[values].numpy() - official)
    assert (difference.max(1) < 2e-5 * np.abs(official).max(1) + 1e-9).all()


@pytest.mark.data
def test_official_degenerate_cases_are_finite(parity_dir: Path) -> None:
    vectors, values, _ = official_cases(parity_dir)
    for index in set(range(len(vectors["names"]))) - set(values):
        for version, distance, weight in VARIANTS:
            loss = StarLoss(distance, version=version, weight=weight)
            for dtype in (torch.float32, torch.float64):
                maps, targets = (torch.from_numpy(vectors[key][index]).to(dtype) for key in ("heatmaps", "groundtruth"))
                value, gradient = run_alone(loss, maps, targets)
                assert np.isfinite(value)
                assert np.isfinite(gradient).all()


@pytest.mark.data
def test_official_decoding(parity_dir: Path) -> None:
    with np.load(parity_dir / "star" / "decode.npz") as file:
        coords = centroid(torch.from_numpy(file["heatmaps"]))
        np.testing.assert_allclose(coords, file["coords"], atol=1e-5)
        np.testing.assert_allclose(
            centroid(torch.from_numpy(file["heatmaps_nonsquare_hw"])), file["coords_nonsquare"], atol=1e-5
        )
