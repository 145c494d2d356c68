"""The contracts of engines: the specification of a model file; crops in, landmarks out; pictures in, faces out."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from startrack.closing import Closing
from startrack.errors import StartrackError

CropArray: TypeAlias = NDArray[np.uint8]
FloatArray: TypeAlias = NDArray[np.float32]

SPEC_KEY = "startrack"
"""Name of the metadata entry that holds the specification inside an ONNX file or a checkpoint."""


class EngineError(StartrackError):
    """A model file cannot be loaded or run; the message names the file, the value and the expected one."""


class UnsuitableError(EngineError):
    """The file may be sound, but this machine lacks a requirement; the model in another kind of file may still run."""


SCORE_RADIUS = 1 / 32
"""The radius, as a share of the crop's side, that a landmark's score speaks of (LandmarkBatch.score)."""


NetworkArgument: TypeAlias = int | float | bool | str | tuple[int | float | bool | str, ...]


@dataclass(frozen=True, slots=True)
class NetworkSpec:
    """Which network a model's weights belong to; nobody but training and export looks at it."""

    architecture: str
    """A key of train.recipes.networks.ARCHITECTURES, e.g. "compact_hourglass"."""
    arguments: Mapping[str, NetworkArgument] = field(default_factory=dict, hash=False)
    """Arguments of its constructor that the rest of the specification does not say: numbers, words, lists of them."""

    def __post_init__(self) -> None:
        if not isinstance(self.architecture, str) or not self.architecture or not isinstance(self.arguments, Mapping):
            raise EngineError(f"network {self.architecture!r}: expected an architecture's name and its arguments")
        plain = {name: _plain(self.architecture, name, value) for name, value in self.arguments.items()}
        object.__setattr__(self, "arguments", plain)

    @classmethod
    def from_fields(cls, fields: object) -> NetworkSpec:
        """What to_json of a specification wrote. Raises EngineError or TypeError for anything else."""
        if not isinstance(fields, dict):
            raise EngineError(f"network {fields!r}: expected an architecture and its arguments")
        return cls(**fields)


def _plain(architecture: str, name: object, value: object) -> NetworkArgument:
    """The argument with lists as tuples, so that it is the same before and after JSON."""
    values = tuple(value) if isinstance(value, list | tuple) else value
    each = values if isinstance(values, tuple) else (values,)
    fits = all(isinstance(one, int | float | str) and one == one and one not in (math.inf, -math.inf) for one in each)
    if not isinstance(name, str) or not fits:
        raise EngineError(f"network {architecture!r}: argument {name!r} is {value!r}; expected numbers or words")
    return values  # type: ignore[return-value]


@dataclass(frozen=True, slots=True)
class ModelSpec:
    """How a landmark model is to be used; travels inside every model file, so nobody types 256 twice."""

    name: str
    """The model's own name, e.g. "compact-300w-slim"."""
    scheme: str
    """Landmark numbering, a name that tracker.schemes.find_scheme knows."""
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
    decoder: Literal["soft_argmax", "stretched_soft_argmax", "argmax", "quarter_offset", "dark"] = "soft_argmax"
    """Decoding of heatmaps to points, a key of engines.decode.DECODERS."""
    presence: bool = True
    """Whether the model separates faces from background; otherwise presence is always 1."""
    network: NetworkSpec | None = None
    """None in files that were written before it was: train.recipes.networks knows those by the model's name."""

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
        return _to_json(self)

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
            return cls(**_with_network(fields, source))
        except (TypeError, ValueError) as error:
            raise EngineError(f"{source}: not a startrack model specification: {error}") from error


@dataclass(frozen=True, slots=True)
class DetectorSpec:
    """How a face detector is to be used; travels inside its model file as ModelSpec does in a landmark model's."""

    name: str
    """The model's own name, e.g. "face-detector"."""
    strides: tuple[int, ...]
    """Picture pixels per cell of each map, ascending; the sides of a picture are multiples of the last."""
    input_size: int
    """Longer side in pixels that a frame is shrunk to unless the user asks for another."""
    smallest_face: int
    """Side in pixels of the picture, brows to chin, of the smallest faces it was trained to find."""
    min_score: float
    """Detections below are dropped unless the user asks otherwise, 0..1."""
    max_overlap: float
    """Of two detections with a larger intersection over union the weaker one is dropped."""
    colour_order: Literal["rgb", "bgr"] = "rgb"
    """Channel order of the pictures that the engine is given."""
    kind: Literal["face_detector"] = "face_detector"
    """The mark that distinguishes it from a ModelSpec."""
    network: NetworkSpec | None = None
    """As ModelSpec.network."""

    def __post_init__(self) -> None:
        if not self.strides or list(self.strides) != sorted(set(self.strides)) or self.strides[0] <= 0:
            raise EngineError(f"{self.name}: strides are {self.strides}; expected ascending positive numbers")
        if self.input_size <= 0 or self.input_size % self.strides[-1]:
            raise EngineError(
                f"{self.name}: input size {self.input_size} is not a positive multiple of {self.strides[-1]}"
            )
        if not (0 <= self.min_score <= 1 and 0 < self.max_overlap <= 1 and self.kind == "face_detector"):
            raise EngineError(f"{self.name}: not a face detector's thresholds and kind: {self}")

    def to_json(self) -> str:
        """One line of JSON; the inverse of from_json."""
        return _to_json(self)

    @classmethod
    def from_json(cls, text: str, source: str) -> DetectorSpec:
        """Read a spec found in `source` (a file's name, for the message). Raises EngineError if it is not one."""
        try:
            fields: dict[str, Any] = json.loads(text)
            return cls(
                **_with_network(fields, source) | {"strides": tuple(int(stride) for stride in fields["strides"])}
            )
        except (TypeError, ValueError, KeyError) as error:
            raise EngineError(f"{source}: not a startrack detector specification: {error!r}") from error


def _to_json(spec: ModelSpec | DetectorSpec) -> str:
    fields = asdict(spec)
    if spec.network is None:
        del fields["network"]
    return json.dumps(fields, sort_keys=True)


def _with_network(fields: dict[str, Any], source: str) -> dict[str, Any]:
    """The fields of a specification as JSON gives them, their network as a NetworkSpec."""
    if "network" not in fields:
        return fields
    try:
        return fields | {"network": NetworkSpec.from_fields(fields["network"])}
    except EngineError as error:
        raise EngineError(f"{source}: {error}") from error


def parse_spec(text: str, source: str) -> ModelSpec | DetectorSpec:
    """The specification of either kind of model. Raises EngineError as their from_json do."""
    try:
        is_detector = json.loads(text).get("kind") == "face_detector"
    except (AttributeError, ValueError) as error:
        raise EngineError(f"{source}: not a startrack model specification: {error}") from error
    return DetectorSpec.from_json(text, source) if is_detector else ModelSpec.from_json(text, source)


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
    visibility: FloatArray | None = None
    """(B, K) 0..1: presence times the chance that nothing covers the landmark; None from files that were not calibrated
    (startrack calibrate) and from engines that do without."""


class Engine(Closing, Protocol):
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


def check_crops(spec: ModelSpec, crops: CropArray) -> None:
    """Raise EngineError unless crops is a (B, S, S, 3) uint8 array of the size the model takes."""
    size = spec.input_size
    if crops.dtype != np.uint8 or crops.ndim != 4 or crops.shape[1:] != (size, size, 3):
        raise EngineError(f"{spec.name}: crops are {crops.dtype} {crops.shape}, expected uint8 (B, {size}, {size}, 3)")


@dataclass(frozen=True, slots=True, eq=False)
class DetectionBatch:
    """A detector's output for B pictures, cell by cell (N of them), before overlapping faces are separated."""

    scores: FloatArray
    """(B, N) 0..1."""
    squares: FloatArray
    """(B, N, 3) centre x, y and side of the face's square (tracker.types.FaceBox), picture pixels."""
    eyes: FloatArray
    """(B, N, 2, 2) the face's own right eye, then its left, x, y in picture pixels."""


class DetectorEngine(Closing, Protocol):
    """Runs one face detection network on some hardware."""

    @property
    def spec(self) -> DetectorSpec: ...

    def __call__(self, pictures: CropArray) -> DetectionBatch:
        """Everything that may be a face.

        pictures: (B, H, W, 3) uint8 in spec.colour_order, H and W multiples of the largest stride; black is nothing.
        Raises EngineError on another shape or type, and when the runtime fails.
        """
        ...

    def close(self) -> None:
        """Free the model; the engine cannot be used afterwards."""
        ...


def check_pictures(spec: DetectorSpec, pictures: CropArray) -> None:
    """Raise EngineError unless pictures is a (B, H, W, 3) uint8 array of sides that the detector takes."""
    step, shape = spec.strides[-1], pictures.shape
    fits = len(shape) == 4 and shape[3] == 3 and 0 not in shape and shape[1] % step == shape[2] % step == 0
    if pictures.dtype != np.uint8 or not fits:
        raise EngineError(
            f"{spec.name}: pictures are {pictures.dtype} {shape}, expected uint8 (B, H, W, 3), multiples of {step}"
        )
