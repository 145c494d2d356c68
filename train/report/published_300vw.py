"""Figures of others on 300VW, to compare with ours."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Published:
    """A method's NME, 68 landmarks, per cent of the distance of the outer eye corners, video level where known.

    None could be checked against its paper, which were not at hand: all are from memory.
    """

    method: str
    category1: float
    category2: float
    category3: float
    trained_on: str


ON_VIDEOS = "300VW train, or 300W and 300VW train"
PUBLISHED = (
    Published("SDM", 7.41, 6.18, 13.04, ON_VIDEOS),
    Published("TSCN", 12.54, 7.25, 13.13, ON_VIDEOS),
    Published("CFSS", 7.68, 6.42, 13.67, ON_VIDEOS),
    Published("TCDCN", 7.66, 6.77, 14.98, ON_VIDEOS),
    Published("TSTN", 5.36, 4.51, 12.84, ON_VIDEOS),
    Published("DSRN", 5.33, 4.92, 8.85, ON_VIDEOS),
    Published("FHR", 4.82, 4.23, 7.09, "300VW train"),
    Published("FHR + STA", 4.42, 4.18, 5.98, "300VW train"),
    Published("HGs", 4.32, 3.83, 9.91, ON_VIDEOS),
    Published("SA", 4.06, 3.58, 9.19, ON_VIDEOS),
    Published("SA + GHCU", 3.85, 3.46, 7.51, ON_VIDEOS),
)


@dataclass(frozen=True, slots=True)
class PublishedArea:
    """A method's AUC in per cent; the same caution."""

    method: str
    measure: str
    category1: float | None
    category2: float | None
    category3: float
    trained_on: str


AREAS = (
    PublishedArea("CPM", "49 points, AUC@8", None, None, 57.25, "300W"),
    PublishedArea("CPM + SBR", "49 points, AUC@8", None, None, 58.22, "300W, 300VW train without labels"),
    PublishedArea("CPM + SBR + PAM", "49 points, AUC@8", None, None, 59.39, "300W, 300VW train without labels"),
    PublishedArea("FAN", "AUC@7, box size", 72.1, 71.2, 64.1, "300W-LP; 300VW not seen"),
    PublishedArea("MDM", "AUC@7, box size", 70.2, 67.9, 54.6, "not known to us"),
    PublishedArea("iCCR", "AUC@7, box size", 65.9, 65.5, 58.1, "not known to us"),
)
