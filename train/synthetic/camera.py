"""The camera: where it is, how it projects, and its effects on a picture."""

# N places, H W pixels

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from startrack.train.synthetic.geometry.compiled import compiled
from startrack.train.synthetic.geometry.mesh import Floats
from startrack.train.synthetic.surface.material import encoded

NEAREST_CM, FARTHEST_CM = 36.0, 230.0
TO_CAMERA = np.array([1.0, -1.0, -1.0], np.float32)
"""World's axes → camera's: x to the right, y down, z away from it."""
FILL = (0.46, 0.62)
"""Larger side of the landmarks' box over the picture's side."""


@dataclass(frozen=True, slots=True, eq=False)
class Camera:
    """A pinhole camera that looks along the world's -z."""

    position: Floats
    """(3,) cm in the world's frame."""
    focal_px: float
    centre: tuple[float, float]
    """Pixel that lies straight ahead."""
    size: tuple[int, int]
    """Width and height, px."""

    def seen(self, places: Floats) -> Floats:
        """(N, 3) world places in the camera's frame, cm."""
        result: Floats = _seen(np.ascontiguousarray(places), self.position)
        return result

    def project(self, seen: NDArray[np.floating]) -> NDArray[np.float64]:
        """(N, 2) pixels of places in the camera's frame; pixel centres are integers."""
        flat = seen[..., :2].astype(np.float64) / np.maximum(seen[..., 2:], 1e-3)
        result: NDArray[np.float64] = flat * self.focal_px + np.array(self.centre)
        return result

    def enlarged(self, factor: int) -> Camera:
        """The same camera with factor² pixels for each: where pixel x is, x · factor + (factor - 1) / 2 is now."""
        shift = (factor - 1) / 2
        centre = (self.centre[0] * factor + shift, self.centre[1] * factor + shift)
        return Camera(self.position, self.focal_px * factor, centre, (self.size[0] * factor, self.size[1] * factor))


@compiled
def _seen(places, position):  # type: ignore[no-untyped-def]
    """Each place less the position, its y and z turned round: TO_CAMERA."""
    out = np.empty(places.shape, np.float32)
    for i in range(places.shape[0]):
        out[i, 0] = places[i, 0] - position[0]
        out[i, 1] = position[1] - places[i, 1]
        out[i, 2] = position[2] - places[i, 2]
    return out


def draw_camera(landmarks: Floats, size: int, rng: np.random.Generator) -> Camera:
    """A camera for a square portrait: the landmarks (68, 3) in the world's frame fill about half of its side."""
    distance = float(np.exp(rng.uniform(np.log(NEAREST_CM), np.log(FARTHEST_CM))))
    position = landmarks.mean(0) + np.array([0, 0, distance], np.float32)
    unit = Camera(position, 1.0, (0.0, 0.0), (size, size))
    flat = unit.project(unit.seen(landmarks))
    low, high = flat.min(0), flat.max(0)
    focal = rng.uniform(*FILL) * size / (high - low).max()
    middle = (size - 1) / 2 - focal * (low + high) / 2 + rng.normal(0, 0.02 * size, 2)
    return Camera(position, float(focal), (float(middle[0]), float(middle[1])), (size, size))


@dataclass(frozen=True, slots=True)
class Development:
    """What camera and file do to light: exposure, colour, blur, noise, compression."""

    white: tuple[float, float, float]
    contrast: float
    brightness: float
    saturation: float
    blur_px: float
    motion_px: tuple[float, float]
    """Way of the picture during the exposure, x and y."""
    shrink: float
    """The picture is made this much smaller and enlarged again; 1: not."""
    noise: float
    luminance_noise: float
    grey: bool
    jpeg_quality: int
    seed: int


def draw_development(rng: np.random.Generator) -> Development:
    """A good camera in most pictures, a bad one in some."""
    white = np.exp(rng.normal(0, [0.06, 0.02, 0.08]))
    way = rng.normal(0, 1, 2) * rng.uniform(1, 5) if rng.random() < 0.08 else np.zeros(2)
    return Development(
        white=(float(white[0]), float(white[1]), float(white[2])),
        contrast=float(rng.uniform(0.85, 1.15)),
        brightness=float(rng.normal(0, 0.03)),
        saturation=float(rng.uniform(0.7, 1.2)),
        blur_px=float(rng.uniform(0.3, 1.3)) if rng.random() < 0.45 else 0.0,
        motion_px=(float(way[0]), float(way[1])),
        shrink=float(rng.uniform(0.25, 0.6)) if rng.random() < 0.12 else 1.0,
        noise=float(0.03 * rng.random() ** 2),
        luminance_noise=float(0.02 * rng.random() ** 2),
        grey=bool(rng.random() < 0.08),
        jpeg_quality=int(rng.uniform(45, 97)),
        seed=int(rng.integers(1 << 31)),
    )


def develop(light: Floats, settings: Development) -> NDArray[np.uint8]:
    """(H, W, 3) RGB as a camera gives it, from linear light (H, W, 3) where 1 is white."""
    image: NDArray[Any] = _toned(np.ascontiguousarray(light), np.array(settings.white, np.float32), TONES)
    if any(settings.motion_px):
        image = cv2.filter2D(image, -1, _motion_kernel(settings.motion_px))
    if settings.blur_px:
        image = cv2.GaussianBlur(image, (0, 0), settings.blur_px)
    height, width = image.shape[:2]
    if settings.shrink < 1:
        small = (max(int(width * settings.shrink), 8), max(int(height * settings.shrink), 8))
        image = cv2.resize(cv2.resize(image, small, interpolation=cv2.INTER_AREA), (width, height))
    rng = np.random.default_rng(settings.seed)
    noise = rng.standard_normal(image.shape, np.float32), rng.standard_normal((height, width), np.float32)
    levels = (settings.contrast, settings.brightness, 0.0 if settings.grey else settings.saturation)
    strengths = (settings.noise, settings.luminance_noise)
    developed: NDArray[np.uint8] = _noisy(image, *noise, np.array([*levels, *strengths], np.float32))
    return developed


def _film(light: Floats) -> Floats:
    """sRGB of linear light, with a film's shoulder above 0.7."""
    return encoded(np.where(light > 0.7, 0.7 + 0.3 * np.tanh((light - 0.7) / 0.45), light))


TONES = _film(np.square(np.linspace(0, 2, 4097)).astype(np.float32))
"""Of light from 0 to 4, above which all is white, evenly by its square root."""


@compiled
def _toned(light, white, tones):  # type: ignore[no-untyped-def]
    """(H, W, 3) tones of the light times a factor (3,), between those of the table."""
    out = np.empty(light.shape, np.float32)
    last = np.float32(len(tones) - 1)
    for y in range(light.shape[0]):
        for x in range(light.shape[1]):
            for channel in range(3):
                root = np.sqrt(max(light[y, x, channel] * white[channel], np.float32(0.0)))
                place = min(root * (last / np.float32(2.0)), last - np.float32(0.01))
                step = int(place)
                out[y, x, channel] = tones[step] + (place - np.float32(step)) * (tones[step + 1] - tones[step])
    return out


@compiled
def _noisy(image, noise, luminance_noise, settings):  # type: ignore[no-untyped-def]
    """(H, W, 3) bytes of an image 0..1 by contrast, brightness, saturation and the strength of both noises."""
    out = np.empty(image.shape, np.uint8)
    contrast, brightness, saturation, strength, luminance_strength = settings
    half, third, most = np.float32(0.5), np.float32(1 / 3), np.float32(255.0)
    for y in range(image.shape[0]):
        for x in range(image.shape[1]):
            grey = (image[y, x, 0] + image[y, x, 1] + image[y, x, 2]) * third
            level = (grey - half) * contrast + half + brightness + luminance_strength * luminance_noise[y, x]
            for channel in range(3):
                colour = (image[y, x, channel] - grey) * contrast * saturation
                value = (level + colour + strength * noise[y, x, channel]) * most + half
                out[y, x, channel] = np.uint8(min(max(value, half), most + np.float32(0.25)))
    return out


def _motion_kernel(way: tuple[float, float]) -> Floats:
    """A line of a length and direction in pixels, as a blur's weights."""
    reach = int(np.ceil(max(abs(way[0]), abs(way[1])) / 2)) + 1
    kernel = np.zeros((2 * reach + 1, 2 * reach + 1), np.float32)
    for share in np.linspace(-0.5, 0.5, 33):
        kernel[round(reach + way[1] * share), round(reach + way[0] * share)] += 1
    result: Floats = kernel / kernel.sum()
    return result
