"""An 8-bit model of the zoo → float weights that a training can begin with, where no float twin was kept.

Kernels become what their integers stand for; nothing brings back what the rounding took, a training does. The export
multiplied two convolutions where a stack's head is mapped back (engines/graphs/merge.py): the head is fitted to say of
the first stack's features what the last head says of the last stack's, on rendered faces, and the mapping follows from
the product. It prints how far the points of both networks are from each other.

    python -m benchmarks.shipping.widen eyes --data faces --out begun.safetensors
    startrack train --recipe eyes --init begun.safetensors …
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from onnx import numpy_helper
from torch import Tensor, nn

from startrack.engines import load_engine, load_eyes
from startrack.engines.base import EyeSpec, ModelSpec
from startrack.engines.zoo import EYES, FREE, MODELS, zoo_path
from startrack.tracker.eyes.crop import cut_eyes, eye_rois
from startrack.train.evaluation.face_crops import cut_faces
from startrack.train.models.compact_hourglass import CompactHourglass
from startrack.train.models.landmark_head import SoftmaxLandmarks
from startrack.train.recipes.compact import compact_network
from startrack.train.recipes.eyes import eye_network
from startrack.train.sets import rendered
from startrack.train.sets.sample import Sample
from startrack.train.weights.checkpoint import save_weights
from startrack.train.weights.unfold import PREFIX, unfolded

Arrays = dict[str, NDArray[np.generic]]
Numbers = NDArray[np.float64]
PIXELS = "quantise.pixels"
"""Before the names of the first convolution's numbers in an 8-bit file."""
NUM_FACES = 64


class Narrow:
    """The numbers of an 8-bit file."""

    def __init__(self, path: Path) -> None:
        self.arrays: Arrays = {one.name: numpy_helper.to_array(one) for one in onnx.load(path).graph.initializer}

    def get(self, name: str) -> Numbers | None:
        """An array by its name in the float file, as 8-bit integers, float16 or float32."""
        if f"{name}_quantized" in self.arrays:
            whole = self.arrays[f"{name}_quantized"].astype(np.float64)
            scale, zero = (self._of(name, kind) for kind in ("scale", "zero_point"))
            shape = (-1,) + (1,) * (whole.ndim - 1) if scale.size > 1 else ()
            return (whole - zero.reshape(shape)) * scale.reshape(shape)
        for found in (name, f"{name}.half"):
            if found in self.arrays:
                return self.arrays[found].astype(np.float64)
        return None

    def _of(self, name: str, kind: str) -> Numbers:
        plain = self.arrays.get(f"{name}_{kind}")
        return (self.arrays[f"{name}_quantized_{kind}"] if plain is None else plain).astype(np.float64)

    def need(self, name: str) -> Numbers:
        found = self.get(name)
        if found is None:
            raise SystemExit(f"{name}: not in the file")
        return found


def layers_in_order(network: nn.Module, crops: Tensor) -> list[tuple[str, nn.Module]]:
    """Convolutions and linear layers by name, in the order in which they run: the export numbers them so."""
    names = {module: name for name, module in network.named_modules()}
    ran: list[tuple[str, nn.Module]] = []
    hooks = [
        module.register_forward_hook(lambda module, *_: ran.append((names[module], module)))
        for module in names
        if isinstance(module, nn.Conv2d | nn.Linear)
    ]
    with torch.no_grad():
        network.eval()(crops)
    for hook in hooks:
        hook.remove()
    return ran


def first_layer(file: Narrow) -> tuple[Numbers, Numbers]:
    """Kernel and bias of the first convolution, for pixels less 127.5 over 127.5: the file's are for whole pixels."""
    kernel, bias = file.need(f"{PIXELS}.kernel"), file.need(f"{PIXELS}.bias")
    zero = float(file.arrays[f"{PIXELS}_zero_point"])
    return kernel * 127.5, bias - kernel.sum(axis=(1, 2, 3)) * (zero - 127.5)


def widen(file: Narrow, network: nn.Module, crops: Tensor) -> None:
    """Load the file's numbers into the network, in place. crops: (N, H, W, 3) uint8 of faces."""
    state: dict[str, Tensor] = {}
    product: tuple[Numbers, Numbers] | None = None
    for number, (name, layer) in enumerate(layers_in_order(network, crops[:1])):
        assert isinstance(layer.weight, Tensor)
        if number == 0:
            kernel, bias = first_layer(file)
        else:
            found, flat = file.get(f"{PREFIX}{name}.weight"), file.get(f"conv2d_{number}.kernel")
            merged = file.get(f"conv2d_{number}.merged_bias")
            if merged is not None and flat is not None:
                product = flat.T, merged
                continue
            if found is None and flat is None:
                continue  # the first of two that were multiplied
            kernel = found if flat is None else flat.T  # type: ignore[assignment]
            bias = file.need(f"{PREFIX}{name}.bias")
        state[f"{name}.weight"] = torch.from_numpy(kernel.reshape(tuple(layer.weight.shape))).float()
        state[f"{name}.bias"] = torch.from_numpy(bias).float()
    if "network.offset" in file.arrays:
        state["offset"] = torch.from_numpy(file.arrays["network.offset"].copy())
    if product is None:
        network.load_state_dict(unfolded(network, state))
        return
    assert isinstance(network, CompactHourglass)
    head = {name: state[f"heads.1.{name}"] for name in ("weight", "bias")}
    for _ in range(2):  # first any head, then the fitted one, whose features need the mapping
        state |= {f"heads.0.{name}": value for name, value in head.items()} | mapped_back(*product, head)
        network.load_state_dict(unfolded(network, dict(state)))
        head = fitted_head(network, crops)


def mapped_back(kernel: Numbers, bias: Numbers, head: dict[str, Tensor]) -> dict[str, Tensor]:
    """The mapping of the first head's maps that gives the product of both."""
    first, offset = (head[name].double().flatten(1 if name == "weight" else 0) for name in ("weight", "bias"))
    mapping = torch.from_numpy(kernel) @ torch.linalg.pinv(first, rtol=1e-4)
    return {
        "merges.0.weight": mapping.float()[..., None, None],
        "merges.0.bias": (torch.from_numpy(bias) - mapping @ offset).float(),
    }


def fitted_head(network: CompactHourglass, crops: Tensor) -> dict[str, Tensor]:
    """Weights of the first head that say of its features what the last head says of its own, most of all at peaks."""
    seen: dict[str, Tensor] = {}
    heads = network.heads
    hooks = [
        heads[0].register_forward_hook(lambda _, inputs, __: seen.update(features=inputs[0])),
        heads[1].register_forward_hook(lambda _, __, maps: seen.update(maps=maps)),
    ]
    with torch.no_grad():
        network.eval()(crops)
    for hook in hooks:
        hook.remove()
    features, maps = (seen[name].double().movedim(1, -1).flatten(0, 2) for name in ("features", "maps"))
    peaks = seen["maps"].double().flatten(2).softmax(-1).amax(1).flatten()
    known = torch.cat([features, torch.ones(len(features), 1, dtype=torch.float64)], dim=1)
    weighed = (known * (30 * peaks + 0.05)[:, None]).T
    ridge = 1e-3 * torch.eye(known.shape[1], dtype=torch.float64)
    solved = torch.linalg.solve(weighed @ known + ridge, weighed @ maps)
    return {"weight": solved[:-1].T.float()[..., None, None], "bias": solved[-1].float()}


def widened_eyes(path: Path, faces: Sequence[Sample]) -> tuple[nn.Module, EyeSpec, Numbers]:
    """The network, its specification, and (N,) crop pixels from each lid landmark of the file's to the network's."""
    with load_eyes(path) as engine:
        cuts = [cut_eyes(engine.spec, face.read_image(), eye_rois(engine.spec, face.landmarks)) for face in faces]
        crops = np.concatenate([cut.crops for cut in cuts])
        network, _ = eye_network(engine.spec)
        widen(Narrow(path), network, torch.from_numpy(crops))
        with torch.no_grad():
            lids = network.eval()(torch.from_numpy(crops)).points[:, :-1].numpy()
        return network, engine.spec, np.linalg.norm(lids - engine(crops).lids, axis=-1).ravel()


def widened_landmarks(path: Path, faces: Sequence[Sample]) -> tuple[nn.Module, ModelSpec, Numbers]:
    """The same for landmarks of faces."""
    with load_engine(path, "cpu") as engine:
        crops, _ = cut_faces(faces, engine.spec)
        network, _ = compact_network(engine.spec)
        widen(Narrow(path), network, torch.from_numpy(crops))
        with torch.no_grad():
            points = SoftmaxLandmarks(network, engine.spec).eval()(torch.from_numpy(crops)).points.numpy()
        return network, engine.spec, np.linalg.norm(points - engine(crops).points, axis=-1).ravel()


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("name", choices=[*EYES.values(), MODELS[FREE]], help="of a model of the zoo")
    parser.add_argument("--data", type=Path, required=True, help="folder that startrack render made")
    parser.add_argument("--out", type=Path, required=True, help=".safetensors")
    args = parser.parse_args()
    widened = widened_eyes if args.name in EYES.values() else widened_landmarks
    network, spec, away = widened(zoo_path(args.name), rendered.load(args.data, "all")[:NUM_FACES])
    save_weights(args.out, network, spec)
    print(f"{args.name}: points of both {away.mean():.2f} crop pixels apart; written: {args.out}")


if __name__ == "__main__":
    main()
