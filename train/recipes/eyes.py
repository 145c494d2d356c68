"""eyes: lids, iris, gaze and openness of single eyes, for a CPU.

A small hourglass on upright 64×48 crops of one eye (train/models/eye_net.py), the left one mirrored. Rendered faces
teach everything: lids, iris, gaze, openness and what hides an eye. Real faces, where some are given, teach the lids of
300W's markup, and by the iris labels of a peer (benchmarks/shared/peer_iris.py) where an iris lies; faces with rough
landmarks only the latter. Open real eyes are shut by a drawn lid in two of five items (train/augment/blink.py),
and some eyes are made up or get glasses (train/augment/make_up.py, glasses.py).
Crops are as far off as those that a landmark model's eye corners ask for.

Command: startrack render runs/faces --assets synthetic_assets --count 12000 --seed 11
Command: startrack train --recipe eyes --data runs/faces --extra 300w --extra helen256 --extra helen_reduced
--unlabelled mebeauty --unlabelled youtube_faces --iris-labels irises.jsonl --out runs/eyes
Command, from renders alone: startrack train --recipe eyes --data runs/faces --out runs/free-eyes

Watched: medians on the tenth of the renders that is held back, and on 300W's validation faces.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch

from startrack.engines.base import EyeSpec
from startrack.train.augment.face_augment import Augmentation
from startrack.train.feed.eye_dataset import EyeChanges, EyeDataset
from startrack.train.losses.eyes import EyeLoss
from startrack.train.models.eye_net import DeployedEyes, EyeNet
from startrack.train.recipes.compact import adamw, one_cycle
from startrack.train.recipes.network_arguments import arguments_of, network_spec
from startrack.train.recipes.recipe import Recipe
from startrack.train.sets.eyes import rendered_eyes
from startrack.train.sets.eyes.eye_sets import load_eye_set
from startrack.train.sets.eyes.eye_truth import FaceEyes
from startrack.train.sets.eyes.iris_labels import IrisLabels, read_iris_labels
from startrack.train.sets.eyes.real_eyes import load_iris_faces, load_real_eyes
from startrack.train.sets.rendered import is_rendered
from startrack.train.validation.eye_validation import eye_validation


@dataclass(frozen=True)
class EyeSize:
    """Channels of an EyeNet."""

    stem: int = 16
    widths: tuple[int, ...] = (32, 48, 64)
    inner: int = 20
    hidden: int = 48


EYE_SPEC = EyeSpec(
    name="eyes",
    input_width=64,
    input_height=48,
    crop_scale=1.8,
    least_corners=0.2,
    network=network_spec("eye_net", EyeSize()),
)
FREE_EYE_SPEC = replace(EYE_SPEC, name="free-eyes")
"""Of a network that saw renders alone."""
AS_IT_IS = Augmentation(occlusion=0, blur=0, low_resolution=0, gamma=0, colour=0, noise=0, grey=0, compression=0)
FOLLOWED = EyeChanges(
    shift=0.025, log_width=0.08, rotation_deg=0.9, blink=0.0, make_up=0.0, glasses=0.0, texture=AS_IT_IS
)
"""Crops as off as those by a landmark model, of pictures as they are: for measuring."""
IBUG_LID_BIAS = (0.56, 0.0, 0.86, -0.13, 1.01, 0.19, 0.58, 0.11, 1.22, -0.02, 1.07, 0.13)
"""Mean of 300W's annotation bias (train/targets/annotation_bias.py) over the crops of its training faces, pixels. The
truths of a training are without it."""
REPEAT = {"real": 2, "glasses": 2}
"""Times that an epoch shows each face of a kind (FaceEyes.domain) or with an attribute."""


def eye_network(spec: EyeSpec) -> tuple[EyeNet, DeployedEyes]:
    """The network, and the same as it is exported."""
    size = arguments_of(spec, EyeSize)
    network = EyeNet(
        spec.input_width, spec.input_height, stem=size.stem, widths=size.widths, inner=size.inner, hidden=size.hidden
    )
    return network, DeployedEyes(network)


def validation_sets(
    rendered: Sequence[FaceEyes], extra: Sequence[Path], labels: IrisLabels, spec: EyeSpec
) -> dict[str, EyeDataset]:
    """Name → held-back eyes: those rendered, and 300W's validation faces if its folder is among `extra`."""
    sets = {"rendered": EyeDataset(rendered, spec, changes=FOLLOWED)}
    real = [face for folder in extra for face in load_real_eyes(folder, "validation", labels)]
    if real:
        sets["real"] = EyeDataset(real, spec, changes=FOLLOWED)
    return sets


def eyes(
    data: Path,
    *,
    extra: Sequence[Path] = (),
    unlabelled: Sequence[Path] = (),
    iris_labels: Path | None = None,
    epochs: int = 12,
    seed: int = 0,
) -> Recipe:
    """data: a folder that startrack render made. extra: further such folders, and real faces with 300W's landmarks:
    its published folders or one of pictures. unlabelled: faces with rough landmarks, taught by the iris labels. Raises
    DatasetError where one is not as made or published."""
    labels: IrisLabels = read_iris_labels(iris_labels) if iris_labels else {}
    torch.manual_seed(seed)
    real = [folder for folder in extra if not is_rendered(folder)]
    spec = replace(EYE_SPEC, lid_bias=IBUG_LID_BIAS) if real else FREE_EYE_SPEC
    faces = rendered_eyes.load(data, "train")
    faces += [face for folder in extra for face in load_eye_set(folder, "train", labels)]
    faces += load_iris_faces(unlabelled, labels)
    return Recipe(
        name=spec.name,
        spec=spec,
        model=eye_network(spec)[0],
        loss=EyeLoss(),
        train_data=EyeDataset(faces, spec, changes=EyeChanges(), repeat=REPEAT, seed=seed),
        validate=eye_validation(validation_sets(rendered_eyes.load(data, "validation"), real, labels, spec)),
        make_optimiser=adamw,
        learning_rate=functools.partial(one_cycle, peak=2e-3),
        epochs=epochs,
        batch_size=32,
        ema_decay=0.998,
    )
