"""Glasses: frames of several shapes with clear, tinted and dark lenses."""

# V head vertices, P places of a rim

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from startrack.train.synthetic.geometry.mesh import Floats, make_mesh, tube
from startrack.train.synthetic.parts import Layer
from startrack.train.synthetic.surface.material import Plain
from startrack.train.synthetic.worn.wearer import Wearer

SHARE = 0.22
RIM_PLACES = 32
EARS = (1278, 3496)
"""Published vertices before the right and left ear, at the height of the eyes."""
POWERS = {"round": 2.0, "oval": 2.2, "square": 4.5, "cat eye": 3.0, "aviator": 2.6, "half rim": 3.5, "rimless": 3.0}
"""Shape of a rim → exponent of its superellipse."""


def draw(wearer: Wearer, worn: dict[str, str], rng: np.random.Generator) -> str:
    """Put glasses on a fifth of the faces, fewer of the children; their kind, empty without."""
    if rng.random() > SHARE * (0.4 if wearer.identity.age_years < 10 else 1.0):
        return ""
    shape = str(rng.choice(list(POWERS)))
    dark = rng.random() < 0.3
    eyes = np.stack([wearer.landmarks[list(points)].mean(0) for points in (range(36, 42), range(42, 48))])
    apart = eyes[1, 0] - eyes[0, 0]
    half = np.array([rng.uniform(0.36, 0.43), rng.uniform(0.25, 0.38)]) * apart
    front = max(wearer.landmarks[27, 2], eyes[:, 2].mean() + 1.0) + rng.uniform(0.2, 0.6)
    drop = rng.uniform(-0.1, 0.6)
    thick = float(rng.uniform(0.05, 0.1) if shape in ("aviator", "rimless", "half rim") else rng.uniform(0.07, 0.22))
    frame = wearer.parts.material(_frame_material(rng))
    tint = float(rng.uniform(0.65, 0.97)) if dark else float(rng.choice([0.0, 0.0, 0.05, 0.2]))
    shade = np.exp(rng.normal(-4.2, 0.5, 3)) if dark else np.array([0.4, 0.4, 0.42])
    lens = wearer.parts.material(Layer((float(shade[0]), float(shade[1]), float(shade[2])), hides=tint > 0.6))
    glare = wearer.parts.material(Layer((1.0, 1.0, 1.05)))
    streak = wearer.parts.texture(_glare_texture(rng))
    rims = [_rim(eyes[side], half, shape, front, drop, side) for side in range(2)]
    for rim in rims:
        _add_lens(wearer, rim, lens, glare, streak, tint)
        if shape != "rimless":
            path = rim[: RIM_PLACES // 2 + 1] if shape == "half rim" else rim
            wearer.parts.add(make_mesh(*tube(path, thick, closed=shape != "half rim"), frame))
    for path in (*_bridges(rims, shape), *_temples(wearer, rims)):
        wearer.parts.add(make_mesh(*tube(path, max(thick, 0.07)), frame))
    return f"{'sunglasses' if tint > 0.6 else 'glasses'}: {shape}"


def _frame_material(rng: np.random.Generator) -> Plain:
    colour = np.exp(rng.uniform(-4.5, -0.5) + rng.normal(0, 0.3, 3))
    metal = rng.random() < 0.35
    red, green, blue = (float(min(v, 0.8)) for v in colour)
    return Plain((red, green, blue), roughness=0.3 if metal else 0.38, gloss=3.0 if metal else 1.0)


def _rim(eye: Floats, half: NDArray[np.floating], shape: str, front: float, drop: float, side: int) -> Floats:
    """(P, 3) from the right over the top to the left and back below."""
    angle = np.arange(RIM_PLACES) / RIM_PLACES * 2 * np.pi
    power = {"round": 2.0, "oval": 2.2, "square": 4.5, "cat eye": 3.0, "aviator": 2.6, "half rim": 3.5, "rimless": 3.0}[
        shape
    ]
    width, height = (half.mean(), half.mean()) if shape == "round" else half
    x = np.sign(np.cos(angle)) * np.abs(np.cos(angle)) ** (2 / power) * width
    y = np.sign(np.sin(angle)) * np.abs(np.sin(angle)) ** (2 / power) * height
    outwards = x / width * (1 if side == 1 else -1)
    if shape == "cat eye":
        y = y + 0.28 * height * np.clip(outwards, 0, 1) ** 2 * (y > 0)
    if shape == "aviator":
        x, y = x * (1 - 0.22 * np.clip(-y / height, 0, 1)), y * 1.15 - 0.15 * height
    across = eye[0] + x
    return np.stack([across, eye[1] - drop + y, front - 0.03 * across**2], 1).astype(np.float32)


def _add_lens(wearer: Wearer, rim: Floats, lens: int, glare: int, streak: int, tint: float) -> None:
    middle = rim.mean(0, keepdims=True)
    vertices = np.concatenate([rim, middle])
    number = np.arange(RIM_PLACES)
    faces = np.stack([number, (number + 1) % RIM_PLACES, np.full(RIM_PLACES, RIM_PLACES)], 1)
    if tint:
        wearer.parts.add(make_mesh(vertices, faces, lens, cover=np.full(len(vertices), tint)))
    low, high = rim.min(0), rim.max(0)
    uv = ((vertices - low) / (high - low))[:, :2] * 0.98 + 0.01
    nearer = vertices + np.array([0, 0, 0.02], np.float32)
    wearer.parts.add(make_mesh(nearer, faces, glare, uv=uv, texture=streak))


def _glare_texture(rng: np.random.Generator) -> NDArray[np.uint8]:
    """(64, 64) a slanted streak or a window's light, faint in most glasses."""
    rows, columns = np.mgrid[:64, :64] / 64.0
    if rng.random() < 0.5:
        across = (columns - 0.5) * np.cos(0.9) + (rows - 0.5) * np.sin(0.9) - rng.uniform(-0.3, 0.3)
        spot = np.exp(-((across / rng.uniform(0.05, 0.2)) ** 2))
    else:
        x, y = rng.uniform(0.2, 0.8, 2)
        spot = ((np.abs(columns - x) < rng.uniform(0.05, 0.2)) & (np.abs(rows - y) < rng.uniform(0.05, 0.25))).astype(
            float
        )
    strength = rng.uniform(0.2, 0.6) if rng.random() < 0.25 else rng.uniform(0.0, 0.12)
    result: NDArray[np.uint8] = (spot * strength * 255).astype(np.uint8)
    return result


def _bridges(rims: list[Floats], shape: str) -> list[Floats]:
    right, left = rims[0], rims[1]
    inner = [right[right[:, 0].argmax()], left[left[:, 0].argmin()]]
    share = np.linspace(0, 1, 7)[:, None]
    arch = np.array([0, 0.25, 0.35]) * np.sin(share * np.pi)
    lift = np.array([0, 0.35, 0])
    paths = [(inner[0] * (1 - share) + inner[1] * share + arch + lift).astype(np.float32)]
    if shape == "aviator":
        top = [right[right[:, 1].argmax()], left[left[:, 1].argmax()]]
        paths.append((top[0] * (1 - share) + top[1] * share).astype(np.float32))
    return paths


def _temples(wearer: Wearer, rims: list[Floats]) -> list[Floats]:
    """From the rims' outer ends to above and behind the ears."""
    paths = []
    for side, rim, vertex in zip((-1, 1), rims, EARS, strict=True):
        hinge = rim[(rim[:, 0] * side + 0.3 * rim[:, 1]).argmax()]
        ear = wearer.base[wearer.studio.head.number[vertex]]
        over = ear + np.array([side * 0.55, 0.9, -1.0])
        behind = over + np.array([-side * 0.2, -2.2, -2.6])
        share = np.linspace(0, 1, 10)[:, None]
        outwards = np.array([side * 0.5, 0, 0]) * np.sin(share * np.pi)
        way = hinge * (1 - share) + over * share + outwards
        paths.append(np.concatenate([way, behind[None]]).astype(np.float32))
    return paths
