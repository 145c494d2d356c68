"""How each benchmark is scored, as frozen values."""

from __future__ import annotations

from dataclasses import dataclass, replace

from startrack.tracker.schemes import COFW_29, IBUG_68, WFLW_98, LandmarkScheme
from startrack.train.metrics.nme import NormaliserName


@dataclass(frozen=True)
class EvalProtocol:
    """How a benchmark is scored."""

    name: str
    normaliser: NormaliserName
    thresholds: tuple[float, ...]
    """NMEs at which failure rate and AUC are shown in plots, ascending."""
    subsets: tuple[str, ...]
    """Subsets and attributes in the order of the papers' tables; others follow as they come."""
    inner: tuple[int, ...] = ()
    """Landmarks without the face's outline, for a second NME; empty if the markup has no outline."""
    split: str = "test"
    """The default evaluation."""
    star_threshold: float = 0.10
    """NME at which the STAR code gives failure rate and AUC (star_failure_rate_and_auc)."""


IBUG_300W_PROTOCOL = EvalProtocol(
    name="300W",
    normaliser="inter_ocular",
    thresholds=(0.05, 0.08, 0.10),
    subsets=("common", "challenging", "full", "validation"),
    inner=tuple(range(17, 68)),
    split="full",
    star_threshold=0.05,
)
"""300W as in the papers since 2014: full = common + challenging (689 faces); validation is our own share of train.
The literature's thresholds are 0.08 and 0.10, STAR's is 0.05."""

IBUG_300W_PRIVATE_PROTOCOL = replace(IBUG_300W_PROTOCOL, name="300W private", subsets=("indoor", "outdoor"))

IBUG_300VW_PROTOCOL = replace(
    IBUG_300W_PROTOCOL,
    name="300VW",
    thresholds=(0.08, 0.10),
    subsets=("category1", "category2", "category3"),
    split="test",
    star_threshold=0.10,
)
"""Every scored frame for itself, with its true box or another (STAR scores any name but 300W at 0.10)."""

WFLW_PROTOCOL = EvalProtocol(
    name="WFLW",
    normaliser="inter_ocular",
    thresholds=(0.10,),
    subsets=("test", "pose", "expression", "illumination", "make-up", "occlusion", "blur"),
    inner=tuple(range(33, 98)),
)

COFW_PROTOCOL = EvalProtocol(name="COFW", normaliser="inter_pupil", thresholds=(0.10,), subsets=("test",))
"""STAR's "default" on COFW is the distance of the pupils; the other figure in papers is inter_ocular."""

PLAIN_PROTOCOL = EvalProtocol(name="points", normaliser="box", thresholds=(0.05, 0.10), subsets=())
"""A user's own landmarks: nothing is known of eyes, so the size of the face is its landmarks' bounding box."""

RENDERED_PROTOCOL = replace(
    IBUG_300W_PROTOCOL,
    name="rendered",
    normaliser="box",
    subsets=("rendered", "turn 0-15", "turn 15-30", "turn 30-45", "turn 45-60", "turn 60-75", "turn 75-90"),
    split="validation",
    star_threshold=0.10,
)
"""Rendered faces, to any angle: a profile's eye corners lie nearly on one another, its box does not shrink."""

DATASET_PROTOCOLS = {
    "300w": IBUG_300W_PROTOCOL,
    "300w-private": IBUG_300W_PRIVATE_PROTOCOL,
    "wflw": WFLW_PROTOCOL,
    "cofw": COFW_PROTOCOL,
    "300vw": IBUG_300VW_PROTOCOL,
    "rendered": RENDERED_PROTOCOL,
}
"""Name of a data set (train.sets.DATASETS) → its protocol."""

SCHEME_PROTOCOLS = {IBUG_68.name: IBUG_300W_PROTOCOL, WFLW_98.name: WFLW_PROTOCOL, COFW_29.name: COFW_PROTOCOL}


def protocol_of(dataset: str, scheme: LandmarkScheme) -> EvalProtocol:
    """The data set's own protocol; for lists and folders of any markup that of the scheme, under their own name."""
    if dataset in DATASET_PROTOCOLS:
        return DATASET_PROTOCOLS[dataset]
    return replace(SCHEME_PROTOCOLS.get(scheme.name, PLAIN_PROTOCOL), name=dataset, split="test")
