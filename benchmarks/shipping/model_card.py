"""The tables of a landmark model's card, from the results that were measured with its very file.

A card is written by hand except between a line `<!-- table: NAME -->` and the next `<!-- end -->`. Missing
figures are named, with the command that measures it.

    python -m benchmarks.shipping.model_card compact-300w-slim
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.shared.record import results_of
from startrack.engines.sidecar import read_sidecar
from startrack.engines.zoo import zoo_path

MARKED = re.compile(r"(<!-- table: (?P<name>[\w ]+) -->\n)(?P<table>.*?)(<!-- end -->)", re.DOTALL)


class MissingError(Exception):
    """A table's figures are not measured; the message is the command that does it."""


def file_table(model: Path) -> str:
    """Name, size, hash, what goes in and what comes out."""
    sidecar = read_sidecar(model)
    assert sidecar is not None
    spec: Any = sidecar.spec
    narrow = b"DequantizeLinear" in model.read_bytes()
    stored = (
        "8-bit integers, head and decoding float32" if narrow else "kernels stored as float16, arithmetic in float32"
    )
    size, cells, count = spec.input_size, spec.heatmap_size, spec.num_landmarks
    rows = [
        ("`" + model.name + "`", f"{model.stat().st_size / 1e6:.1f} MB, {stored}"),
        ("sha256", f"`{sidecar.sha256}`"),
        (
            "in",
            f"`crops` (B, {size}, {size}, 3) uint8 {spec.colour_order.upper()}: the square around the landmarks' "
            f"bounding box, {spec.crop_scale:g} times its larger side",
        ),
        (
            "out",
            f"`points` (B, {count}, 2), `covariance` (B, {count}, 2, 2), `score` (B, {count}), `presence` (B,), "
            f"`heatmaps` (B, {count}, {cells}, {cells}), in crop pixels",
        ),
    ]
    return table(("file", "value"), rows)


def accuracy_table(model: Path) -> str:
    """Of 300W's test sets and the validation faces."""
    full = measured("300w_full", model, "startrack evaluate --data 300w --split full")
    held_back = measured("300w_validation", model, "startrack evaluate --data 300w --split validation")
    groups = {f"300W {name}": figures for name, figures in full["subsets"].items()}
    groups |= {"300W full": full, "validation": held_back}
    rows = [
        (
            name,
            f"{one['faces']}",
            f"{one['nme']:.2f}",
            interval(one["interval95"]),
            f"{one['nme51']:.2f}",
            *(f"{one[key]:.1f}" for key in ("fr8", "fr10", "auc8")),
            f"{one['coverage50']:.0f} / {one['coverage90']:.0f}",
        )
        for name, one in groups.items()
    ]
    return table(("faces", "n", "NME", "95 % interval", "NME 51", "FR@8", "FR@10", "AUC@8", "coverage"), rows)


def robustness_table(model: Path) -> str:
    """Of the validation faces made hard, and by yaw."""
    result = measured("robustness", model, "python -m benchmarks.accuracy.robustness 300w")
    rows = [
        (
            name,
            f"{one['faces']}",
            f"{one['nme']:.2f}",
            interval(one["interval95"]),
            f"{one['nme51']:.2f}",
            f"{one['fr10']:.1f}",
            f"{one['coverage90']:.0f}",
            f"{one['taken_for_none']:.1f}",
        )
        for name, one in (result["conditions"] | result["yaw"]).items()
    ]
    return table(("faces", "n", "NME", "95 % interval", "NME 51", "FR@10", "in 90 %", "taken for none"), rows)


def boxes_table(model: Path) -> str:
    """What other crops cost than those of the true box."""
    result = measured("detector_box", model, "python -m benchmarks.accuracy.detector_box_accuracy 300w")
    rows = [
        (way, f"{one['nme']:.2f}", f"{one['difference']:+.2f}", interval(one["difference_interval95"], "+.2f"))
        for way, one in result["ways"].items()
    ]
    return table(("crop from", "NME", "against the true box", "95 % interval"), rows)


def speed_table(model: Path) -> str:
    """Milliseconds, beside MediaPipe FaceMesh in the same run."""
    result = measured("accuracy_speed", model, "python -m benchmarks.speed.accuracy_speed --data 300w …")
    chosen = {
        name: one
        for name, one in result["contestants"].items()
        if "file" not in one or one["file"]["file"] == model.name
    }
    rows = [
        (name, f"{one['network_ms']:.1f}" if "network_ms" in one else "", f"{one['frame_ms']:.1f}")
        for name, one in chosen.items()
    ]
    where = result["machine"]["cpu"]
    return f"{table(('one thread', 'ms a crop, network alone', 'ms a 720p frame with one face'), rows)}\n{where}.\n"


TABLES: dict[str, Callable[[Path], str]] = {
    "file": file_table,
    "accuracy": accuracy_table,
    "robustness": robustness_table,
    "boxes": boxes_table,
    "speed": speed_table,
}


def measured(name: str, model: Path, command: str) -> dict[str, Any]:
    """Results of this very file. Raises MissingError with the command that measures them."""
    result = results_of(name, model)
    if result is None:
        raise MissingError(f"{name}: not measured with this {model.name}; run: {command} --weights {model.name}")
    return result


def interval(ends: list[float] | None, form: str = ".2f") -> str:
    return f"{ends[0]:{form}} to {ends[1]:{form}}" if ends else ""


def table(head: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    """Markdown."""
    lines = [head, ("---",) * len(head), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def filled(card: str, model: Path) -> tuple[str, list[str]]:
    """The card with its tables rewritten, and the missing results of those that stay as they were."""
    missing = []

    def write(match: re.Match[str]) -> str:
        if match["name"] not in TABLES:
            raise SystemExit(f"{model.stem}.md: no table {match['name']!r}; expected {', '.join(TABLES)}")
        try:
            return f"{match[1]}{TABLES[match['name']](model)}{match[4]}"
        except MissingError as error:
            missing.append(str(error))
            return match[0]

    return MARKED.sub(write, card), missing


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("name", help="of the model, e.g. compact-300w-slim")
    args = parser.parse_args()
    model = zoo_path(args.name)
    path = model.with_suffix(".md")
    card, missing = filled(path.read_text(encoding="utf-8"), model)
    path.write_text(card, encoding="utf-8")
    print(f"written: {path.name}")
    if missing:
        raise SystemExit("\n".join(missing))


if __name__ == "__main__":
    main()
