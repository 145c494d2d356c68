from __future__ import annotations

import pytest

from startrack.tracker.schemes import COFW_29, IBUG_68, WFLW_98, plain_scheme
from startrack.train.metrics.protocols import DATASET_PROTOCOLS, protocol_of
from startrack.train.sets import DATASETS


def test_every_protocol_belongs_to_a_data_set() -> None:
    assert set(DATASET_PROTOCOLS) <= set(DATASETS)
    # lists and folders are scored by their markup
    assert set(DATASETS) - set(DATASET_PROTOCOLS) == {"tsv", "folder", "coco-points"}


@pytest.mark.parametrize(
    ("dataset", "scheme", "normaliser", "star_threshold", "split"),
    [
        ("300w", IBUG_68, "inter_ocular", 0.05, "full"),
        ("300vw", IBUG_68, "inter_ocular", 0.10, "test"),
        ("wflw", WFLW_98, "inter_ocular", 0.10, "test"),
        ("cofw", COFW_29, "inter_pupil", 0.10, "test"),
        ("tsv", COFW_29, "inter_pupil", 0.10, "test"),
        ("tsv", IBUG_68, "inter_ocular", 0.05, "test"),
        ("folder", plain_scheme(7), "box", 0.10, "test"),
    ],
)
def test_normaliser_and_thresholds(dataset, scheme, normaliser, star_threshold, split) -> None:
    protocol = protocol_of(dataset, scheme)
    assert (protocol.normaliser, protocol.star_threshold, protocol.split) == (normaliser, star_threshold, split)


def test_the_seven_rows_of_wflw() -> None:
    rows = protocol_of("wflw", WFLW_98).subsets
    assert rows == ("test", "pose", "expression", "illumination", "make-up", "occlusion", "blur")


def test_inner_landmarks_are_those_off_the_jaw() -> None:
    for dataset, scheme in (("300w", IBUG_68), ("wflw", WFLW_98)):
        jaw = next(edge for edge in scheme.edges if edge.name == "jaw")
        inner = protocol_of(dataset, scheme).inner
        assert set(inner) == set(range(scheme.num_landmarks)) - set(jaw.indices)
