"""Opacity textures of hair made by program, and the material of hair."""

# N shown pixels

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from startrack.train.synthetic.geometry.mesh import Floats
from startrack.train.synthetic.geometry.noise import value_noise
from startrack.train.synthetic.surface.material import Look, Surface, filled, tilted


@dataclass(frozen=True, slots=True, eq=False)
class Hair:
    """The material of hair: strands along v, lighter and darker."""

    colour: Floats
    """(3,) linear RGB."""
    brightness: Floats | None
    """(H, W) factor of the colour by uv; None: strands by noise."""
    gloss: float
    salt: int

    def look(self, surface: Surface) -> Look:
        """Strands with mottles of a hand's width; Material.look."""
        uv, rest = surface.uv, surface.rest
        if self.brightness is None:
            places = np.stack([uv[:, 0] * 60, uv[:, 1] * 2.0, np.zeros(len(uv))], 1).astype(np.float32)
            shade = np.exp(0.45 * value_noise(places, self.salt))
        else:
            height, width = self.brightness.shape
            column = np.clip(((uv[:, 0] % 1.0) * width).astype(int), 0, width - 1)
            row = np.clip(((1 - uv[:, 1] % 1.0) * height).astype(int), 0, height - 1)
            shade = self.brightness[row, column]
        shade = shade * np.exp(0.25 * value_noise(rest / 1.2, self.salt + 1))
        fine = value_noise(rest / np.float32(0.07), self.salt + 2)
        normal = tilted(surface.normal, (0.35 * fine)[:, None] * surface.axes[0])
        albedo = np.clip(self.colour * shade[:, None], 0.001, 0.9).astype(np.float32)
        return Look(albedo, normal, filled(len(uv), 0.5), self.gloss * np.clip(shade, 0.3, 1.5).astype(np.float32))


def strand_texture(rng: np.random.Generator, *, density: float) -> NDArray[np.uint8]:
    """(128, 256) opacity of a lock: full at the root, which is at the bottom, and parted into strands at the end.

    density: share of the end's width that strands cover, 0 to 1.
    """
    height, width = 128, 256
    strand = cv2.GaussianBlur(rng.random((1, width)).astype(np.float32), (0, 0), 1.2)[0]
    order = strand.argsort().argsort() / width
    along = np.linspace(1, 0, height)[:, None]
    ends = 1 - (1 - density) * along**1.5
    random_motion = cv2.GaussianBlur(rng.random((height, width)).astype(np.float32) - 0.5, (0, 0), 6) * 1.5
    clear = np.clip((ends - (order[None] + random_motion)) / 0.12, 0, 1)
    tips = np.clip((order[None] * 0.5 + 0.5 - along) / 0.08 + 1.0, 0, 1)
    result: NDArray[np.uint8] = (clear * tips * 255).astype(np.uint8)
    return result


def tuft_texture(rng: np.random.Generator, *, size_px: float, share: float) -> NDArray[np.uint8]:
    """(256, 256) opacity of a field of hairs seen from their ends: spots that cover a share of it."""
    wrapped = np.pad(rng.standard_normal((256, 256)).astype(np.float32), 16, mode="wrap")
    spots = cv2.GaussianBlur(wrapped, (0, 0), size_px)[16:-16, 16:-16]
    level = np.quantile(spots, 1 - share)
    result: NDArray[np.uint8] = (np.clip((spots - level) / (0.5 * spots.std()) + 0.5, 0, 1) * 255).astype(np.uint8)
    return result
