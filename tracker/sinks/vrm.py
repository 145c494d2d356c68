"""The expressions of VRM avatars from ARKit's blendshapes."""

from __future__ import annotations

from collections.abc import Mapping

# fmt: off
NAMES = {
    "0": {
        "aa": "A", "ih": "I", "ou": "U", "ee": "E", "oh": "O", "left": "Blink_L", "right": "Blink_R",
        "up": "LookUp", "down": "LookDown", "look left": "LookLeft", "look right": "LookRight",
    },
    "1": {
        "aa": "aa", "ih": "ih", "ou": "ou", "ee": "ee", "oh": "oh", "left": "blinkLeft", "right": "blinkRight",
        "up": "lookUp", "down": "lookDown", "look left": "lookLeft", "look right": "lookRight",
    },
}
# fmt: on
"""Version of VRM → its names of five vowels, of the lids and of the eyes' ways; left and right are the avatar's."""
WIDE = ("mouthStretch", "mouthSmile", "mouthUpperUp")
"""Of these the largest makes a mouth wide."""
FULL_JAW = 0.7
"""jawOpen of a spoken A."""


def vrm_expressions(shapes: Mapping[str, float], version: str) -> dict[str, float]:
    """Expression → 0..1. shapes: ARKit's. version: "0" or "1".

    The vowels share the mouth: together they are at most 1. A is an open mouth, O an open round one, U a narrow round
    one, E a wide one that is half open, and I a wide one that shows the teeth but is hardly open. A closed mouth that
    smiles is none of them. Where the eyes look is known if the shapes have eyeLook.
    """
    opened = min(shapes["jawOpen"] / FULL_JAW, 1.0)
    teeth = max(_both(shapes, "mouthUpperUp"), min(opened * 2, 1.0))
    wide = max(_both(shapes, name) for name in WIDE) * teeth
    round_ = max(shapes["mouthPucker"], shapes["mouthFunnel"])
    wide *= 1 - round_
    half = min(2 * opened, 2 * (1 - opened)) if opened > 0 else 0.0
    vowels = {
        "ou": shapes["mouthPucker"],
        "oh": shapes["mouthFunnel"] * (1 - shapes["mouthPucker"]),
        "ih": wide * (1 - min(2 * opened, 1.0)),
        "ee": wide * half * 0.5,
    }
    vowels["aa"] = opened * (1 - round_) * (1 - vowels["ee"])
    total = max(sum(vowels.values()), 1.0)
    found = {name: value / total for name, value in vowels.items()}
    found |= {"left": shapes["eyeBlinkLeft"], "right": shapes["eyeBlinkRight"]}
    if "eyeLookUpLeft" in shapes:
        found |= {"up": _both(shapes, "eyeLookUp"), "down": _both(shapes, "eyeLookDown")}
        found["look left"] = (shapes["eyeLookOutLeft"] + shapes["eyeLookInRight"]) / 2
        found["look right"] = (shapes["eyeLookInLeft"] + shapes["eyeLookOutRight"]) / 2
    return {name: found[key] for key, name in NAMES[version].items() if key in found}


def _both(shapes: Mapping[str, float], name: str) -> float:
    return (shapes[f"{name}Left"] + shapes[f"{name}Right"]) / 2
