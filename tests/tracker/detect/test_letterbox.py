from __future__ import annotations

import numpy as np
import pytest

from startrack.tracker.detect.letterbox import letterbox


@pytest.mark.parametrize(
    ("shape", "picture", "zoom"),
    [
        ((720, 1280), (192, 320), 0.25),
        ((1280, 720), (320, 192), 0.25),
        ((1080, 1920), (192, 320), 1 / 6),
        ((100, 90), (128, 96), 1.0),
        ((3, 5000), (32, 320), None),
    ],
)
def test_pictures_are_shrunk_never_enlarged(
    shape: tuple[int, int], picture: tuple[int, int], zoom: float | None
) -> None:
    boxed = letterbox(np.full((*shape, 3), 200, np.uint8), 320, 32)
    assert boxed.picture.shape == (*picture, 3)
    if zoom:
        assert boxed.zoom == pytest.approx([zoom, zoom], rel=0.01)
    rows = max(round(shape[0] * boxed.zoom[1]), 1)
    assert (boxed.picture[:rows, : round(shape[1] * boxed.zoom[0])] == 200).all()
    assert (boxed.picture[rows:] == 0).all()


@pytest.mark.parametrize("shape", [(721, 1283), (720, 1280), (333, 500), (64, 48)])
def test_coordinates_come_back(shape: tuple[int, int]) -> None:
    boxed = letterbox(np.zeros((*shape, 3), np.uint8), 320, 32)
    points = np.random.default_rng(0).uniform(-50, 1500, (20, 2))
    assert np.allclose(boxed.to_frame(boxed.to_picture(points)), points)


@pytest.mark.parametrize("shape", [(720, 1280), (721, 1283), (600, 1000)])
def test_a_spot_lies_where_its_coordinates_say(shape: tuple[int, int]) -> None:
    image = np.zeros((*shape, 3), np.uint8)
    y, x = np.mgrid[: shape[0], : shape[1]]
    spot = np.array([700.0, 301.0])
    image[(x - spot[0]) ** 2 + (y - spot[1]) ** 2 < 400] = 255
    boxed = letterbox(image, 320, 32)
    weight = boxed.picture[..., 0].astype(float)
    rows, columns = np.mgrid[: weight.shape[0], : weight.shape[1]]
    centre = np.array([(weight * columns).sum(), (weight * rows).sum()]) / weight.sum()
    assert np.abs(centre - boxed.to_picture(spot)).max() < 0.05
