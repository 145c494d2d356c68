"""Beards: a shade on the skin, and layers of hair that stand off it where it is longer."""

# V head vertices

from __future__ import annotations

import numpy as np

from startrack.train.synthetic.geometry.noise import salt_of, value_noise
from startrack.train.synthetic.head.face_map import BEARD_KINDS
from startrack.train.synthetic.head.markup import face_triangles
from startrack.train.synthetic.parts import make_shell
from startrack.train.synthetic.surface.skin import with_stubble
from startrack.train.synthetic.surface.strands import Hair, tuft_texture
from startrack.train.synthetic.worn.wearer import Wearer

GROWN_YEARS = 17
LAYERS = 5


def draw(wearer: Wearer, worn: dict[str, str], rng: np.random.Generator) -> str:
    """Add a beard to half of the grown men; its kind, empty without."""
    if wearer.identity.female or wearer.identity.age_years < GROWN_YEARS or rng.random() < 0.48:
        return ""
    kinds = list(BEARD_KINDS)
    kind = str(rng.choice(kinds, p=np.array(list(BEARD_KINDS.values())) / sum(BEARD_KINDS.values())))
    share = rng.uniform(0.15, 0.55) if kind == "stubble" else rng.uniform(0.55, 0.95)
    wearer.skin_style = with_stubble(wearer.skin_style, kind, float(share))
    if kind != "stubble":
        _add_layers(wearer, kind, float(np.exp(rng.uniform(np.log(0.2), np.log(1.6)))), rng)
    return kind


def _add_layers(wearer: Wearer, kind: str, length_cm: float, rng: np.random.Generator) -> None:
    """Spots of hair in layers above the skin that hang down towards their ends."""
    head = wearer.studio.head
    density = wearer.studio.face_map.beard(head.neutral, kind)
    density = density * (1 + 0.35 * value_noise(head.neutral / np.float32(0.5), salt_of(rng)))
    texture = wearer.parts.texture(tuft_texture(rng, size_px=1.2, share=0.5))
    hair = Hair(wearer.skin_style.hair_colour * np.float32(rng.uniform(0.7, 1.2)), None, 0.25, salt_of(rng))
    material = wearer.parts.material(hair)
    # hairs grow longer towards the chin's lower edge, and short on the lip
    longer = 0.3 + 0.7 * np.clip((-4.6 - head.neutral[:, 1]) / 2.5, 0, 1)
    uv = (head.neutral[:, [0, 1]] + head.neutral[:, [2, 2]] * np.array([0.5, 0.35], np.float32)) / np.float32(2.6)
    down = np.array([0, -0.75, 0.1], np.float32)
    faces = face_triangles(head)
    for layer in range(1, LAYERS + 1):
        share = layer / LAYERS
        height = length_cm * longer * share * np.clip(density, 0, 1)
        offset = (wearer.studio.normals + down * share) * height[:, None]
        cover = (density - 0.12) * 1.4 * (1.2 - 0.8 * share)
        shell = make_shell(wearer.base, faces, offset, material, cover=cover, uv=uv, rest=head.neutral, texture=texture)
        wearer.parts.shells.append(shell)
