from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from startrack.train.augment.face_pastes import StoredFace, store_faces
from startrack.train.augment.lookalikes import draw_limb, skin_texture
from startrack.train.sets import ibug_300w


@pytest.fixture(scope="module")
def face(made_300w: Path) -> StoredFace:
    return store_faces(ibug_300w.load(made_300w, "trainval")[:1])[0]


def test_skin_is_a_cheek_of_the_face(face: StoredFace) -> None:
    for seed in range(4):
        skin = skin_texture(40, face, np.random.default_rng(seed))
        assert skin.shape == (40, 40, 3)
        # drawn faces are one colour, (220, 180, 150) in RGB, but for lines and noise
        assert np.median(skin, axis=(0, 1)) == pytest.approx([220, 180, 150], abs=12)


def test_a_face_cut_off_at_its_cheeks_still_gives_a_colour(face: StoredFace) -> None:
    outside = StoredFace(face.image, face.landmarks + 10_000)
    assert np.isfinite(skin_texture(16, outside, np.random.default_rng(0))).all()


@pytest.mark.parametrize("size", [16, 100])
def test_limbs_cover_part_of_their_patch(face: StoredFace, size: int) -> None:
    shares = []
    for seed in range(40):
        picture, alpha = draw_limb(size, face, np.random.default_rng(seed))
        assert picture.shape == (size, size, 3)
        assert picture.dtype == np.uint8
        assert 0 <= alpha.min() <= alpha.max() <= 1 + 1e-6
        shares.append(float((alpha > 0.5).mean()))
    assert 0.05 < np.median(shares) < 0.7
    assert max(shares) < 0.99
