"""A rendered person, a scenario and a seed → a clip of a head in three dimensions, with exact landmarks."""

# T frames, K landmarks

from __future__ import annotations

import math
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial

import numpy as np

from startrack.tracker.crop import bounding_box
from startrack.tracker.types import ImageArray
from startrack.train.motion import head_path
from startrack.train.motion.camera import Occluder, gain, record
from startrack.train.motion.clips import SCENARIOS, MotionClip, Scenario
from startrack.train.motion.expression import FEATURES
from startrack.train.motion.head_path import Float64Array, HeadPath
from startrack.train.motion.made_300vw import Series
from startrack.train.synthetic.backgrounds import Backdrops
from startrack.train.synthetic.camera import Camera, develop, draw_development
from startrack.train.synthetic.face_truth import face_landmarks
from startrack.train.synthetic.head.expression import Expression, with_gaze
from startrack.train.synthetic.light import draw_environment, lights_of
from startrack.train.synthetic.person import Person, draw_person, generator
from startrack.train.synthetic.pose import Pose
from startrack.train.synthetic.rendered_set import make_series
from startrack.train.synthetic.scene import SUPERSAMPLING, Actor, Placed, draw, make_scene, place
from startrack.train.synthetic.studio import Studio

DISTANCE_CM = 60.0
"""Of the head from the camera at rest, as before a computer."""
SHUT, JAW = 0.85, 1.5
"""Amplitudes of the scenarios' blink and mouth at which the lids are shut, and the jaw is OPEN."""
OPEN = 0.55
"""Weight of the jaw's shape at the amplitude JAW."""
GLANCE_S = 1.3
"""How long the eyes rest on one place."""
PASSER_CM = 14.0
"""How much nearer to the camera than the face the other person goes by."""
PASSING_S = 4.0
"""From one end of the way to the other."""
REACH = 2.2
"""Half the length of that way, in sides of the face."""


@dataclass(frozen=True, slots=True)
class RenderedScenario(Scenario):
    """What happens in a rendered clip."""

    passer: bool = False
    """Another person walks by before the face, there and back."""


RENDERED_SCENARIOS: dict[str, Scenario] = SCENARIOS | {
    scenario.name: scenario
    for scenario in (
        RenderedScenario("turn", head_path.head_turn),
        RenderedScenario("crossing", head_path.random_motion(0.1), passer=True),
    )
}
"""Those of still faces (train/motion/clips.py), and those that only a head in three dimensions can show."""


@dataclass(frozen=True, slots=True, eq=False)
class _Cast:
    """Who plays, before which camera."""

    person: Person
    passer: Person | None
    face_cm: float
    """Larger side of the face's landmarks at rest, from the front."""
    camera: Camera


def rendered_clip(
    studio: Studio,
    scenario: Scenario,
    *,
    seed: int = 0,
    number: int = 0,
    fps: float = 30.0,
    size: tuple[int, int] = (640, 480),
    face_px: float = 180.0,
) -> MotionClip:
    """The clip of person `number` of a series; the same arguments give the same clip.

    face_px: larger side of the landmarks' box at rest, frame pixels. Light, exposure and background stay as they are
    in the first frame.
    """
    key = zlib.crc32(f"{scenario.name} {number}".encode())
    times_s = np.arange(round(scenario.seconds * fps)) / fps
    path = scenario.path(times_s, np.random.default_rng([seed, key, 0]))
    amplitudes = scenario.expression(times_s) if scenario.expression else np.zeros((len(times_s), len(FEATURES)))
    cast = _cast(studio, scenario, (seed, number), size, face_px)
    gazes = _glances(times_s, np.random.default_rng([seed, key, 4]))
    actors = [_actor(studio, cast, path, t, amplitudes[t], gazes[t]) for t in range(len(times_s))]
    truth = np.array([face_landmarks(studio, place(studio, actor), cast.camera) for actor in actors])
    occluder = Occluder(face_px, np.random.default_rng([seed, key, 3])) if scenario.camera.occluder else None
    hidden = np.full((len(times_s), 3), np.nan)
    if occluder:
        hidden = np.array([occluder.place(*each) for each in zip(truth.mean(axis=1), times_s, strict=True)])
    light = gain(times_s, scenario.camera.light, np.random.default_rng([seed, key, 1]))

    def frames() -> Iterator[ImageArray]:
        rng = np.random.default_rng([seed, key, 2])
        for t, picture in enumerate(_pictures(studio, cast, actors, times_s, (seed, number))):
            scene = picture.astype(np.float32)
            if occluder:
                occluder.draw(scene, hidden[t])
            yield record(scene, light[t], scenario.camera.noise, rng)

    name = f"{scenario.name}/person {number}"
    return MotionClip(name, fps, size, truth, hidden, amplitudes, scenario.camera.crf, frames)


def _cast(studio: Studio, scenario: Scenario, of: tuple[int, int], size: tuple[int, int], face_px: float) -> _Cast:
    person = draw_person(studio, *of)
    landmarks = studio.landmarks.places(person.base)
    left, top, right, bottom = bounding_box(landmarks[:, :2])
    face_cm = float(max(right - left, bottom - top))
    middle = np.array([(left + right) / 2, (top + bottom) / 2, landmarks[:, 2].mean() + DISTANCE_CM], np.float32)
    centre = ((size[0] - 1) / 2, (size[1] - 1) / 2)
    unit = Camera(middle, 1.0, (0.0, 0.0), size)
    focal_px = face_px / float(np.ptp(unit.project(unit.seen(landmarks)), axis=0).max())
    camera = Camera(middle, focal_px, centre, size)
    passes = isinstance(scenario, RenderedScenario) and scenario.passer
    passer = draw_person(studio, of[0] + 1, of[1]) if passes else None
    return _Cast(person, passer, face_cm, camera)


def _actor(studio: Studio, cast: _Cast, path: HeadPath, t: int, amplitude: Float64Array, gaze: Float64Array) -> Actor:
    """The person in frame t. HeadPath's axes are the screen's, and its angles clockwise there."""
    nearer = 1 / float(path.zoom[t])
    x, y = path.centre[t] * cast.face_cm * nearer
    place_cm = np.array([x, -y, DISTANCE_CM * (1 - nearer)], np.float32)
    yaw, pitch, roll = (math.degrees(float(angle[t])) for angle in (path.yaw, path.pitch, path.roll))
    return Actor(cast.person, _expression(studio, amplitude, gaze), Pose(-yaw, pitch, -roll), place_cm)


def _expression(studio: Studio, amplitude: Float64Array, gaze: Float64Array) -> Expression:
    names = studio.head.expression_names
    blink, mouth = (float(amplitude[FEATURES.index(name)]) for name in ("blink", "mouth"))
    weights = np.zeros(len(names), np.float32)
    for name, value in (("jawOpen", OPEN * mouth / JAW), ("mouthFunnel", 0.2 * mouth / JAW)):
        if name in names:
            weights[names.index(name)] = value
    gaze_deg = (float(gaze[0]), float(gaze[1]))
    return Expression("made", with_gaze(weights, names, gaze_deg, min(blink / SHUT, 1.0)), gaze_deg)


def _glances(times_s: Float64Array, rng: np.random.Generator) -> Float64Array:
    """(T, 2) degrees to the subject's left and up: the eyes rest near the camera and leap from place to place."""
    places = rng.normal(0, (6, 3), (int(times_s[-1] / GLANCE_S) + 1, 2)).clip(-15, 15)
    return np.asarray(places[(times_s / GLANCE_S).astype(int)], np.float64)


def _pictures(
    studio: Studio, cast: _Cast, actors: Sequence[Actor], times_s: Float64Array, of: tuple[int, int]
) -> Iterator[ImageArray]:
    """T pictures before light changes and sensor noise."""
    rng = generator(*of, "light")
    environment = draw_environment(studio.assets.environments, rng)
    lights = lights_of(environment, rng)
    exposure = float(np.exp(rng.normal(np.log(0.30 - 0.2 * cast.person.skin.melanin), 0.2)))
    drawn = (cast.camera.size[0] * SUPERSAMPLING, cast.camera.size[1] * SUPERSAMPLING)
    background = Backdrops().draw(environment, drawn, exposure, generator(*of, "background"))
    settings = replace(
        draw_development(generator(*of, "development")),
        motion_px=(0.0, 0.0),
        shrink=1.0,
        noise=0.0,
        luminance_noise=0.0,
        grey=False,
    )
    first_gain: float | None = None
    for t, actor in enumerate(actors):
        placed = [place(studio, actor), *_passing(studio, cast, float(times_s[t]))]
        drawing = draw(studio, make_scene(placed), cast.camera, lights, background, exposure, gain=first_gain)
        first_gain = drawing.gain
        yield develop(drawing.light, settings)


def _passing(studio: Studio, cast: _Cast, time_s: float) -> list[Placed]:
    """The other person on the way from one side to the other, looking along it; nobody where no one passes."""
    if cast.passer is None:
        return []
    turn, share = divmod(time_s / PASSING_S, 1.0)
    way = 1 if turn % 2 == 0 else -1
    x = way * (2 * share - 1) * REACH * cast.face_cm
    gaze = np.zeros(2)
    expression = _expression(studio, np.zeros(len(FEATURES)), gaze)
    pose = Pose(60.0 * way, 0.0, 0.0)
    return [place(studio, Actor(cast.passer, expression, pose, np.array([x, -2.0, PASSER_CM], np.float32)))]


def of_rendered_heads(
    studio: Studio, scenario: Scenario, *, videos: int, frames: int, seed: int = 0, fps: float = 30.0
) -> Series:
    """One clip of each of the first persons of a series."""
    lasting = replace(scenario, seconds=frames / fps)
    series = make_series(studio, seed, 0, Backdrops())
    made_of = {"motion": scenario.name, "frames": frames, "fps": fps, "videos": videos, "rendered": asdict(series)}
    return Series(made_of, lambda number: rendered_clip(studio, lasting, seed=seed, number=number, fps=fps))


def rendered_faces(studio: Studio, count: int, seed: int = 0) -> list[Callable[[Scenario], MotionClip]]:
    """The first persons of a series, for train.motion.benchmark.film."""
    return [partial(rendered_clip, studio, seed=seed, number=number) for number in range(count)]
