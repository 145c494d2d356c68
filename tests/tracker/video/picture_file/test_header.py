"""What headers say of sizes and pages, and pictures that say too much."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest

from startrack.tracker.video.base import SourceError
from startrack.tracker.video.picture_file.header import MOST_STEPS, read_header
from startrack.tracker.video.picture_file.read import PictureFile, load_picture


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".bmp", ".webp", ".tif", ".ppm", ".pgm", ".avif"])
@pytest.mark.parametrize("size", [(1, 1), (37, 21), (300, 200)])
def test_the_size_is_read_without_decoding(suffix: str, size: tuple[int, int]) -> None:
    image = np.random.default_rng(0).integers(0, 255, (size[1], size[0], 3), np.uint8)
    if suffix == ".avif" and not cv2.haveImageWriter(suffix):
        pytest.skip("OpenCV without AVIF")
    data = cv2.imencode(suffix, image[..., 0] if suffix == ".pgm" else image)[1].tobytes()
    header = read_header(data)
    assert header is not None
    assert (header.sizes, header.pages, header.is_animated) == ((size,), (0,), False)
    for end in range(min(len(data), 64)):
        read_header(data[:end])


def test_a_progressive_jpeg_and_one_with_metadata() -> None:
    data = cv2.imencode(".jpg", np.zeros((48, 64, 3), np.uint8), [cv2.IMWRITE_JPEG_PROGRESSIVE, 1])[1].tobytes()
    note = b"\xff\xfe" + struct.pack(">H", 2 + 500) + b"\xff\xc0" * 250
    header = read_header(data[:2] + note + data[2:])
    assert header is not None
    assert header.sizes == ((64, 48),)


def png_header(width: int, height: int) -> bytes:
    chunk = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + chunk + struct.pack(">I", zlib.crc32(chunk))


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("bomb.png", png_header(40_000, 40_000) + b"\0" * 5000),
        ("bomb.jpg", b"\xff\xd8\xff\xc0\0\x11\x08" + struct.pack(">HH", 40_000, 40_000) + b"\x03" * 200),
        ("bomb.bmp", b"BM" + struct.pack("<IHHIIii", 99, 0, 0, 54, 40, 40_000, -40_000) + b"\0" * 200),
        ("bomb.webp", b"RIFF\0\1\0\0WEBPVP8X\x0a\0\0\0\0\0\0\0" + (39_999).to_bytes(3, "little") * 2 + b"\0" * 99),
        ("bomb.ppm", b"P6\n# a note\n40000 40000\n255\n" + b"\0" * 99),
        (
            "bomb.tif",
            b"II*\0\x08\0\0\0\x02\0" + struct.pack("<HHIIHHII", 256, 4, 1, 40_000, 257, 4, 1, 40_000) + b"\0" * 8,
        ),
    ],
)
def test_a_picture_that_is_too_large_is_refused_from_its_header(tmp_path: Path, name: str, data: bytes) -> None:
    path = tmp_path / name
    path.write_bytes(data)
    with pytest.raises(SourceError, match=f"{name}: 40000 × 40000 pixels; expected at most 64 million"):
        load_picture(path)


def test_a_header_without_end_is_broken() -> None:
    start = b"\xff\xc0\0\x11\x08\0\x30\0\x40"
    assert read_header(b"\xff\xd8" + b"\xff" * 9 + start) is not None
    assert read_header(b"\xff\xd8" + b"\xff" * (MOST_STEPS + 9) + start) is None
    chunks = b"\0\0\0\0noneCRC4"
    picture = png_header(64, 48)
    assert read_header(picture + chunks * 9 + b"\0\0\0\0IDAT") is not None
    # OpenCV makes room for a chunk before it reads it
    for name in (b"IDAT", b"none", b"IEND"):
        assert read_header(picture + b"\x7f\0\0\0" + name + bytes(100)) is None
        assert read_header(picture + chunks + b"\0\x10\0\0" + name + bytes(100)) is not None  # cut off
    assert read_header(picture + chunks * MOST_STEPS + b"\0\0\0\0IDAT") is None
    # two directories of 60,000 entries, which are one another's
    tiff = b"II*\0\x08\0\0\0" + struct.pack("<H", 60_000) + bytes(12 * 60_000) + struct.pack("<I", 10)
    assert read_header(tiff[:10] + struct.pack("<H", 60_000) + tiff[12:] + bytes(100)) is None


def test_every_page_of_a_tiff_but_its_thumbnail(tmp_path: Path) -> None:
    path = tmp_path / "pages.tif"
    pages = [np.full((20, 30 + page, 3), 50 * page, np.uint8) for page in range(4)]
    assert cv2.imwritemulti(str(path), pages)
    assert [page.shape[1] for page in PictureFile(path).pages()] == [30, 31, 32, 33]
    data = bytearray(path.read_bytes())
    (second,) = struct.unpack_from("<I", data, _next(data, struct.unpack_from("<I", data, 4)[0]))
    (count,) = struct.unpack_from("<H", data, second)
    tags = [struct.unpack_from("<H", data, second + 2 + 12 * entry)[0] for entry in range(count)]
    assert 254 in tags, "expected a TIFF that says what each page is"
    struct.pack_into("<I", data, second + 2 + 12 * tags.index(254) + 8, 1)  # a smaller copy of another page
    path.write_bytes(data)
    assert [int(page[0, 0, 0]) for page in PictureFile(path).pages()] == [0, 100, 150]


def _next(data: bytearray, directory: int) -> int:
    """Where a TIFF directory says where the next one begins."""
    (count,) = struct.unpack_from("<H", data, directory)
    return int(directory + 2 + 12 * count)


@pytest.mark.parametrize("suffix", [".webp", ".png", ".avif"])
def test_frames_of_an_animation_have_their_times(tmp_path: Path, suffix: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if not hasattr(cv2, "imwriteanimation") or not cv2.haveImageWriter(suffix):
        pytest.skip(f"OpenCV without animations, or without {suffix}")
    path = tmp_path / f"moving{suffix}"
    animation = cv2.Animation()
    animation.frames = [np.full((48, 64, 3), (0, 0, 40 + 50 * number), np.uint8) for number in range(4)]
    animation.durations = np.array([100, 200, 50, 300], np.int32)
    assert cv2.imwriteanimation(str(path), animation)
    file = PictureFile(path)
    assert file.is_animated
    for at_once in (64_000_000, 64 * 48):  # all in one call, and one frame a call
        monkeypatch.setattr("startrack.tracker.video.picture_file.read.LARGEST_PIXELS", at_once)
        frames = list(file.frames())
        assert [round(frame.begins_s, 3) for frame in frames] == [0, 0.1, 0.3, 0.35]
        for number, frame in enumerate(frames):
            assert np.abs(frame.image[10, 10].astype(int) - (40 + 50 * number, 0, 0)).max() <= 6
