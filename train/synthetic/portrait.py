"""One picture of one face, from a seed and a number."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from startrack.train.synthetic.backgrounds import Backdrops
from startrack.train.synthetic.camera import develop, draw_camera, draw_development
from startrack.train.synthetic.face_truth import face_truth
from startrack.train.synthetic.head.expression import draw_expression
from startrack.train.synthetic.light import draw_environment, lights_of
from startrack.train.synthetic.person import draw_person, generator
from startrack.train.synthetic.pose import draw_pose
from startrack.train.synthetic.scene import SUPERSAMPLING, Actor, draw, make_scene, place
from startrack.train.synthetic.studio import Studio
from startrack.train.synthetic.truth import FaceTruth


@dataclass(frozen=True, slots=True, eq=False)
class Portrait:
    """A rendered picture."""

    image: NDArray[np.uint8]
    """(S, S, 3) RGB."""
    truth: FaceTruth
    jpeg_quality: int
    """That suits the camera that was drawn."""


def render_portrait(studio: Studio, seed: int, index: int, *, size: int, backdrops: Backdrops) -> Portrait:
    """Picture number `index` of the series `seed`; the same on one machine whenever it is made.

    size: its side in px.
    """
    person = draw_person(studio, seed, index)
    expression = draw_expression(studio.head.expression_names, generator(seed, index, "expression"))
    pose = draw_pose(generator(seed, index, "pose"))
    placed = place(studio, Actor(person, expression, pose, np.zeros(3, np.float32)))
    scene = make_scene([placed])
    camera = draw_camera(studio.landmarks.places(placed.landmark_vertices), size, generator(seed, index, "camera"))
    rng = generator(seed, index, "light")
    environment = draw_environment(studio.assets.environments, rng)
    lights = lights_of(environment, rng)
    exposure = float(np.exp(rng.normal(np.log(0.30 - 0.2 * person.skin.melanin), 0.33)))
    drawn = (size * SUPERSAMPLING, size * SUPERSAMPLING)
    background = backdrops.draw(environment, drawn, exposure, generator(seed, index, "background"))
    light = draw(studio, scene, camera, lights, background, exposure).light
    settings = draw_development(generator(seed, index, "development"))
    return Portrait(develop(light, settings), face_truth(studio, scene, 0, camera), settings.jpeg_quality)


def encoded_picture(image: NDArray[np.uint8], quality: int) -> NDArray[np.uint8]:
    """The bytes of a JPEG file of an RGB picture."""
    _, encoded = cv2.imencode(".jpg", image[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, quality])
    return np.asarray(encoded, np.uint8)
