"""What each kind of variety in rendered faces brings: one small network trained with every kind, and without each.

    python -m benchmarks.accuracy.variety faces runs/variety --judge data/300w

The recipe of free-landmarks with a network of 64 px crops that takes minutes. Every training sees as many pictures for
as many steps; one without a kind takes others in their place. Two with every kind, of other pictures and another seed,
say what chance does. Errors of held-back rendered faces that show the kind, and of all, in per cent of the box; of
300W's validation faces in per cent of the eye distance: they judge and choose nothing. A training that is done is not
repeated.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from benchmarks.shared.opened_model import opened_model
from benchmarks.shared.record import RESULTS, write_result
from startrack.outside import LARGEST_FACTS, read_json
from startrack.tracker.schemes import IBUG_68
from startrack.tracker.types import FloatArray
from startrack.train.loop.trainer import TrainingOptions, train
from startrack.train.metrics.nme import box_side, inter_ocular, nme
from startrack.train.recipes.compact import CompactSize, compact_spec
from startrack.train.recipes.free import rendered_recipe
from startrack.train.recipes.recipe import Recipe
from startrack.train.sets import ibug_300w, rendered
from startrack.train.sets.sample import Sample
from startrack.train.validation.crop_trust import Photos

Facts = dict[str, Any]
SPEC = compact_spec("variety", 64, CompactSize(stacks=1, inner=0.5))
EPOCHS = 4
WATCHED = 200
"""Held-back faces that a training is watched by."""
COVERS = {"mask", "hand"}
KINDS: dict[str, Callable[[Facts], bool]] = {
    "heads turned beyond 45°": lambda facts: abs(facts["turn_deg"]) > 45,
    "smiles": lambda facts: facts["expression"] in ("smile", "grin", "laugh"),
    "eyes shut or half shut": lambda facts: max(_blink(facts, side) for side in "LR") > 0.4,
    "masks and hands": lambda facts: bool(COVERS & facts["attributes"].keys()),
    "glasses": lambda facts: "glasses" in facts["attributes"],
    "headwear": lambda facts: "headwear" in facts["attributes"],
    "beards": lambda facts: "beard" in facts["attributes"],
    "children": lambda facts: facts["age_years"] < 13,
    "dark skin": lambda facts: facts["melanin"] > 0.5,
}
"""Kind → whether a picture, by its facts, shows it."""


def _blink(facts: Facts, side: str) -> float:
    return float(facts["blendshapes"].get(f"eyeBlink_{side}", 0.0))


def recipe(faces: list[Sample], watched: list[Sample], seed: int) -> Recipe:
    """That of free-landmarks for the small network, whose few steps average its weights over fewer."""
    whole = rendered_recipe(SPEC, faces, watched, epochs=EPOCHS, seed=seed)
    return replace(whole, name="variety", batch_size=32, ema_decay=0.995)


def trained(faces: list[Sample], watched: list[Sample], out: Path, seed: int) -> Path:
    """The weights of a training, now or earlier."""
    done = out / "done"
    if not done.exists():
        train(recipe(faces, watched, seed), TrainingOptions(out=out, precision="bfloat16"))
        done.touch()
    return out / "weights.safetensors"


def errors(weights: Path, samples: list[Sample], *, by_box: bool) -> FloatArray:
    """(N,) per cent."""
    with opened_model(weights) as (spec, read):
        photos = Photos.of(samples, spec)
        unit = (box_side if by_box else inter_ocular)(photos.landmarks, IBUG_68)
        return 100 * nme(photos.read(read, photos.true_rois), photos.landmarks, unit)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("faces", type=Path, help="folder that startrack render made")
    parser.add_argument("runs", type=Path, help="folder for the trainings")
    parser.add_argument("--judge", type=Path, required=True, help="folder of 300W")
    parser.add_argument("--pictures", type=int, default=8000, help="that each training sees")
    parser.add_argument("--held-back", type=int, default=3000, help="rendered faces to measure on, at most")
    parser.add_argument("--out", type=Path, default=RESULTS / "variety.json")
    args = parser.parse_args()
    torch.set_num_threads(1)
    paths = {split: rendered.split_paths(args.faces, split) for split in ("train", "validation")}
    held_back = paths["validation"][: args.held_back]
    judges, judged = ibug_300w.load(args.judge, "validation"), [rendered.read_sample(path) for path in held_back]
    facts_of: dict[Path, Facts] = {path: read_json(path, LARGEST_FACTS) for path in [*paths["train"], *held_back]}

    def measure(name: str, chosen: list[Path], seed: int) -> dict[str, FloatArray]:
        samples = [rendered.read_sample(path) for path in chosen[: args.pictures]]
        if len(samples) < args.pictures:
            raise SystemExit(f"{args.faces}: {len(samples)} pictures {name}; expected {args.pictures}, or --pictures")
        weights = trained(samples, judged[:WATCHED], args.runs / name.replace(" ", "-"), seed)
        return {"rendered": errors(weights, judged, by_box=True), "300w": errors(weights, judges, by_box=False)}

    every = measure("every kind", paths["train"], 0)
    chance = measure("every kind again", paths["train"][::-1], 1)
    rows: dict[str, dict[str, float]] = {}

    def row(name: str, shown: NDArray[np.bool_], without: dict[str, FloatArray]) -> None:
        rows[name] = {
            "share": float(shown.mean()),
            "kind": float(every["rendered"][shown].mean()),
            "kind_without": float(without["rendered"][shown].mean()),
            "all": float(every["rendered"].mean()),
            "all_without": float(without["rendered"].mean()),
            "photos": float(every["300w"].mean()),
            "photos_without": float(without["300w"].mean()),
        }
        print(name, {key: round(value, 3) for key, value in rows[name].items()}, flush=True)

    row("chance", np.ones(len(held_back), bool), chance)
    for name, shows in KINDS.items():
        left = [path for path in paths["train"] if not shows(facts_of[path])]
        shown = np.array([shows(facts_of[path]) for path in held_back])
        row(name, shown, measure(f"without {name}", left, 0))
    write_result(args.out, {"pictures": args.pictures, "epochs": EPOCHS, "held_back": len(held_back), "rows": rows})


if __name__ == "__main__":
    main()
