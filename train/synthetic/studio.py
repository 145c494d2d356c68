"""Values computed once from the assets: landmarks on the mean head, the outline's ways, where lashes and hair grow."""

# V head vertices

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from startrack.train.synthetic.geometry.mesh import Floats, vertex_normals
from startrack.train.synthetic.geometry.rays import Anchors
from startrack.train.synthetic.head.assets import Assets
from startrack.train.synthetic.head.face_map import FaceMap, make_face_map
from startrack.train.synthetic.head.head_model import HeadModel
from startrack.train.synthetic.head.jaw import Outline, make_outline
from startrack.train.synthetic.head.markup import face_triangles, landmark_anchors
from startrack.train.synthetic.pose import stiffness
from startrack.train.synthetic.surface.eyes import LashRoots, make_lash_roots


@dataclass(frozen=True, slots=True, eq=False)
class Studio:
    """The assets and the values derived from the mean head."""

    assets: Assets
    landmarks: Anchors
    """The 68 landmarks on the head model's vertices."""
    outline: Outline
    face_map: FaceMap
    lashes: LashRoots
    normals: Floats
    """(V, 3) of the mean head."""
    stiffness: Floats
    """(V,) share of the head's turn that each vertex follows."""

    @property
    def head(self) -> HeadModel:
        """The head model of the assets."""
        return self.assets.head


def make_studio(assets: Assets) -> Studio:
    """Everything that pictures share. Takes about a second."""
    head = assets.head
    anchors = landmark_anchors(head)
    places = anchors.places(head.neutral)
    return Studio(
        assets=assets,
        landmarks=anchors,
        outline=make_outline(head, anchors),
        face_map=make_face_map(places),
        lashes=make_lash_roots(head, places, face_triangles(head)),
        normals=vertex_normals(head.neutral, head.faces),
        stiffness=stiffness(np.ascontiguousarray(head.neutral[:, 1])),
    )
