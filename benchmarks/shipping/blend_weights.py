"""Weights between those that a training began with and those that it ended with, as a model file's network.

Of two networks that lie near each other the weights in between often do nearly as well on the task that the first was
trained
for, and on that of the second (Wortsman et al., "Robust fine-tuning of zero-shot models", CVPR 2022). Statistics of
batch norms cannot be averaged: they are measured again on pictures of the training.

    python -m benchmarks.shipping.blend_weights face-detector.onnx runs/tuned/weights.safetensors --data data \
        --recipe face-detector-tuned --share 0.6 --out blended.safetensors
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from startrack.train.feed.dataset import ItemKey
from startrack.train.recipes import RECIPES
from startrack.train.weights.checkpoint import load_weights, save_weights
from startrack.train.weights.initialise import initialise

BATCH = 32
NUM_PICTURES = 384


def blend(first: nn.Module, last: dict[str, Tensor], share: float, pictures: Tensor) -> None:
    """Move `first` by that share of the way to the state `last`, in place, and measure its norms' statistics again.

    pictures: (N, S, S, 3) uint8, as the network takes them.
    """
    own = first.state_dict()
    first.load_state_dict(
        {
            name: torch.lerp(value, last[name], share) if value.is_floating_point() else value
            for name, value in own.items()
        }
    )
    norms = [module for module in first.modules() if isinstance(module, nn.BatchNorm2d)]
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None
    first.train()
    with torch.no_grad():
        for batch in pictures.split(BATCH):
            first(batch)
    first.eval()


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("first", type=Path, help="model that the training began with: .onnx or .safetensors")
    parser.add_argument("last", type=Path, help="its weights.safetensors")
    parser.add_argument("--recipe", required=True, help="of the training")
    parser.add_argument("--data", type=Path, required=True, help="as for the recipe")
    parser.add_argument("--extra", type=Path, action="append", help="as for the recipe")
    parser.add_argument("--share", type=float, required=True, help="of the last weights, 0 to 1")
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()
    recipe = RECIPES[args.recipe](args.data, **({"extra": args.extra} if args.extra else {}))
    items: Any = recipe.train_data
    numbers = np.random.default_rng(0).permutation(len(items))[:NUM_PICTURES]
    pictures = torch.stack([items[ItemKey(0, int(number))][0] for number in numbers])
    initialise(recipe.model, args.first, pictures[:128])
    blend(recipe.model, load_weights(args.last).state, args.share, pictures)
    save_weights(args.out, recipe.model, recipe.spec)


if __name__ == "__main__":
    main()
