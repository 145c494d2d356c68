"""Display matrices: all eight ways to lay a picture, through a container."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from startrack.tracker.types import ImageArray
from startrack.tracker.video.source import read_video
from startrack.tracker.video.upright import QUARTER_TURNS, turn_of, upright

EIGHT = [(a, b, c, d) for a, b, c, d in np.ndindex(3, 3, 3, 3) if abs((a - 1) * (d - 1) - (b - 1) * (c - 1)) == 1]
"""Matrices of -1, 0 and 1, plus one, that turn or mirror."""
EIGHT = [entry for entry in EIGHT if sum(abs(value - 1) for value in entry) == 2]


def shown(image: ImageArray, a: int, b: int, c: int, d: int) -> ImageArray:
    """Every pixel carried to x' = a·x + c·y, y' = b·x + d·y, and moved into the picture."""
    rows, columns = image.shape[:2]
    y, x = np.mgrid[:rows, :columns]
    to_x, to_y = a * x + c * y, b * x + d * y
    to_x, to_y = to_x - to_x.min(), to_y - to_y.min()
    out = np.zeros((to_y.max() + 1, to_x.max() + 1, 3), np.uint8)
    out[to_y, to_x] = image
    return out


def test_there_are_eight() -> None:
    assert len(set(EIGHT)) == 8


@pytest.mark.parametrize("entry", EIGHT)
def test_a_matrix_carries_pixels_as_the_standard_says(entry: tuple[int, int, int, int]) -> None:
    a, b, c, d = (value - 1 for value in entry)
    image = np.arange(2 * 3 * 3, dtype=np.uint8).reshape(2, 3, 3)
    matrix = np.array([a << 16, b << 16, 0, c << 16, d << 16, 0, 0, 0, 1 << 30], np.int32)
    turned = upright(image, turn_of(matrix))
    assert np.array_equal(turned, shown(image, a, b, c, d))
    assert turned.flags.c_contiguous


@pytest.mark.parametrize("quarters", range(4))
def test_quarter_turns(quarters: int) -> None:
    image = np.arange(2 * 3 * 3, dtype=np.uint8).reshape(2, 3, 3)
    assert np.array_equal(upright(image, QUARTER_TURNS[quarters]), np.rot90(image, quarters))


@pytest.mark.parametrize("degrees", [0, 90, 180, 270])
@pytest.mark.parametrize("mirror", ["", "hflip", "vflip"])
def test_a_mirrored_front_camera_is_upright(tmp_path: Path, degrees: int, mirror: str) -> None:
    image = np.zeros((48, 64, 3), np.uint8)
    image[:24, :32], image[:24, 32:], image[24:, :32] = 80, 160, 240
    path = tmp_path / "clip.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=25, options={"crf": "5"})
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        stream.codec_context.sample_aspect_ratio = Fraction(4, 3)
        stream.set_display_rotation(degrees, hflip=mirror == "hflip", vflip=mirror == "vflip")
        container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        container.mux(stream.encode())
    with av.open(str(path)) as container:
        sides = next(container.decode(video=0)).side_data.get("DISPLAYMATRIX")
        numbers = np.frombuffer(bytes(sides), np.int32) if sides is not None else np.eye(3, dtype=np.int32).ravel()
    a, b, c, d = (int(np.sign(numbers[place])) for place in (0, 1, 3, 4))
    with read_video(path) as video:
        (frame,) = video
    wanted = shown(image, a, b, c, d)
    assert (video.info.height, video.info.width) == wanted.shape[:2]
    assert video.info.sample_aspect_ratio == (Fraction(3, 4) if degrees % 180 else Fraction(4, 3))
    assert np.abs(frame.image.astype(int) - wanted)[2:-2:9, 2:-2:9].max() <= 12
