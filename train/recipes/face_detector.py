"""face-detector and face-detector-tuned: the shipped face detector for the CPU, 0.5 MB in 8-bit integers.

An FCOS-like network of one class (train.models.face_detector) that gives a square and two eyes per face. Trained on
parts of WIDER FACE photos, whose boxes are a public detector's (score 0.8 and up; the rest is ignored), on close-ups
and groups of further faces and with these pasted in, under coloured light, dark, painted and partly hidden, and on what
is no face: bodies and hands of the photos, drawn letters, limbs and patterns. Held back: the photos of two events, and
one in twelve of the others for choosing the threshold. --extra adds folders of startrack render --scenes to the photos.

Command: startrack train --recipe face-detector --data data --out runs/detector
Command: startrack train --recipe face-detector-tuned --data data --init face-detector.onnx --out runs/tuned
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import torch

from startrack.engines.base import DetectorSpec
from startrack.train.augment.face_pastes import StoredFace, store_faces
from startrack.train.augment.textures import skimage_pictures
from startrack.train.feed.detection_dataset import DetectionDataset
from startrack.train.losses.detection import DetectionLoss
from startrack.train.models.face_detector import DeployedDetector, FaceDetector
from startrack.train.recipes.compact import adamw, one_cycle
from startrack.train.recipes.network_arguments import arguments_of, network_spec
from startrack.train.recipes.recipe import Recipe
from startrack.train.sets import ibug_300w
from startrack.train.sets.face_photos import load_face_photos
from startrack.train.sets.rendered_scenes import load_scenes
from startrack.train.validation.detection_validation import detection_validation


@dataclass(frozen=True)
class DetectorSize:
    """Channels and blocks of a FaceDetector."""

    stem: tuple[int, int] = (16, 32)
    widths: tuple[int, ...] = (48, 64, 96)
    depths: tuple[int, ...] = (2, 2, 1)
    neck: int = 48


DETECTOR_SPEC = DetectorSpec(
    name="face-detector",
    strides=(8, 16, 32),
    input_size=416,
    smallest_face=16,
    min_score=0.55,
    max_overlap=0.35,
    network=network_spec("face_detector", DetectorSize()),
)
PICTURE_SIZE = 256
"""Side of the training pictures; the network takes any multiple of 32."""
FURTHER_FACES = ("helen256", "helen_reduced", "mebeauty", "youtube_faces")
"""Folders of pictures with .pts: HELEN's training faces from small photos, and two sets with a machine's landmarks."""


def detector_network(spec: DetectorSpec) -> tuple[FaceDetector, DeployedDetector]:
    """The network, and the same as it is exported."""
    network = FaceDetector(**asdict(arguments_of(spec, DetectorSize)))
    return network, DeployedDetector(network, spec)


def face_detector(
    data: Path, *, backgrounds: Path | None = None, extra: Sequence[Path] = (), epochs: int = 100, seed: int = 0
) -> Recipe:
    """data: the folder that holds 300w, wider_photos and, as far as there, FURTHER_FACES. backgrounds: photos with
    faces.json in place of wider_photos. extra: rendered scenes, added to the photos. An epoch is 4096 pictures."""
    torch.manual_seed(seed)
    spec = DETECTOR_SPEC
    photos = backgrounds or data / "wider_photos"
    return Recipe(
        name=spec.name,
        spec=spec,
        model=detector_network(spec)[0],
        loss=DetectionLoss(spec.strides),
        train_data=DetectionDataset(
            load_face_photos(photos, "train") + [scene for folder in extra for scene in load_scenes(folder, "train")],
            load_cut_outs(data),
            size=PICTURE_SIZE,
            textures=skimage_pictures(),
            seed=seed,
        ),
        validate=detection_validation(
            load_face_photos(photos, "validation"), spec, lambda network: DeployedDetector(network, spec)
        ),
        make_optimiser=adamw,
        learning_rate=one_cycle,
        epochs=epochs,
        batch_size=32,
        ema_decay=0.998,
    )


def face_detector_tuned(
    data: Path, *, backgrounds: Path | None = None, extra: Sequence[Path] = (), epochs: int = 8, seed: int = 0
) -> Recipe:
    """As face_detector, to be begun with its weights: a lower rate, few epochs and an average of fewer steps."""
    recipe = face_detector(data, backgrounds=backgrounds, extra=extra, epochs=epochs, seed=seed)
    return replace(recipe, learning_rate=functools.partial(one_cycle, peak=1e-3), ema_decay=0.995)


def load_cut_outs(data: Path) -> list[StoredFace]:
    """The faces to paste: exact boxes from 300W's training faces, rough ones from FURTHER_FACES, as far as there."""
    samples = ibug_300w.load(data / "300w", "train")
    for name in FURTHER_FACES:
        if (data / name).is_dir():
            samples += ibug_300w.load_folder(data / name, name)
    return store_faces(samples)
