"""A face of a data set, a scenario and a seed → a clip whose landmarks are known exactly in every frame."""

# T frames, K landmarks

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeAlias

import numpy as np

from startrack.tracker.crop import bounding_box
from startrack.tracker.schemes import IBUG_68
from startrack.tracker.types import ImageArray
from startrack.tracker.video.write import write_h264
from startrack.train.motion import head_path
from startrack.train.motion.camera import Camera, Occluder, Stage, gain, inside_photo, record
from startrack.train.motion.expression import FEATURES, Expression, mouth_gap
from startrack.train.motion.head_path import Float64Array, MakePath, project
from startrack.train.sets.sample import DatasetError, Sample

MakeExpression: TypeAlias = Callable[[Float64Array], Float64Array]
"""(T,) times in seconds → (T, 2) amplitudes of blink and mouth (train.motion.expression)."""
PULSE_S = 0.2
"""Length of a blink from open to open: five or six frames of 30 fps, as of a human eye."""


@dataclass(frozen=True, slots=True)
class Scenario:
    """What happens in a clip."""

    name: str
    path: MakePath = head_path.still
    expression: MakeExpression | None = None
    camera: Camera = field(default_factory=Camera)
    seconds: float = 6.0


@dataclass(frozen=True, slots=True, eq=False)
class MotionClip:
    """The truth of a clip, and a way to make its frames."""

    name: str
    """Scenario and face, e.g. "slow/lfpw/trainset/image_0001"."""
    fps: float
    size: tuple[int, int]
    """Width and height in pixels."""
    landmarks: Float64Array
    """(T, K, 2) true landmarks, frame pixels."""
    hidden: Float64Array
    """(T, 3) x, y and radius of the disc that an occluder hides, frame pixels; nan where nothing is hidden."""
    amplitudes: Float64Array
    """(T, 2) of blink and mouth."""
    crf: int
    """Quality of its H.264 file."""
    make_frames: Callable[[], Iterator[ImageArray]]
    """T pictures (h, w, 3) uint8 RGB, the same at every call; before compression."""

    @property
    def times_s(self) -> Float64Array:
        """(T,) seconds."""
        times: Float64Array = np.arange(len(self.landmarks)) / self.fps
        return times

    @property
    def occluded(self) -> Float64Array:
        """(T, K) 1.0 where a landmark is behind the occluder."""
        away = np.linalg.norm(self.landmarks - self.hidden[:, None, :2], axis=-1)
        covered: Float64Array = (away < self.hidden[:, None, 2]).astype(np.float64)
        return covered


def pulses(feature: str, depth: float, *, width_s: float = PULSE_S, every_s: float = 0.8) -> MakeExpression:
    """Amplitudes of a feature: raised cosines of this depth, the first after one second."""

    def amplitudes(times_s: Float64Array) -> Float64Array:
        phase = (times_s - 1.0) % every_s / width_s
        pulse = np.where((times_s >= 1.0) & (phase < 1), 0.5 - 0.5 * np.cos(2 * np.pi * phase), 0.0)
        found = np.zeros((len(times_s), len(FEATURES)))
        found[:, FEATURES.index(feature)] = depth * pulse
        return found

    return amplitudes


def speech(times_s: Float64Array) -> Float64Array:
    """A mouth that opens three to five times a second by changing amounts, and an eye that blinks now and then."""
    swell = head_path.smooth_step(times_s - 0.5)
    mouth = 0.5 + 0.3 * np.sin(2 * np.pi * 3.1 * times_s) + 0.2 * np.sin(2 * np.pi * 4.7 * times_s + 1)
    blinks = pulses("blink", 0.8, every_s=2.1)(times_s)
    return blinks + np.stack([np.zeros_like(times_s), 1.5 * swell * mouth], axis=-1)


SCENARIOS: dict[str, Scenario] = {
    scenario.name: scenario
    for scenario in (
        Scenario("still"),
        Scenario("slow", head_path.random_motion(0.1)),
        Scenario("walk", head_path.random_motion(0.4)),
        Scenario("fast", head_path.random_motion(1.6)),
        Scenario("shake", head_path.head_shake),
        Scenario("approach", head_path.approach),
        Scenario("jumps", head_path.jumps),
        Scenario("blink", head_path.random_motion(0.05), pulses("blink", 0.85)),
        Scenario("mouth", head_path.random_motion(0.05), pulses("mouth", 1.5, width_s=0.3)),
        Scenario("speech", head_path.random_motion(0.2), speech),
        Scenario("dark", head_path.random_motion(0.1), camera=Camera(noise=5.0, crf=28)),
        Scenario("light", head_path.random_motion(0.1), camera=Camera(light=0.4)),
        Scenario("occluded", head_path.random_motion(0.1), camera=Camera(occluder=True)),
    )
}


def make_clip(
    sample: Sample,
    scenario: Scenario,
    *,
    seed: int = 0,
    fps: float = 30.0,
    size: tuple[int, int] = (640, 480),
    face_px: float = 180.0,
) -> MotionClip:
    """The clip of one face; the same arguments give the same clip, another face or scenario other chances.

    face_px: larger side of the landmarks' box at rest, frame pixels. Raises DatasetError for a picture that cannot be
    read and for a face without the 68 iBUG landmarks.
    """
    if np.shape(sample.landmarks) != (IBUG_68.num_landmarks, 2):
        raise DatasetError(f"{sample.path}: {len(sample.landmarks)} landmarks, 68 expected")
    key = zlib.crc32(f"{scenario.name} {sample.name}".encode("utf-8", "surrogatepass"))
    picture = sample.read_image()
    times_s = np.arange(round(scenario.seconds * fps)) / fps
    expression = Expression(sample.landmarks, IBUG_68, picture.shape[:2])
    path = scenario.path(times_s, np.random.default_rng([seed, key, 0]))
    matrices = path.matrices(np.asarray(bounding_box(sample.landmarks), np.float64), face_px, size)
    amplitudes = scenario.expression(times_s) if scenario.expression else np.zeros((len(times_s), len(FEATURES)))
    posed = zip(matrices, amplitudes, strict=True)
    truth = np.array([project(matrix, expression.move(each)) for matrix, each in posed])
    occluder = Occluder(face_px, np.random.default_rng([seed, key, 3])) if scenario.camera.occluder else None
    middles = truth.mean(axis=1)
    hidden = np.array(
        [occluder.place(*each) if occluder else np.full(3, np.nan) for each in zip(middles, times_s, strict=True)]
    )
    light = gain(times_s, scenario.camera.light, np.random.default_rng([seed, key, 1]))

    def frames() -> Iterator[ImageArray]:
        rng = np.random.default_rng([seed, key, 2])
        stage = Stage(picture, size, rng)
        for index, matrix in enumerate(matrices):
            scene = stage.show(expression.warp(picture, amplitudes[index]), matrix)
            if occluder:
                occluder.draw(scene, hidden[index])
            yield record(scene, light[index], scenario.camera.noise, rng)

    return MotionClip(
        f"{scenario.name}/{sample.name}", fps, size, truth, hidden, amplitudes, scenario.camera.crf, frames
    )


def choose_faces(samples: Sequence[Sample], count: int) -> list[Sample]:
    """Faces that can be set in motion, evenly spaced over the samples: large, whole in their photo, lips apart.

    Lips that touch cannot be opened by a warp. Raises DatasetError if there are fewer than `count`.
    """
    fit = [sample for sample in samples if _is_fit(sample)]
    if len(fit) < count:
        raise DatasetError(f"{len(fit)} of {len(samples)} faces can be set in motion, {count} asked for")
    return [fit[index * len(fit) // count] for index in range(count)]


def _is_fit(sample: Sample) -> bool:
    assert IBUG_68.inter_ocular is not None
    first, second = (sample.landmarks[index] for index in IBUG_68.inter_ocular)
    if np.linalg.norm(second - first) < 80 or mouth_gap(sample.landmarks, IBUG_68) < 0.05:
        return False
    return float(inside_photo(sample.read_image()).mean()) > 0.97


def write_clip(clip: MotionClip, path: Path) -> None:
    """Write its frames as H.264. Raises SinkError where the file cannot be written."""
    write_h264(path, clip.make_frames(), fps=clip.fps, size=clip.size, crf=clip.crf)
