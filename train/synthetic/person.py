"""A person: a head, skin, eyes and everything worn, all drawn from one seed; and that head in one expression."""

# V head vertices

from __future__ import annotations

import zlib
from dataclasses import dataclass, replace

import numpy as np

from startrack.train.synthetic.geometry.mesh import Floats, Mesh, merge, vertex_normals
from startrack.train.synthetic.head.expression import Expression
from startrack.train.synthetic.head.head_model import EYE_LEFT, EYE_RIGHT, IRIS_DEPTH_CM, SKIN
from startrack.train.synthetic.head.identity import Identity, child_weight, draw_identity, identity_offset
from startrack.train.synthetic.parts import Layer, Parts, Shell
from startrack.train.synthetic.studio import Studio
from startrack.train.synthetic.surface.eyes import Eye, EyeStyle, draw_eyes, gaze_direction, lash_mesh
from startrack.train.synthetic.surface.material import Plain
from startrack.train.synthetic.surface.skin import Skin, SkinStyle, draw_skin
from startrack.train.synthetic.worn import beard, clothes, glasses, hair, hands, headwear, masks
from startrack.train.synthetic.worn.wearer import Wearer


@dataclass(frozen=True, slots=True, eq=False)
class Person:
    """Somebody, apart from expression and pose."""

    identity: Identity
    skin: SkinStyle
    eyes: EyeStyle
    base: Floats
    """(V, 3) the neutral head, cm."""
    eye_centres: Floats
    """(2, 3) cm."""
    eye_scale: float
    lash_cm: float
    lash_material: int
    parts: Parts
    """Materials of the head, which its first numbers are, and of worn things."""
    attributes: dict[str, str]
    """Worn and grown things, by kind, e.g. glasses: sunglasses; kinds that are absent are left out."""


@dataclass(frozen=True, slots=True, eq=False)
class Head:
    """A person's head in one expression, before it is turned."""

    vertices: Floats
    """(V, 3) of the head model."""
    mesh: Mesh
    """Skin, eyes, teeth and everything worn; its first vertices are the head model's render vertices."""
    iris: Floats
    """(2, 3) centres of the right and left iris, cm."""
    gaze: Floats
    """(3,) unit direction of both eyes."""


def generator(seed: int, index: int, part: str) -> np.random.Generator:
    """Random numbers of one part of one picture: a change in how one part is drawn leaves the others as they are."""
    return np.random.default_rng([seed, index, zlib.crc32(part.encode())])


def draw_person(studio: Studio, seed: int, index: int) -> Person:
    """The person of a picture."""
    identity = draw_identity(studio.head, generator(seed, index, "identity"))
    offset = identity_offset(studio.head, identity)
    base = studio.head.neutral + offset
    colour = hair.draw_colour(identity, generator(seed, index, "hair colour"))
    skin = draw_skin(identity, studio.assets.skins, colour, generator(seed, index, "skin"))
    rng = generator(seed, index, "eyes")
    eyes = draw_eyes(rng)
    parts = Parts()
    parts.materials += [Plain((0, 0, 0))] * 3  # skin and eyes, whose materials each moment makes
    parts.material(_teeth(identity, rng))
    parts.material(Plain((0.3, 0.1, 0.085), roughness=0.4, gloss=0.6, mottle=0.15))
    parts.material(Plain((0.12, 0.03, 0.03), roughness=0.5, gloss=0.3))
    lashes = _lashes(parts, identity, rng)
    wearer = Wearer(studio, identity, base, studio.landmarks.places(base), parts, skin)
    attributes: dict[str, str] = {}
    for name, draw in WORN:
        kind = draw(wearer, attributes, generator(seed, index, name))
        if kind:
            attributes[name] = kind
    centres = np.stack([base[w].mean(0) for w in studio.head.eye_windows])
    mean = np.stack([studio.head.neutral[w].mean(0) for w in studio.head.eye_windows])
    scale = 1 + 0.14 * child_weight(identity.age_years)
    centres = centres + (studio.head.eye_centres - mean) * np.float32(scale)
    return Person(identity, wearer.skin_style, eyes, base, centres, scale, lashes[0], lashes[1], parts, attributes)


WORN = (
    ("headwear", headwear.draw),
    ("hair", hair.draw),
    ("beard", beard.draw),
    ("glasses", glasses.draw),
    ("mask", masks.draw),
    ("clothes", clothes.draw),
    ("hand", hands.draw),
)
"""Draws in turn; each sees the earlier ones."""


def _teeth(identity: Identity, rng: np.random.Generator) -> Plain:
    shade = np.array([0.62, 0.57, 0.47]) * rng.uniform(0.7, 1.1) * (1 - 0.15 * (identity.age_years > 60))
    red, green, blue = (float(v) for v in shade)
    return Plain((red, green, blue), roughness=0.3, gloss=0.8)


def _lashes(parts: Parts, identity: Identity, rng: np.random.Generator) -> tuple[float, int]:
    """Length of the lashes and the number of their layer."""
    made_up = identity.female and rng.random() < 0.5
    length = float(rng.uniform(0.6, 1.0) if made_up else rng.uniform(0.3, 0.7))
    return length, parts.material(Layer((0.012, 0.01, 0.009)))


def express(studio: Studio, person: Person, expression: Expression) -> Head:
    """The person's head with an expression and a gaze."""
    head = studio.head
    vertices = person.base + head.express(expression.weights)
    shut = _shut(head.expression_names, expression.weights)
    for side, window in enumerate(head.eye_windows):
        vertices[window] = person.base[window]
        vertices[window, 2] -= 0.03 + 0.22 * np.clip((shut[side] - 0.45) / 0.4, 0, 1)
    normals = vertex_normals(vertices, head.faces)
    source = head.source
    mesh = Mesh(
        vertices[source],
        head.render_faces,
        normals[source],
        head.neutral[source],
        head.uv,
        np.full(len(source), 2.0, np.float32),
        head.material,
        np.full(len(head.material), -1, np.int32),
        studio.stiffness[source],
    )
    roots = studio.lashes.anchors.places(vertices)
    lashes = lash_mesh(roots, shut, person.lash_cm, person.lash_material, person.eye_centres)
    shells = [_following(shell, vertices, studio) for shell in person.parts.shells]
    gaze = gaze_direction(expression.gaze_deg)
    iris = person.eye_centres + gaze * np.float32(IRIS_DEPTH_CM * person.eye_scale)
    whole = merge([mesh, lashes, *shells, *person.parts.meshes])
    return Head(vertices, whole, iris.astype(np.float32), gaze)


def _following(shell: Shell, vertices: Floats, studio: Studio) -> Mesh:
    return replace(shell.on(vertices), stiffness=studio.stiffness[shell.source])


def _shut(names: tuple[str, ...], weights: Floats) -> tuple[float, float]:
    """How far the right and the left eye are shut."""
    index = {name: number for number, name in enumerate(names)}
    right, left = (float(weights[index[f"eyeBlink_{s}"]]) if f"eyeBlink_{s}" in index else 0.0 for s in "RL")
    return min(right, 1.0), min(left, 1.0)


def moment_materials(studio: Studio, person: Person, centres: Floats, gaze: Floats) -> dict[int, Skin | Eye]:
    """The materials that depend on where the head is. centres: (2, 3) of the eyeballs and gaze: (3,) in the camera's
    frame."""
    eyes = {
        slot: Eye(person.eyes, centres[side], gaze, person.eye_scale) for side, slot in ((0, EYE_RIGHT), (1, EYE_LEFT))
    }
    return {SKIN: Skin(person.skin, studio.face_map), **eyes}
