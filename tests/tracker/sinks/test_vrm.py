from __future__ import annotations

import pytest

from startrack.tracker.signals import blendshape_names
from startrack.tracker.sinks.vrm import NAMES, vrm_expressions


def vowels(version: str = "0", **shapes: float) -> dict[str, float]:
    return vrm_expressions({name: shapes.get(name, 0.0) for name in blendshape_names()}, version)


WIDE = {"mouthStretchLeft": 0.9, "mouthStretchRight": 0.9}
TEETH = {"mouthUpperUpLeft": 0.8, "mouthUpperUpRight": 0.8}


@pytest.mark.parametrize(
    ("vowel", "shapes"),
    [
        ("A", {"jawOpen": 0.8}),
        ("I", WIDE | TEETH),
        ("U", {"mouthPucker": 0.9}),
        ("E", WIDE | TEETH | {"jawOpen": 0.35}),
        ("O", {"mouthFunnel": 0.8, "jawOpen": 0.4}),
    ],
)
def test_a_vowel_is_the_largest_of_its_mouth(vowel: str, shapes: dict[str, float]) -> None:
    found = vowels(**shapes)
    spoken = {name: found[name] for name in "AIUEO"}
    assert max(spoken, key=lambda name: spoken[name]) == vowel
    assert spoken[vowel] > 0.4
    assert sum(spoken.values()) <= 1 + 1e-9
    assert list(vowels("1", **shapes).values()) == list(found.values())


def test_a_closed_mouth_says_nothing() -> None:
    smile = {"mouthSmileLeft": 1.0, "mouthSmileRight": 1.0}
    assert sum(vowels(**smile).values()) == 0


def test_lids_are_the_faces_own() -> None:
    found = vowels(eyeBlinkLeft=0.7)
    assert (found["Blink_L"], found["Blink_R"]) == (0.7, 0.0)
    assert vowels("1", eyeBlinkLeft=0.7)["blinkLeft"] == 0.7


def test_where_the_eyes_look_is_theirs() -> None:
    looks = dict.fromkeys(blendshape_names(eyes=True), 0.0)
    looks |= {"eyeLookOutLeft": 0.8, "eyeLookInRight": 0.6, "eyeLookUpLeft": 0.3, "eyeLookUpRight": 0.3}
    found = vrm_expressions(looks, "0")
    assert [found[name] for name in ("LookUp", "LookDown", "LookLeft", "LookRight")] == pytest.approx([0.3, 0, 0.7, 0])
    assert vrm_expressions(looks, "1")["lookLeft"] == pytest.approx(0.7)
    assert "LookUp" not in vowels()


def test_names_are_those_of_the_specifications() -> None:
    looks = {"up", "down", "look left", "look right"}
    assert {NAMES["0"][key] for key in looks} == {"LookUp", "LookDown", "LookLeft", "LookRight"}
    assert {NAMES["1"][key] for key in looks} == {"lookUp", "lookDown", "lookLeft", "lookRight"}
    assert {NAMES["0"][key] for key in NAMES["0"].keys() - looks} == {"A", "I", "U", "E", "O", "Blink_L", "Blink_R"}
    expected = {"aa", "ih", "ou", "ee", "oh", "blinkLeft", "blinkRight"}
    assert {NAMES["1"][key] for key in NAMES["1"].keys() - looks} == expected
