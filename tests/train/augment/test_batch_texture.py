from __future__ import annotations

from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

from startrack.train.augment import batch_texture, star_augment
from startrack.train.augment.batch_draws import StarDraws, draw_augmentation
from startrack.train.augment.batch_random import sample_keys
from startrack.train.augment.batch_texture import change_textures
from startrack.train.augment.star_augment import StarAugmentation

SIZE = 256
CHANGES = ("occluded", "blurred", "gamma_changed", "noisy", "greyed")


def draws(count: int, **augmentation: float) -> StarDraws:
    item = torch.arange(count)
    return draw_augmentation(sample_keys(item, item, 1), StarAugmentation(**augmentation), SIZE)


def only(drawn: StarDraws, *changes: str) -> StarDraws:
    chosen = {name: torch.full_like(getattr(drawn, name), name in changes) for name in CHANGES}
    return replace(drawn, **chosen)


def crops(count: int) -> NDArray[np.uint8]:
    return np.random.default_rng(2).integers(0, 256, (count, SIZE, SIZE, 3), np.uint8)


def changed(pictures: NDArray[np.uint8], drawn: StarDraws) -> NDArray[np.int64]:
    found = change_textures(torch.from_numpy(pictures).permute(0, 3, 1, 2), drawn)
    assert found.dtype == torch.uint8
    return found.permute(0, 2, 3, 1).numpy().astype(int)


def one_by_one(crop: NDArray[np.uint8], drawn: StarDraws, index: int) -> NDArray[np.uint8]:
    """What the functions for one crop make of it."""

    def draw(name: str) -> NDArray[np.float64]:
        return getattr(drawn, name)[index].numpy()

    if drawn.occluded[index]:
        crop = star_augment.occlude(crop, draw("occlusion_draws"))
    if drawn.blurred[index]:
        crop = star_augment.blur(crop, float(draw("blur_draws")))
    if drawn.gamma_changed[index]:
        crop = star_augment.change_gamma(crop, draw("gamma_draws"))
    if drawn.noisy[index]:
        crop = star_augment.blend_noise(crop, float(draw("noise_shares")), drawn.noise[index].numpy())
    return star_augment.grey(crop) if drawn.greyed[index] else crop


@pytest.mark.parametrize(
    ("changes", "largest", "share"),
    [
        ((), 0, 0),
        (("occluded",), 0, 0),
        (("blurred",), 1, 0.26),
        (("gamma_changed",), 1, 0.01),
        (("noisy",), 1, 5e-3),
        (("greyed",), 1, 1e-3),
        (("occluded", "noisy", "greyed"), 1, 5e-3),
    ],
)
def test_a_batch_is_what_its_crops_are_one_by_one(changes: tuple[str, ...], largest: int, share: float) -> None:
    pictures, drawn = crops(16), only(draws(16), *changes)
    found = changed(pictures, drawn)
    for index, picture in enumerate(pictures):
        difference = np.abs(found[index] - one_by_one(picture, drawn, index))
        assert difference.max() <= largest
        assert (difference > 0).mean() <= share


def test_all_changes_together() -> None:
    pictures, drawn = crops(24), draws(24, occlusion=0.6, blur=0.6, gamma=0.5, noise=0.5, grey=0.5)
    found = changed(pictures, drawn)
    for index, picture in enumerate(pictures):
        difference = np.abs(found[index] - one_by_one(picture, drawn, index))
        assert difference.mean() < 0.5
        # gamma may stretch the one level by which a blur was rounded
        assert np.quantile(difference, 0.999) <= 2


@pytest.mark.parametrize("side", range(13))
def test_every_side_of_the_box_filter(side: int) -> None:
    pictures = crops(1)
    drawn = replace(only(draws(1), "blurred"), blur_draws=torch.full((1,), (side + 0.5) / 12.8).double())
    difference = np.abs(changed(pictures, drawn)[0] - star_augment.blur(pictures[0], (side + 0.5) / 12.8))
    # OpenCV rounds a share of them up for 2, 4 and 8
    assert difference.max() <= (1 if side in (2, 4, 8) else 0)


def test_chances() -> None:
    item = torch.arange(2000)
    drawn = draw_augmentation(sample_keys(item, item, 1), StarAugmentation(), 8)
    counts = {name: int(getattr(drawn, name).sum()) for name in ("mirrored", *CHANGES)}
    expected = {field.name: field.default for field in fields(StarAugmentation)}
    for name, chance in zip(counts, ("mirror", "occlusion", "blur", "gamma", "noise", "grey"), strict=True):
        assert counts[name] == pytest.approx(2000 * expected[chance], abs=5 * 22)
    assert 0.45 < drawn.noise_shares.max() < 0.5


def parity(path: Path, kind: str) -> tuple[Tensor, NDArray[np.float64], list[NDArray[np.uint8]]]:
    with np.load(path / "star" / "augment_cv5.npz") as file:
        keys = sorted(key for key in file.files if key.startswith(f"add_{kind}_") and key.endswith("_rand"))
        rand, results = np.stack([file[key] for key in keys]), [file[key.removesuffix("_rand")] for key in keys]
        return torch.from_numpy(file["warp_image"]).permute(2, 0, 1).expand(len(keys), -1, -1, -1), rand, results


@pytest.mark.data
@pytest.mark.parametrize("kind", ["occ", "blur", "gamma", "gray"])
def test_official_texture(parity_dir: Path, kind: str) -> None:
    pictures, rand, expected = parity(parity_dir, kind)
    given, always = torch.from_numpy(rand), torch.ones(len(rand), dtype=torch.bool)
    match kind:
        case "occ":
            found = batch_texture.occlude(pictures, given[:, :4], always)
        case "blur":
            found = batch_texture.blur(pictures, given[:, 0], always)
        case "gamma":
            found = batch_texture.change_gamma(pictures, given[:, :2], always)
        case _:
            found = batch_texture.grey(pictures, always)
    difference = np.abs(found.permute(0, 2, 3, 1).numpy().astype(int) - np.stack(expected))
    assert difference.max() <= (0 if kind == "occ" else 1)
    assert difference.mean() < 0.1
