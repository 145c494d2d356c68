"""Accuracy against time: dots where they belong, labels apart."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET

from startrack.train.report.accuracy_plot import LETTER, LINE, Dot, accuracy_plot

SVG = "{http://www.w3.org/2000/svg}"
DOTS = [
    Dot("S", 2, 4, joined=True),
    Dot("M", 3, 3, joined=True),
    Dot("near M", 3.2, 3.05, group=1),
    Dot("far <away>", 14, 9, group=2, hollow=True),
]


def test_dots_and_their_labels() -> None:
    drawn = ET.fromstring(accuracy_plot({"one": DOTS, "two": DOTS[:3]}, labels=("ms", "NME"), note="a & b"))
    first, second = drawn.findall(f"{SVG}svg")
    places = [(float(one.attrib["cx"]), float(one.attrib["cy"])) for one in first.findall(f"{SVG}circle")]
    assert len(places) == 4
    assert len(second.findall(f"{SVG}circle")) == 3
    # to the right is slower, downwards is better; equal axes in both panels
    assert places[0][0] < places[1][0] < places[3][0]
    assert places[3][1] < places[0][1] < places[1][1]
    assert [one.attrib["cx"] for one in second.findall(f"{SVG}circle")] == [f"{x:.1f}" for x, _ in places[:3]]
    fills = [one.attrib["fill"] for one in first.findall(f"{SVG}circle")]
    assert fills[3] == "#FFFFFF"
    assert "#FFFFFF" not in fills[:3]
    text = [one.text for one in drawn.iter(f"{SVG}text")]
    assert {"far <away>", "one", "two", "a & b", "ms", "NME"} <= set(text)


def test_labels_stand_apart() -> None:
    crowd = [Dot(f"model {number}", 5 + 0.1 * number, 5) for number in range(5)]
    drawn = accuracy_plot({"crowd": crowd}, labels=("ms", "NME"), note="")
    found = re.findall(r'<text x="([\d.]+)" y="([\d.]+)" fill="[^"]+">(model \d)<', drawn)
    boxes = [(float(x), float(y), float(x) + LETTER * len(label), float(y) + LINE) for x, y, label in found]
    assert len(boxes) == 5
    for number, one in enumerate(boxes):
        for other in boxes[number + 1 :]:
            assert one[0] >= other[2] or other[0] >= one[2] or one[1] >= other[3] or other[1] >= one[3]
