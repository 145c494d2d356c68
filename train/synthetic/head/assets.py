"""The folder of assets that a user names: the head model, and skins, hair and light where it has them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from startrack.outside import read_bounded, reason
from startrack.tracker.video.picture_file.header import read_header
from startrack.train.sets.arrays import read_arrays, read_panorama
from startrack.train.sets.sample import DatasetError, picture_below
from startrack.train.synthetic.geometry.mesh import Floats, Indices
from startrack.train.synthetic.head.head_model import HeadModel, make_head_model
from startrack.train.synthetic.head.ict_folder import NEUTRAL, IctArrays, check_arrays, read_ict_folder

LARGEST_TEXTURE = 1 << 28
"""Bytes of a picture's file."""
MAX_PIXELS = 1 << 26
SKIN_SIZE = (1024, 512)
"""Width and height that skin textures are kept at: face in the left half, the rest of the head in the right one."""
HAIR_SIZE = (512, 512)
HAIR_ORIGIN_CM = np.array([0.0, 3.5, 0.0], np.float32)
"""Place of the hair files' origin in the head model's frame."""
HAIR_FLOOR = -13.5
"""Height below which hair is cut off, cm: no picture shows more of it, and it lies inside the shoulders."""


@dataclass(frozen=True, slots=True, eq=False)
class HairCards:
    """A hair style of flat cards with an opacity texture, on the mean head."""

    name: str
    vertices: Floats
    """(V, 3) cm."""
    faces: Indices
    uv: Floats
    """(V, 2)."""
    opacity: NDArray[np.uint8]
    """(H, W)."""
    brightness: Floats
    """(H, W) linear, about 1 in the mean."""


@dataclass(frozen=True, slots=True, eq=False)
class Assets:
    """Everything that pictures are rendered from."""

    head: HeadModel
    skins: tuple[NDArray[np.uint8], ...]
    """(512, 1024, 3) RGB textures on ICT's layout; none: skins are made by program."""
    hair: tuple[HairCards, ...]
    environments: tuple[Floats, ...]
    """(H, W, 3) linear radiance around the scene, latitude by longitude; none: made by program."""


def load_assets(folder: Path) -> Assets:
    """The assets in a folder: ict.npz, or ICT-FaceKit's folder FaceXModel (or that folder itself); skin_*.jpg,
    hair.npz with hair/ and hdri/*.npz are optional.

    Raises DatasetError naming the file that is missing, broken or not as expected.
    """
    if not folder.is_dir():
        raise DatasetError(f"{folder}: no such folder; expected assets as docs/synthetic.md describes them")
    return Assets(
        make_head_model(_read_ict(folder)),
        tuple(_read_skin(path) for path in sorted(folder.glob("skin_*.jpg"))),
        _read_hair(folder),
        tuple(_read_environment(path) for path in sorted((folder / "hdri").glob("*.npz"))),
    )


def _read_ict(folder: Path) -> IctArrays:
    packed = folder / "ict.npz"
    if packed.exists():
        z = read_arrays(packed)
        check_arrays(z, str(packed))
        materials = tuple(str(name).removeprefix("M_") for name in z["mats"])
        names = tuple(str(name) for name in z["names"])
        whole = z["f"].astype(np.int32), z["ft"].astype(np.int32), z["mi"].astype(np.int32)
        floats = {key: z[key].astype(np.float32) for key in ("v", "vt", "ident", "expr")}
        return IctArrays(floats["v"], floats["vt"], *whole, materials, floats["ident"], floats["expr"], names)
    for candidate in (folder / "FaceXModel", folder):
        if (candidate / f"{NEUTRAL}.obj").exists():
            return read_ict_folder(candidate)
    raise DatasetError(f"{folder}: no head model; expected ict.npz or ICT-FaceKit's folder FaceXModel")


def read_texture(path: Path, size: tuple[int, int]) -> NDArray[np.uint8]:
    """(H, W, C) with the channels of the file (RGB or RGB and opacity), resized. Raises DatasetError if it is no
    picture."""
    try:
        encoded = np.frombuffer(read_bounded(path, LARGEST_TEXTURE), np.uint8)
    except (OSError, ValueError) as error:
        raise DatasetError(f"{path}: cannot be read: {reason(error)}") from error
    header = read_header(encoded.data)
    is_small = header is not None and all(width * height <= MAX_PIXELS for width, height in header.sizes)
    image = cv2.imdecode(encoded, cv2.IMREAD_UNCHANGED) if is_small else None
    if image is None or image.dtype != np.uint8 or image.size > MAX_PIXELS:
        raise DatasetError(f"{path}: not a picture of 8 bits that OpenCV can decode")
    if image.ndim == 2:
        image = np.repeat(image[..., None], 3, 2)
    image[..., :3] = image[..., 2::-1]
    return np.ascontiguousarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.uint8)


def _read_skin(path: Path) -> NDArray[np.uint8]:
    return np.ascontiguousarray(read_texture(path, SKIN_SIZE)[..., :3])


def _read_environment(path: Path) -> Floats:
    return np.ascontiguousarray(cv2.resize(read_panorama(path), (128, 64), interpolation=cv2.INTER_AREA), np.float32)


def _read_hair(folder: Path) -> tuple[HairCards, ...]:
    path = folder / "hair.npz"
    if not path.exists():
        return ()
    arrays = read_arrays(path)
    names = sorted(key[:-2] for key in arrays if key.endswith("_v") and f"{key[:-2]}_tex" in arrays)
    return tuple(_hair_style(folder, arrays, name) for name in names)


def _hair_style(folder: Path, arrays: dict[str, NDArray[np.generic]], name: str) -> HairCards:
    where = f"{folder / 'hair.npz'}: {name}"
    try:
        places = arrays[f"{name}_v"].astype(np.float32) + HAIR_ORIGIN_CM
        corners = arrays[f"{name}_f"].astype(np.int32)
        uv, uv_corners = arrays[f"{name}_vt"].astype(np.float32), arrays[f"{name}_ft"].astype(np.int32)
    except (KeyError, ValueError) as error:
        raise DatasetError(f"{where}: expected arrays _v, _f, _vt and _ft of numbers: {error}") from None
    shapes = (places.ndim, corners.ndim, uv.ndim, uv_corners.ndim) == (2, 2, 2, 2)
    widths = shapes and (places.shape[1], corners.shape[1], uv.shape[1], uv_corners.shape) == (3, 3, 2, corners.shape)
    if not widths or not _within(corners, len(places)) or not _within(uv_corners, len(uv)):
        raise DatasetError(f"{where}: triangles and places do not fit together; expected (V, 3), (F, 3) and (T, 2)")
    if not (np.isfinite(places).all() and np.isfinite(uv).all()):
        raise DatasetError(f"{where}: numbers that are not finite")
    texture = read_texture(picture_below(folder, str(arrays[f"{name}_tex"]), where), HAIR_SIZE)
    shown = (places[corners][..., 1] > HAIR_FLOOR).all(1)
    pairs, faces = np.unique(
        np.stack([corners[shown].ravel(), uv_corners[shown].ravel()], 1), axis=0, return_inverse=True
    )
    solid = texture[..., 3] if texture.shape[2] == 4 else np.full(texture.shape[:2], 255, np.uint8)
    grey = np.square(texture[..., :3].astype(np.float32).mean(2) / 255)
    brightness = (grey / max(float(grey[solid > 128].mean()) if (solid > 128).any() else 1.0, 1e-3)).clip(0.25, 3.0)
    opacity = np.minimum(solid.astype(np.float32) * 1.15, 255).astype(np.uint8)
    triangles = faces.reshape(-1, 3).astype(np.int32)
    return HairCards(name, places[pairs[:, 0]], triangles, uv[pairs[:, 1]], opacity, brightness.astype(np.float32))


def _within(values: Indices, limit: int) -> bool:
    return bool(values.size) and int(values.min()) >= 0 and int(values.max()) < limit
