"""Good files of every kind that startrack reads, made at run time: what the mutations start from."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection
from pathlib import Path

import cv2
import numpy as np

from startrack.tracker.types import ImageArray
from tests.train.made_bodies import make_coco, make_mpii, make_original_mpii
from tests.train.made_points import NAMES, drawn_face, write_coco, write_folder

SIDE = 96
VIDEOS = {
    "clip.mp4": "libx264", "clip.mkv": "libx264", "clip.ts": "libx264", "clip.avi": "mpeg4", "clip.webm": "libvpx",
    "clip.mpg": "mpeg1video", "clip.gif": "gif", "clip.flv": "flv1", "clip.mov": "mpeg4",
}  # fmt: skip
PICTURES = ("picture.png", "picture.jpg", "picture.bmp", "picture.webp", "picture.tiff", "picture.ppm")


def make_seeds(root: Path, kinds: Collection[str]) -> dict[str, list[Path]]:
    """Kind of loader (tests.fuzz.loaders.LOADERS) → its files; everything that one loader needs is in root/KIND."""
    made: dict[str, Callable[[Path], list[Path]]] = {
        "picture": _pictures,
        "video": _videos,
        "pages": _many_pictures,
        "joined": _joined,
        "dataset_picture": _pictures,
        "engine": _model,
        "detector": _detector,
        "graph": _model,
        "sidecar": _sidecar,
        "spec": _specs,
        "weights": _weights,
        "training": _training,
        "official": _official,
        "pts": _pts,
        "flip_pairs": _flip_pairs,
        "coco_points": lambda folder: [write_coco(folder, {"train": 3}) / "train.json"],
        "coco_body": lambda folder: sorted(make_coco(folder, train=2, val=2).glob("annotations/*val*.json")),
        "mpii": lambda folder: [make_mpii(folder, train=2, valid=2) / "annot" / "train.json"],
        "mat": lambda folder: [make_original_mpii(folder) / "mpii_human_pose_v1_u12_1.mat"],
        "heads": lambda folder: [make_mpii(folder, train=2, valid=2) / "annot" / "gt_valid.mat"],
        "cofw": _cofw,
        "wflw": _wflw,
        "tsv": _tsv,
        "face_photos": _face_photos,
        "rendered": _rendered,
        "pack": _pack,
        "store": _store,
        "record": _record,
        "jsonl": _jsonl,
        "log": _log,
    }
    found = {}
    for kind, make in made.items():
        if kind not in kinds:
            continue
        (root / kind).mkdir(parents=True)
        found[kind] = make(root / kind)
        assert found[kind], kind
    return found


def _face(seed: int = 0) -> ImageArray:
    return np.ascontiguousarray(drawn_face(np.random.default_rng(seed))[0][:SIDE, :SIDE])


def _pictures(folder: Path) -> list[Path]:
    for name in PICTURES:
        assert cv2.imwrite(str(folder / name), _face()[..., ::-1])
    return [folder / name for name in PICTURES]


def _many_pictures(folder: Path) -> list[Path]:
    """Files of several pages, frames or tiles."""
    from tests.tracker.video.picture_file.tiled import write_tiles

    for name, turns in (("tiles.heic", [b"irot\x01"]), ("tiles.avif", [])):
        write_tiles(folder / name, [np.ascontiguousarray(_face()[:64, :64])] * 4, 2, (120, 100), turns=turns)
    assert cv2.imwritemulti(str(folder / "pages.tiff"), [_face(number) for number in range(3)])
    animation = cv2.Animation()
    animation.frames = [_face(number) for number in range(3)]
    animation.durations = np.array([40, 40, 80], np.int32)
    for name in ("moving.webp", "moving.png"):
        assert cv2.imwriteanimation(str(folder / name), animation)
    return sorted(folder.iterdir())


def _joined(folder: Path) -> list[Path]:
    """Two recordings in one file."""
    videos = _videos(folder)
    for path in videos:
        path.write_bytes(path.read_bytes() * 2)
    return [path for path in videos if path.suffix in (".mp4", ".mkv", ".ts", ".avi", ".flv")]


def _videos(folder: Path) -> list[Path]:
    from startrack.tracker.video.pyav import av

    for name, codec in VIDEOS.items():
        with av.open(str(folder / name), "w") as container:
            stream = container.add_stream(codec, rate=25)
            stream.width = stream.height = SIDE
            stream.pix_fmt = "rgb8" if codec == "gif" else "yuv420p"
            for index in range(6):
                picture = np.roll(_face(), index, axis=1)
                container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
            container.mux(stream.encode())
    return [folder / name for name in VIDEOS]


def _tiny() -> tuple[object, object]:
    import torch

    from startrack.engines.base import ModelSpec
    from startrack.train.recipes.compact import CompactSize, compact_network
    from startrack.train.recipes.network_arguments import network_spec

    torch.manual_seed(0)
    network = network_spec("compact_hourglass", CompactSize(stacks=1, inner=0.25))
    spec = ModelSpec("tiny", "ibug_68", 68, 64, 16, 1.25, network=network)
    return compact_network(spec), spec


def _model(folder: Path) -> list[Path]:
    from startrack.engines.zoo import zoo_path

    # without its sidecar, which would give every change away by its hash
    (folder / "model.onnx").write_bytes(zoo_path("compact-300w-small-float").read_bytes())
    return [folder / "model.onnx"]


def _detector(folder: Path) -> list[Path]:
    from startrack.engines.zoo import DEFAULT_DETECTOR, zoo_path

    (folder / "detector.onnx").write_bytes(zoo_path(DEFAULT_DETECTOR).read_bytes())
    return [folder / "detector.onnx"]


def _sidecar(folder: Path) -> list[Path]:
    from startrack.engines.zoo import DEFAULT_LANDMARKS, zoo_path

    (folder / "model.json").write_bytes(zoo_path(DEFAULT_LANDMARKS).with_suffix(".json").read_bytes())
    return [folder / "model.json"]


def _specs(folder: Path) -> list[Path]:
    from startrack.engines.base import DetectorSpec

    _, spec = _tiny()
    (folder / "landmarks.json").write_text(spec.to_json())  # type: ignore[attr-defined]
    (folder / "faces.json").write_text(DetectorSpec("net", (8, 16), 320, 16, 0.5, 0.35).to_json())
    return sorted(folder.iterdir())


def _weights(folder: Path) -> list[Path]:
    from startrack.train.weights.checkpoint import save_weights

    (network, _), spec = _tiny()  # type: ignore[misc]
    save_weights(folder / "weights.safetensors", network, spec)  # type: ignore[arg-type]
    return [folder / "weights.safetensors"]


def _training(folder: Path) -> list[Path]:
    import torch

    from startrack.train.weights.checkpoint import save_training

    save_training(folder / "training.pt", {"model": {"a": torch.ones(3, 4)}, "step": 3, "training": {"recipe": "x"}})
    return [folder / "training.pt"]


def _official(folder: Path) -> list[Path]:
    import torch

    torch.save({"net": {"out_heatmaps.0.conv.weight": torch.ones(68, 4)}, "net_ema": {}}, folder / "star.pkl")
    return [folder / "star.pkl"]


def _pts(folder: Path) -> list[Path]:
    return sorted(write_folder(folder, {"train": 2}).glob("train/*.pts"))


def _flip_pairs(folder: Path) -> list[Path]:
    (folder / "pairs.txt").write_text("0 1\n3 4  # mouth\n")
    (folder / "names.txt").write_text("\n".join(NAMES))
    return sorted(folder.iterdir())


def _cofw(folder: Path) -> list[Path]:
    from tests.train.sets.test_cofw import made, write

    write(folder, *made())
    return [folder / "COFW_test_color.mat"]


def _wflw(folder: Path) -> list[Path]:
    from startrack.train.sets.wflw import LIST_FOLDER, PICTURE_FOLDER

    rng = np.random.default_rng(0)
    (folder / LIST_FOLDER).mkdir(parents=True)
    (folder / PICTURE_FOLDER).mkdir()
    cv2.imwrite(str(folder / PICTURE_FOLDER / "a.jpg"), _face())
    lines = [" ".join(map(str, [*rng.uniform(5, 80, 196).round(3), 5, 5, 80, 80, 0, 1, 0, 0, 0, 0, "a.jpg"]))] * 3
    (folder / LIST_FOLDER / "list_98pt_rect_attr_test.txt").write_text("\n".join(lines) + "\n")
    return [folder / LIST_FOLDER / "list_98pt_rect_attr_test.txt"]


def _tsv(folder: Path) -> list[Path]:
    rng = np.random.default_rng(0)
    cv2.imwrite(str(folder / "a.jpg"), _face())
    marks = [",".join(map(str, rng.uniform(5, 80, 2 * count).round(2))) for count in (5, 68)]
    (folder / "test.tsv").write_text("\n".join(["\t".join(["a.jpg", *marks, "0.4", "48", "48"])] * 3) + "\n")
    return [folder / "test.tsv"]


def _face_photos(folder: Path) -> list[Path]:
    cv2.imwrite(str(folder / "a.jpg"), _face())
    rows = [[10.0, 12.0, 50.0, 60.0], [10.0, 12.0, 50.0, 60.0, 0.9], [5.0, 5, 60, 60, *range(20, 30), 0.8]]
    (folder / "faces.json").write_text(json.dumps({"images": {"a.jpg": rows}}))
    return [folder / "faces.json"]


def _rendered(folder: Path) -> list[Path]:
    from startrack.train.sets.pts import write_pts
    from startrack.train.sets.rendered import SERIES_FILE
    from startrack.train.synthetic.rendered_set import open_series
    from tests.fuzz.loaders import SERIES

    open_series(folder, SERIES)
    (folder / "0000").mkdir()
    cv2.imwrite(str(folder / "0000" / "0000000.png"), _face())
    write_pts(folder / "0000" / "0000000.pts", np.random.default_rng(0).uniform(5, 90, (68, 2)))
    facts = {"visible": [1] * 68, "turn_deg": 12.5, "attributes": {"glasses": "thin"}}
    (folder / "0000" / "0000000.json").write_text(json.dumps(facts))
    return [folder / "0000" / "0000000.json", folder / "0000" / "0000000.pts", folder / SERIES_FILE]


def _pack(folder: Path) -> list[Path]:
    from startrack.train.packs.pack import pack_faces
    from startrack.train.sets.sample import Sample

    cv2.imwrite(str(folder / "a.png"), _face())
    points = np.random.default_rng(0).uniform(20, 70, (68, 2))
    pack_faces([Sample(folder / "a.png", points, "train")] * 2, folder / "faces.pack", size=48)
    return [folder / "faces.pack"]


def _store(folder: Path) -> list[Path]:
    rng = np.random.default_rng(0)
    facts = {"fingerprint": "x", "stability": {}, "seconds": {}, "decoded": 3, "worst": [], "note": "", "causal": None}
    np.savez_compressed(folder / "114.npz", facts=np.array(json.dumps(facts)), nme=rng.random(3), worst0=np.arange(9))
    return [folder / "114.npz"]


def _record(folder: Path) -> list[Path]:
    record = {"state": "done", "source": "a.mp4", "size": None, "changed_ns": None, "settings": "none"}
    (folder / "a.track.json").write_text(json.dumps(record))
    return [folder / "a.track.json"]


def _jsonl(folder: Path) -> list[Path]:
    face = {
        "id": 1, "box": [1, 2, 30, 40], "presence": 0.9, "points": [[1.0, 2.0], [3.0, 4.0]],
        "covariance": [[1, 0, 1], [1, 0, 1]], "scores": [0.5, 0.6],
    }  # fmt: skip
    line = json.dumps({"format": 1, "index": 0, "time_s": 0.04, "width": 96, "height": 96, "faces": [face]})
    (folder / "a.jsonl").write_text(f"{line}\n" * 3)
    return [folder / "a.jsonl"]


def _log(folder: Path) -> list[Path]:
    (folder / "log.jsonl").write_text("".join(f'{{"step": {step}, "loss": 0.5}}\n' for step in range(1, 6)))
    return [folder / "log.jsonl"]
