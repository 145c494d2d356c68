"""The contract of every engine: what a model file says about itself, and crops in, landmarks out."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from types import TracebackType
from typing import Any, Literal, Protocol, Self, TypeAlias

import numpy as np
from numpy.typing import NDArray

CropArray: TypeAlias = NDArray[np.uint8]
FloatArray: TypeAlias = NDArray[np.float32]

SPEC_KEY = "startrack"
"""Name of the metadata entry that holds the ModelSpec inside an ONNX file or a checkpoint."""


class EngineError(Exception):
    """A model file cannot be loaded or run; the message names the file, the value and what was expected."""


@dataclass(frozen=True, slots=True)
class ModelSpec:
    """How a landmark model is to be used; travels inside every model file, so nobody types 256 twice."""

    name: str
    """The model's own name, e.g. "compact-300w"."""
    scheme: str
    """Landmark numbering, a key of tracker.schemes.SCHEMES."""
    num_landmarks: int
    input_size: int
    """Side of the square crop in pixels."""
    heatmap_size: int
    """Side of the square heatmap in cells; stride = input_size / heatmap_size."""
    crop_scale: float
    """Side of the crop square over the larger side of the landmarks' bounding box."""
    mean: tuple[float, float, float] = (127.5, 127.5, 127.5)
    """Normalisation per channel, (value - mean) / std; part of the graph, stated for readers."""
    std: tuple[float, float, float] = (127.5, 127.5, 127.5)
    colour_order: Literal["rgb", "bgr"] = "rgb"
    """Channel order of the crops that the engine is given."""
    decoder: Literal["soft_argmax", "argmax", "dark"] = "soft_argmax"
    """Decoding of heatmaps to points, a key of tracker.decode.DECODERS."""
    presence: bool = True
    """Whether the model tells faces from background; otherwise presence is always 1."""

    def __post_init__(self) -> None:
        if self.input_size <= 0 or self.heatmap_size <= 0 or self.num_landmarks <= 0:
            raise EngineError(f"{self.name}: sizes in a model spec must be positive, found {self}")
        if self.input_size % self.heatmap_size:
            raise EngineError(
                f"{self.name}: input size {self.input_size} is not a multiple of heatmap size {self.heatmap_size}"
            )

    @property
    def stride(self) -> int:
        """Crop pixels per heatmap cell."""
        return self.input_size // self.heatmap_size

    def to_json(self) -> str:
        """One line of JSON; the inverse of from_json."""
        return json.dumps(asdict(self), sort_keys=True)

    @classmethod
    def from_json(cls, text: str, source: str) -> ModelSpec:
        """Read a spec found in `source` (a file's name, for the message). Raises EngineError if it is not one."""
        try:
            fields: dict[str, Any] = json.loads(text)
            for key in ("mean", "std"):
                if key in fields:
                    values = tuple(float(value) for value in fields[key])
                    if len(values) != 3:
                        raise ValueError(f"{key} has {len(values)} values, expected 3")
                    fields[key] = values
            return cls(**fields)
        except (TypeError, ValueError) as error:
            raise EngineError(f"{source}: not a startrack model specification: {error}") from error


@dataclass(frozen=True, slots=True, eq=False)
class LandmarkBatch:
    """Landmarks of B crops, in crop pixels (pixel centres are integers)."""

    points: FloatArray
    """(B, K, 2) x, y in crop pixels."""
    covariance: FloatArray
    """(B, K, 2, 2) px² of the crop, symmetric: the spread of the heatmap."""
    score: FloatArray
    """(B, K) 0..1: presence times the chance that the landmark lies within 1/32 of the crop's side of its estimate."""
    presence: FloatArray
    """(B,) 0..1, probability that the crop shows a face."""
    heatmaps: FloatArray | None = None
    """(B, K, h, w), non-negative; only on request."""


class Engine(Protocol):
    """Runs one landmark model on some hardware (httpx's transports are the pattern: one method and close)."""

    @property
    def spec(self) -> ModelSpec: ...

    def __call__(self, crops: CropArray, *, heatmaps: bool = False) -> LandmarkBatch:
        """Landmarks of a batch.

        crops: (B, S, S, 3) uint8 in spec.colour_order, S = spec.input_size; B may be 0.
        Raises EngineError on another shape or type, and when the runtime fails.
        """
        ...

    def close(self) -> None:
        """Free the model; the engine cannot be used afterwards."""
        ...

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


def check_crops(spec: ModelSpec, crops: CropArray) -> None:
    """Raise EngineError unless crops is a (B, S, S, 3) uint8 array of the size the model takes."""
    size = spec.input_size
    if crops.dtype != np.uint8 or crops.ndim != 4 or crops.shape[1:] != (size, size, 3):
        raise EngineError(f"{spec.name}: crops are {crops.dtype} {crops.shape}, expected uint8 (B, {size}, {size}, 3)")
