"""A scene: heads in one light before one camera, drawn as a picture with the truth of each face."""

# V vertices, F triangles, K lights, N shown pixels, H W pixels of the picture

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from startrack.train.synthetic.camera import TO_CAMERA, Camera
from startrack.train.synthetic.geometry.mesh import Floats, Mesh, merge, renumbered, unit
from startrack.train.synthetic.geometry.rasteriser import (
    Raster,
    Textures,
    blend_layer,
    faces_camera,
    lay_out,
    mean_cover,
    on_screen,
    rasterise,
)
from startrack.train.synthetic.geometry.samples import Samples, at_samples, choose_samples, picture_of
from startrack.train.synthetic.head.expression import Expression
from startrack.train.synthetic.head.head_model import EYE_LEFT, EYE_RIGHT, HEAD_MATERIALS, SKIN
from startrack.train.synthetic.light import Lights, shaded, shadows
from startrack.train.synthetic.parts import Layer
from startrack.train.synthetic.person import Head, Person, express, moment_materials
from startrack.train.synthetic.pose import PIVOT_CM, Pose, posed
from startrack.train.synthetic.studio import Studio
from startrack.train.synthetic.surface.eyes import Eye
from startrack.train.synthetic.surface.material import Material, Surface, towards
from startrack.train.synthetic.surface.skin import Skin

SUPERSAMPLING = 2
"""Pixels of the drawn picture for each of the finished one, in each direction."""
SMOOTH_CM = 0.5
"""Difference of depths above which an edge runs between the drawn pixels of a finished one; eyes have finer ones."""


@dataclass(frozen=True, slots=True, eq=False)
class Actor:
    """A person at one moment."""

    person: Person
    expression: Expression
    pose: Pose
    place_cm: Floats
    """(3,) where the head's origin is in the world's frame: x to the right, y up, z to the camera's side."""


@dataclass(frozen=True, slots=True, eq=False)
class Placed:
    """An actor's head in the world."""

    actor: Actor
    head: Head
    mesh: Mesh
    """Turned and moved to its place."""
    landmark_vertices: Floats
    """(V, 3) of the head model, turned and moved."""

    def moved(self, places: Floats) -> Floats:
        """Places that move with the head as a whole, (N, 3) in its frame, in the world."""
        turned = (places - PIVOT_CM) @ self.actor.pose.rotation.T + PIVOT_CM
        return (turned + self.actor.place_cm).astype(np.float32)


@dataclass(frozen=True, slots=True, eq=False)
class Scene:
    """Everything that is drawn, ready for any camera."""

    placed: tuple[Placed, ...]
    mesh: Mesh
    """All heads."""
    owner: NDArray[np.int32]
    """(F,) number of the actor whose triangle it is."""
    materials: tuple[Material | Layer, ...]
    smooth_cm: Floats
    """(M,) difference of depths up to which the drawn pixels of a finished one are shaded as one place; 0: none."""
    textures: Textures
    layered: NDArray[np.bool_]
    """(F,) triangles that are blended over instead of drawn."""
    hides: NDArray[np.bool_]
    """(F,) triangles that can hide landmarks."""


def place(studio: Studio, actor: Actor) -> Placed:
    """The actor's head turned and moved to its place."""
    head = express(studio, actor.person, actor.expression)
    turned = posed(head.mesh, actor.pose)
    mesh = replace(turned, vertices=(turned.vertices + actor.place_cm).astype(np.float32))
    vertices = np.empty_like(head.vertices)
    vertices[studio.head.source] = mesh.vertices[: len(studio.head.source)]
    return Placed(actor, head, mesh, vertices)


def make_scene(placed: Sequence[Placed]) -> Scene:
    """All heads as one mesh with one list of materials and textures."""
    meshes, owner, materials, textures = [], [], [], []  # type: ignore[var-annotated]
    for number, one in enumerate(placed):
        meshes.append(renumbered(one.mesh, materials=len(materials), textures=len(textures)))
        owner.append(np.full(len(one.mesh.faces), number, np.int32))
        materials += one.actor.person.parts.materials
        textures += one.actor.person.parts.textures
    mesh = merge(meshes)
    layer = np.array([isinstance(material, Layer) for material in materials])
    hiding = np.array([not isinstance(material, Layer) or material.hides for material in materials])
    smooth_cm = np.full(len(materials), SMOOTH_CM, np.float32)
    for first in _first_materials(placed):
        smooth_cm[[first + EYE_RIGHT, first + EYE_LEFT]] = 0.0
    arrays = (tuple(materials), smooth_cm, lay_out(textures), layer[mesh.material], hiding[mesh.material])
    return Scene(tuple(placed), mesh, np.concatenate(owner), *arrays)


@dataclass(frozen=True, slots=True, eq=False)
class Drawing:
    """A scene as a camera sees it."""

    light: Floats
    """(H, W, 3) linear, of the finished size."""
    raster: Raster
    """What it was drawn from."""
    gain: float
    """What the light of the scene was multiplied by."""


def draw(
    studio: Studio,
    scene: Scene,
    camera: Camera,
    lights: Lights,
    background: Floats,
    exposure: float,
    *,
    gain: float | None = None,
) -> Drawing:
    """The scene before a background.

    background: (H', W', 3) linear at the drawn size, already exposed. exposure: mean of the light on skin that the
    picture is brought to; a gain is taken instead, so that the frames of a clip keep that of the first.
    """
    big = camera.enlarged(SUPERSAMPLING)
    seen = big.seen(scene.mesh.vertices)
    screen = on_screen(seen, big.focal_px, big.centre)
    closed = closed_triangles(scene)
    shown_faces = ~scene.layered & (faces_camera(screen, scene.mesh.faces) | ~closed)
    raster = rasterise(screen, scene.mesh, big.size, scene.textures, shown_faces)
    samples = choose_samples(raster, scene.mesh, scene.smooth_cm, SUPERSAMPLING)
    reached = _reached(scene, lights, closed, samples.used)
    light = _shade(studio, scene, raster, samples, (seen, reached), big, lights)
    if gain is None:
        gain = exposure / max(_mean_on_skin(scene, samples, light), 1e-5)
    picture = picture_of(samples, light, gain, background)
    mean_light = float(lights.colours.sum(0).mean()) / (4 * np.pi) * gain
    _blend_layers(picture, scene, screen, raster, mean_light)
    return Drawing(cv2.resize(picture, camera.size, interpolation=cv2.INTER_AREA).astype(np.float32), raster, gain)


def _mean_on_skin(scene: Scene, samples: Samples, light: Floats) -> float:
    """Mean light of the drawn pixels that show skin."""
    material, total, count = scene.mesh.material[samples.triangle], 0.0, 0.0
    for first in _first_materials(scene.placed):
        skin = np.flatnonzero(material == first + SKIN)
        pixels = samples.pixels[skin].astype(np.float32)
        total, count = total + float((pixels @ light[skin]).mean()), count + float(pixels.sum())
    return total / count if count else 0.2


def _first_materials(placed: Sequence[Placed]) -> list[int]:
    """The number of each actor's first material."""
    return [sum(len(one.actor.person.parts.materials) for one in placed[:number]) for number in range(len(placed))]


def _shade(
    studio: Studio,
    scene: Scene,
    raster: Raster,
    samples: Samples,
    at_vertices: tuple[Floats, Floats],
    camera: Camera,
    lights: Lights,
) -> Floats:
    """(S, 3) light of the samples, material by material. at_vertices: their place in the camera's frame and the lights'
    shares there."""
    mesh = scene.mesh
    seen, reached = at_vertices
    values = (seen, mesh.normals, mesh.rest, mesh.uv, reached)
    material = mesh.material[samples.triangle]
    turned = Lights(np.ascontiguousarray(lights.directions * TO_CAMERA), lights.colours)
    out = np.empty((len(material), 3), np.float32)
    first = 0
    for one in scene.placed:
        count = len(one.actor.person.parts.materials)
        own = _own_materials(studio, one, camera)
        axes = (one.actor.pose.rotation.T * TO_CAMERA).astype(np.float32)
        for number in range(count):
            chosen = np.flatnonzero(material == first + number)
            if len(chosen):
                answer = own.get(number) or scene.materials[first + number]
                assert not isinstance(answer, Layer)
                ends = samples.ends[chosen]
                pixels = [at_samples(v, mesh, raster, ends) for v in values]
                out[chosen] = _shade_material(answer, pixels, axes, turned)
        first += count
    return out


def _reached(scene: Scene, lights: Lights, closed: NDArray[np.bool_], used: NDArray[np.bool_]) -> Floats:
    """(V, K) share of each light that reaches each used vertex."""
    solid = mean_cover(scene.mesh.cover, scene.mesh.faces) > 0.5
    inner = closed & ~_is_skin(scene)  # what lies inside the mouth and behind the lids throws no shadow that is seen
    centre = np.mean([p.landmark_vertices.mean(0) for p in scene.placed], axis=0).astype(np.float32)
    return shadows(scene.mesh, lights, ~scene.layered & ~inner & solid, closed, used, centre)


def _is_skin(scene: Scene) -> NDArray[np.bool_]:
    """(F,) triangles of the heads' skin."""
    skin = np.zeros(len(scene.materials), bool)
    skin[[first + SKIN for first in _first_materials(scene.placed)]] = True
    return skin[scene.mesh.material]


def _own_materials(studio: Studio, one: Placed, camera: Camera) -> dict[int, Skin | Eye]:
    gaze = (one.head.gaze @ one.actor.pose.rotation.T * TO_CAMERA).astype(np.float32)
    return moment_materials(studio, one.actor.person, camera.seen(one.moved(one.actor.person.eye_centres)), gaze)


def _shade_material(material: Material, pixels: list[Floats], axes: Floats, lights: Lights) -> Floats:
    """pixels: place, normal, place at rest, texture place and the lights' shares at each."""
    position, normal, rest, uv, reached = pixels
    surface = Surface(rest, uv, position, unit(normal * TO_CAMERA), axes)
    if not isinstance(material, Skin):  # cloth and hair are seen from both sides
        surface = replace(surface, normal=towards(surface.normal, position))
    return shaded(material.look(surface), surface.view, lights, reached)


def closed_triangles(scene: Scene) -> NDArray[np.bool_]:
    """(F,) triangles of the heads themselves, whose inside is never seen."""
    closed = np.zeros(len(scene.materials), bool)
    for first in _first_materials(scene.placed):
        closed[first : first + HEAD_MATERIALS] = True
    return closed[scene.mesh.material]


def _blend_layers(picture: Floats, scene: Scene, screen: Floats, raster: Raster, mean_light: float) -> None:
    arrays = (scene.mesh.cover, scene.mesh.uv, scene.mesh.texture, scene.textures.texels, scene.textures.layout)
    for number, layer in enumerate(scene.materials):
        if isinstance(layer, Layer):
            chosen = np.flatnonzero(scene.mesh.material == number)
            colour = np.array(layer.colour, np.float32) * np.float32(mean_light)
            blend_layer(picture, colour, screen, scene.mesh.faces, chosen, raster.inverse_depth, *arrays)
