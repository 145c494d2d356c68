"""Files of weights, trainings, packs and logs that are something else: pipes, archives of zeros, unknown types."""

from __future__ import annotations

import json
import os
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import nn

from startrack.errors import StartrackError
from startrack.outside import check_unpacked
from startrack.train.loop.journal import _lines_until
from startrack.train.packs.packed_faces import load_packed_faces
from startrack.train.recipes.official_weights import read_official
from startrack.train.weights.checkpoint import load_training, load_weights
from startrack.train.weights.published_weights import load_published

READERS: dict[str, Callable[[Path], object]] = {
    "weights": load_weights,
    "training": load_training,
    "official": read_official,
    "published": lambda path: load_published(nn.Linear(1, 1), path),
    "pack": load_packed_faces,
}


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes here")
@pytest.mark.parametrize("read", READERS.values(), ids=READERS)
@pytest.mark.parametrize("kind", ["pipe", "zeros", "folder"])
def test_what_is_no_ordinary_file_is_named(read: Callable[[Path], object], kind: str, tmp_path: Path) -> None:
    path = tmp_path / "file"
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "zeros":
        path.symlink_to("/dev/zero")
    else:
        path.mkdir()
    with pytest.raises(StartrackError, match=r"file: not .*: not an ordinary file"):
        read(path)


def packed_again(path: Path, zeros: int) -> None:
    """A file of torch, its tensors replaced by zeros that are compressed."""
    with zipfile.ZipFile(path) as archive:
        members = {entry.filename: archive.read(entry) for entry in archive.infolist()}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, bytes(zeros) if "/data/" in name else content)


@pytest.mark.parametrize("name", ["training", "official", "published"])
def test_an_archive_that_unpacks_to_more_than_it_has_is_refused(name: str, tmp_path: Path) -> None:
    path = tmp_path / "file"
    torch.save({"net": {"a": torch.ones(1000)}}, path)
    packed_again(path, 1_000_000)
    assert path.stat().st_size < 20_000
    with pytest.raises(StartrackError, match=r"file: not .*: unpacks to 10\d+ bytes; expected \d+ at most"):
        READERS[name](path)


def test_sizes_of_archives(tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.npy", bytes(100_000))
    check_unpacked(path, 100_000)
    with pytest.raises(ValueError, match="unpacks to 100000 bytes; expected 99999 at most"):
        check_unpacked(path, 99_999)
    path.write_bytes(path.read_bytes()[:-30])
    with pytest.raises(ValueError, match="not a zip file that can be read"):
        check_unpacked(path, 100_000)


def test_a_type_that_numpy_has_not_is_named(tmp_path: Path) -> None:
    header = json.dumps({"a": {"dtype": "F8_E4M3", "shape": [1], "data_offsets": [0, 1]}}).encode()
    path = tmp_path / "faces.pack"
    path.write_bytes(len(header).to_bytes(8, "little") + header + b"\0")
    with pytest.raises(StartrackError, match=r"faces\.pack: not a readable pack of faces"):
        load_packed_faces(path)


def test_a_log_is_read_line_by_line(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    assert _lines_until(path, 3) == []
    path.write_bytes(b'{"step": 1}\n{"step": 9}\n{"step": 2}\n' + bytes(1 << 22))
    assert _lines_until(path, 3) == [b'{"step": 1}\n', b'{"step": 2}\n']


@pytest.mark.parametrize("name", ["official", "published"])
def test_a_small_file_that_asks_for_gigabytes_gets_none(name: str, tmp_path: Path) -> None:
    """The old format of torch is a pickle, whose bytes say how long a text is."""
    resource = pytest.importorskip("resource")
    path = tmp_path / "file"
    torch.save({"net": {"a": torch.ones(3)}}, path, _use_new_zipfile_serialization=False)
    content = path.read_bytes()
    path.write_bytes(content[:2] + b"B\xff\xff\xff\x7f" + content[2:])
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(StartrackError, match="file: not "):
        READERS[name](path)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 500_000
