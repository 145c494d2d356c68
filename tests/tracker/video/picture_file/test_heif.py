"""HEIC pictures of tiles, their turns, and what is damaged."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import cv2
import numpy as np
import pytest

from startrack.tracker.types import ImageArray
from startrack.tracker.video.base import SourceError
from startrack.tracker.video.picture_file.read import PictureFile, load_picture
from startrack.tracker.video.pictures import read_pictures
from tests.tracker.video.picture_file.tiled import write_tiles

TILE = 64
SIZE = (150, 100)
"""Of three columns and two rows of tiles, cut to it."""


def whole() -> ImageArray:
    """(128, 192, 3) with another grey in every tile, and a corner that shows which way up it is."""
    image = np.zeros((2 * TILE, 3 * TILE, 3), np.uint8)
    for row in range(2):
        for column in range(3):
            image[row * TILE :, column * TILE :] = 40 + 30 * (3 * row + column)
    image[:16, :16] = 250
    return image


def tiles_of(image: ImageArray) -> list[ImageArray]:
    return [
        np.ascontiguousarray(image[row : row + TILE, column : column + TILE])
        for row in range(0, image.shape[0], TILE)
        for column in range(0, image.shape[1], TILE)
    ]


@pytest.mark.parametrize(
    ("turns", "expected"),
    [
        ((), lambda image: image),
        ((b"irot\x01",), lambda image: np.rot90(image)),
        ((b"irot\x03",), lambda image: np.rot90(image, 3)),
        ((b"imir\x01",), lambda image: image[:, ::-1]),
        ((b"imir\x00",), lambda image: image[::-1]),
        ((b"irot\x01", b"imir\x01"), lambda image: np.rot90(image)[:, ::-1]),
    ],
)
def test_tiles_are_one_picture(tmp_path: Path, turns: tuple[bytes, ...], expected) -> None:  # type: ignore[no-untyped-def]
    path = tmp_path / "photo.heic"
    write_tiles(path, tiles_of(whole()), 3, SIZE, turns=turns)
    image = load_picture(path)
    wanted = expected(whole()[: SIZE[1], : SIZE[0]])
    assert image.shape == wanted.shape
    assert np.abs(image.astype(int) - wanted).max() <= 12
    with read_pictures(path) as video:
        frames = list(video)
        assert (len(frames), video.info.width, video.info.height) == (1, wanted.shape[1], wanted.shape[0])


def test_tiles_of_avif_are_one_picture(tmp_path: Path) -> None:
    if not cv2.haveImageReader(".avif") and not cv2.haveImageWriter(".avif"):
        pytest.skip("OpenCV without AVIF")
    path = tmp_path / "photo.avif"
    write_tiles(path, tiles_of(whole()), 3, SIZE)
    image = load_picture(path)
    assert image.shape == (SIZE[1], SIZE[0], 3)
    # mean of each tile's middle
    for row, column in np.ndindex(2, 3):
        top, left = row * TILE + 20, column * TILE + 20
        assert abs(image[top : top + 2, left : left + 2].mean() - (40 + 30 * (3 * row + column))) <= 12
    write_tiles(path, tiles_of(whole()), 3, (65_000, 65_000))
    with pytest.raises(SourceError, match="65000 × 65000 pixels; expected at most 64 million"):
        load_picture(path)


def test_damage_is_named(tmp_path: Path) -> None:
    path = tmp_path / "photo.heic"
    write_tiles(path, tiles_of(whole()), 3, SIZE)
    data = path.read_bytes()
    for cut in (30, 200, 400, len(data) - 3000, len(data) - 40):
        path.write_bytes(data[:cut])
        with pytest.raises(SourceError, match=r"photo\.heic: "):
            load_picture(path)
    for place in range(24, data.index(b"mdat"), 5):
        path.write_bytes(data[:place] + b"\xff" + data[place + 1 :])
        with suppress(SourceError):  # and nothing else
            load_picture(path)


def test_a_grid_too_large_is_refused_before_it_is_decoded(tmp_path: Path) -> None:
    path = tmp_path / "photo.heic"
    write_tiles(path, tiles_of(whole()), 3, (65_000, 65_000))
    with pytest.raises(SourceError, match="65000 × 65000 pixels; expected at most 64 million"):
        PictureFile(path).pages().__next__()


def test_tiles_that_lie_outside_the_picture_are_not_decoded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A small file may name one large tile thousands of times."""
    path = tmp_path / "photo.heic"
    write_tiles(path, tiles_of(whole()), 3, SIZE)
    monkeypatch.setattr("startrack.tracker.video.picture_file.heif.MOST_DECODED", 6 * TILE * TILE - 1)
    with pytest.raises(SourceError, match=r"photo\.heic: a broken picture; its tiles have 24576 pixels"):
        load_picture(path)


def test_a_file_of_boxes_alone_is_broken(tmp_path: Path) -> None:
    path = tmp_path / "photo.heic"
    write_tiles(path, tiles_of(whole()), 3, SIZE)
    data = path.read_bytes()
    path.write_bytes(data[:24] + b"\0\0\0\x08free" * 200_000 + data[24:])
    with pytest.raises(SourceError, match=r"photo\.heic: a broken picture"):
        load_picture(path)
