"""Made clips that try how a tracker keeps its faces: turned upside down, a flash, a letterboxed cut, a dash."""

# T frames, F faces, K landmarks

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from startrack.tracker.types import Frame, ImageArray
from startrack.train.motion import head_path
from startrack.train.motion.camera import Camera
from startrack.train.motion.clips import MotionClip, Scenario, make_clip
from startrack.train.motion.crowd import crossing_pair
from startrack.train.motion.head_path import Float64Array, HeadPath, MakePath
from startrack.train.sets.sample import Sample

FPS = 30.0
SIZE = (640, 480)
"""Width and height of a trial's frames, all but those of a dash."""
QUIET = Camera(noise=0.0)
"""Trials are of ids, not of jitter."""


@dataclass(frozen=True, slots=True, eq=False)
class Trial:
    """A clip whose faces are known, and how many ids a faultless tracker gives to them."""

    name: str
    ids: int
    landmarks: Float64Array
    """(T, F, K, 2) frame pixels; nan where a face is not in the picture."""
    visible: NDArray[np.bool_]
    """(T, F, K) whether the landmark can be seen."""
    make_images: Callable[[], Iterator[ImageArray]]
    """T pictures (H, W, 3) uint8 RGB, the same at every call."""

    def frames(self) -> Iterator[Frame]:
        """T frames at 30 per second."""
        for t, image in enumerate(self.make_images()):
            yield Frame(image, t, t / FPS)


def turned(sample: Sample, degrees: float, *, seed: int = 0) -> Trial:
    """A face that turns in the picture plane by `degrees` a frame from the first frame on, until it is upright again,
    and then rests for a third of a second. Negative: counter-clockwise."""
    count = math.ceil(360 / abs(degrees))
    scenario = Scenario(f"turned {degrees:g}°", spin(degrees), camera=QUIET, seconds=(count + 11) / FPS)
    return _one_face(make_clip(sample, scenario, seed=seed, fps=FPS, size=SIZE, face_px=160))


def flash(sample: Sample, level: int, *, frames: int = 1, seed: int = 0) -> Trial:
    """A face that sways slowly; after one second some frames are of one flat grey, 0 black to 255 white."""
    first, last = round(FPS), round(FPS) + frames
    whole = _one_face(
        make_clip(
            sample, Scenario("flash", head_path.random_motion(0.1), camera=QUIET, seconds=2.0), seed=seed, size=SIZE
        )
    )
    landmarks, visible = whole.landmarks.copy(), whole.visible.copy()
    landmarks[first:last], visible[first:last] = np.nan, False

    def images() -> Iterator[ImageArray]:
        for t, image in enumerate(whole.make_images()):
            yield np.full_like(image, level) if first <= t < last else image

    return Trial(f"{frames} frames of grey {level}", 1, landmarks, visible, images)


def letterboxed_cut(
    before: Sample, after: Sample, *, bars: float = 0.13, upright: bool = False, seed: int = 0
) -> Trial:
    """One face, then after a hard cut another one in its place, both between the same black bars.

    bars: height of each bar over the frame's; upright: bars at the sides, as of a telephone's video, over the width.
    """
    scenario = Scenario("letterbox", head_path.random_motion(0.05), camera=QUIET, seconds=1.0)
    parts = [_one_face(make_clip(sample, scenario, seed=seed, size=SIZE)) for sample in (before, after)]
    count = len(parts[0].landmarks)
    landmarks = np.full((2 * count, 2, *parts[0].landmarks.shape[2:]), np.nan)
    visible = np.zeros(landmarks.shape[:3], bool)
    for number, part in enumerate(parts):
        scene = slice(number * count, (number + 1) * count)
        landmarks[scene, number], visible[scene, number] = part.landmarks[:, 0], part.visible[:, 0]

    def images() -> Iterator[ImageArray]:
        for part in parts:
            for image in part.make_images():
                yield _between_bars(image, bars, upright=upright)

    name = f"cut between bars of {bars:.0%}{' at the sides' if upright else ''}"
    return Trial(name, 2, landmarks, visible, images)


def fast_crossing(sample: Sample, other: Sample, share: float, *, still_frames: int = 0, seed: int = 0) -> Trial:
    """A face that crosses a 720p picture by `share` of its side a frame, below another face that stays where it is.

    still_frames: at rest at the left before it starts.
    """
    scene = crossing_pair(sample, other, share, still_frames=still_frames, seed=seed)
    name = f"dash {share:.0%}{' from rest' if still_frames else ''}/{sample.name}"
    return Trial(name, 2, scene.landmarks, scene.visible, lambda: (frame.image for frame in scene.frames()))


def spin(degrees: float) -> MakePath:
    """A head that turns in the picture plane at this speed a frame, once around, and then rests."""

    def path(times_s: Float64Array, rng: np.random.Generator) -> HeadPath:
        zero = np.zeros(len(times_s))
        full = math.copysign(2 * math.pi, degrees)
        roll = np.arange(len(times_s)) * math.radians(degrees)
        roll = np.minimum(roll, full) if degrees > 0 else np.maximum(roll, full)
        return HeadPath(np.stack([zero, zero], -1), zero + 1, roll, zero, zero)

    return path


def _one_face(clip: MotionClip) -> Trial:
    landmarks = clip.landmarks[:, None]
    inside = np.all((landmarks >= 0) & (landmarks <= np.array(clip.size) - 1), axis=-1)
    return Trial(clip.name, 1, landmarks, inside, clip.make_frames)


def _between_bars(image: ImageArray, share: float, *, upright: bool) -> ImageArray:
    """The picture with black bars over its upper and lower edge, or over those at the sides."""
    barred = image.copy()
    width = round(share * image.shape[1 if upright else 0])
    if upright:
        barred[:, :width] = barred[:, -width:] = 0
    else:
        barred[:width] = barred[-width:] = 0
    return barred


def trials(samples: Sequence[Sample]) -> Iterator[Trial]:
    """Every trial of every face."""
    for number, sample in enumerate(samples):
        other = samples[(number + 1) % len(samples)]
        for degrees in (2, 4, 8):
            yield turned(sample, degrees if number % 2 else -degrees)
        for level in (255, 0, 128):
            yield flash(sample, level)
        yield letterboxed_cut(sample, other)
        yield letterboxed_cut(sample, other, bars=0.3, upright=True)
        yield fast_crossing(sample, other, 0.36)
        yield fast_crossing(sample, other, 0.36, still_frames=20)
