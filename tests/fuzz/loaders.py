"""Every loader of files from outside: folder and file → anything, or an error of startrack's own."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import numpy as np

from startrack.train.synthetic.rendered_set import Series

MOST_FRAMES = 60
SERIES = Series(seed=0, size=96, assets="0123", backgrounds="")


def _picture_or_video(folder: Path, path: Path) -> None:
    import startrack

    with closing(startrack.open_source(str(path))) as frames:
        for frame in itertools.islice(frames, MOST_FRAMES):
            assert frame.image.ndim == 3


def _engine(folder: Path, path: Path) -> None:
    from startrack.engines import load_engine

    with load_engine(path, "cpu") as engine:
        size = engine.spec.input_size
        engine(np.zeros((1, size, size, 3), np.uint8))


def _detector(folder: Path, path: Path) -> None:
    from startrack.engines import load_detector

    with load_detector(path, "cpu") as engine:
        side = engine.spec.strides[-1] * 8
        engine(np.zeros((1, side, side, 3), np.uint8))


def _graph(folder: Path, path: Path) -> None:
    from startrack.engines.graphs.fold import read_graph
    from startrack.train.recipes.load import load_deployed

    read_graph(path)
    load_deployed(path)


def _sidecar(folder: Path, path: Path) -> None:
    from startrack.engines.sidecar import read_sidecar

    read_sidecar(path.with_suffix(".onnx"))


def _spec(folder: Path, path: Path) -> None:
    from startrack.engines.base import parse_spec

    parse_spec(path.read_bytes().decode("utf-8", "surrogateescape"), path.name)


def _weights(folder: Path, path: Path) -> None:
    from startrack.train.recipes.load import load_deployed

    load_deployed(path)


def _training(folder: Path, path: Path) -> None:
    from startrack.train.weights.checkpoint import load_training

    load_training(path)


def _official(folder: Path, path: Path) -> None:
    from startrack.train.recipes.official_weights import read_official

    read_official(path)


def _points(folder: Path, path: Path) -> None:
    from startrack.train.sets.own.own_points import read_own_points

    own = read_own_points(folder)
    own.train[0].read_image()


def _flip_pairs(folder: Path, path: Path) -> None:
    from startrack.train.sets.own.flip_pairs import read_flip_pairs

    read_flip_pairs(path, 5)


def _dataset_picture(folder: Path, path: Path) -> None:
    from startrack.train.sets.sample import read_picture

    read_picture(path)


def _dataset(name: str, split: str) -> Callable[[Path, Path], None]:
    def load(folder: Path, path: Path) -> None:
        from startrack.train.sets import DATASETS

        for sample in DATASETS[name](folder, split):
            sample.read_image()

    return load


def _bodies(name: str, split: str) -> Callable[[Path, Path], None]:
    def load(folder: Path, path: Path) -> None:
        from startrack.train.sets.body import coco_body, mpii

        {"coco": coco_body.load, "mpii": mpii.load}[name](folder, split)

    return load


def _heads(folder: Path, path: Path) -> None:
    from startrack.train.sets.body.mpii import read_head_sizes

    read_head_sizes(path)


def _face_photos(folder: Path, path: Path) -> None:
    from startrack.train.sets.backgrounds import load_backgrounds
    from startrack.train.sets.face_photos import load_face_photos

    for photo in load_face_photos(folder):
        photo.read_image()
    load_backgrounds(folder)


def _rendered(folder: Path, path: Path) -> None:
    from startrack.train.sets.rendered import load
    from startrack.train.synthetic.rendered_set import open_series

    for sample in load(folder, "all"):
        sample.read_image()
    open_series(folder, SERIES)


def _pack(folder: Path, path: Path) -> None:
    from startrack.train.packs.packed_faces import load_packed_faces

    load_packed_faces(path)


def _store(folder: Path, path: Path) -> None:
    from startrack.train.sets.ibug_300vw import AnnotatedVideo
    from startrack.train.video_evaluation.store import Store

    video = AnnotatedVideo("114", path, np.arange(3), np.zeros((3, 68, 2)))
    Fingerprinted = type("Fingerprinted", (Store,), {"fingerprint": lambda self, video: "x"})
    Fingerprinted(folder, "none").read(video)


def _record(folder: Path, path: Path) -> None:
    from startrack.tracker.session.batch import VideoJob

    VideoJob("a.mp4", path, "none").state()


def _jsonl(folder: Path, path: Path) -> None:
    from startrack.tracker.sinks.jsonl_sink import read_jsonl

    for _ in read_jsonl(path):
        pass


def _log(folder: Path, path: Path) -> None:
    from startrack.train.loop.journal import _lines_until

    _lines_until(path, 3)


LOADERS: dict[str, Callable[[Path, Path], None]] = {
    "picture": _picture_or_video,
    "video": _picture_or_video,
    "pages": _picture_or_video,
    "joined": _picture_or_video,
    "dataset_picture": _dataset_picture,
    "engine": _engine,
    "detector": _detector,
    "graph": _graph,
    "sidecar": _sidecar,
    "spec": _spec,
    "weights": _weights,
    "training": _training,
    "official": _official,
    "pts": _points,
    "flip_pairs": _flip_pairs,
    "coco_points": _points,
    "coco_body": _bodies("coco", "val"),
    "mpii": _bodies("mpii", "train"),
    "mat": _bodies("mpii", "train"),
    "heads": _heads,
    "cofw": _dataset("cofw", "test"),
    "wflw": _dataset("wflw", "test"),
    "tsv": _dataset("tsv", "test"),
    "face_photos": _face_photos,
    "rendered": _rendered,
    "pack": _pack,
    "store": _store,
    "record": _record,
    "jsonl": _jsonl,
    "log": _log,
}
