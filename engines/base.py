"""The contracts of engines: the specification of a model file; crops in, landmarks out; pictures in, faces out."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal, Protocol, TypeAlias, TypeVar

import numpy as np
from numpy.typing import NDArray

from startrack.closing import Closing
from startrack.engines.spec_fields import (
    DETECTOR_RULES,
    EYE_RULES,
    LANDMARK_RULES,
    Rule,
    any_number,
    unfit,
    unfit_names,
    words,
)
from startrack.errors import StartrackError
from startrack.outside import parse_json, reason, shown

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


MOST_ARGUMENTS = 64
"""Of a network, and values in one of them."""


@dataclass(frozen=True, slots=True)
class NetworkSpec:
    """Which network a model's weights belong to; nobody but training and export looks at it."""

    architecture: str
    """A key of train.recipes.networks.ARCHITECTURES, e.g. "compact_hourglass"."""
    arguments: Mapping[str, NetworkArgument] = field(default_factory=dict, hash=False)
    """Arguments of its constructor that the rest of the specification does not say: numbers, words, lists of them."""

    def __post_init__(self) -> None:
        if not self.architecture or not words().fits(self.architecture) or not isinstance(self.arguments, Mapping):
            raise EngineError(f"network {shown(self.architecture)}: expected an architecture's name and its arguments")
        if len(self.arguments) > MOST_ARGUMENTS:
            raise EngineError(f"network {self.architecture!r}: {len(self.arguments)} arguments; expected a few")
        plain = {name: _plain(self.architecture, name, value) for name, value in self.arguments.items()}
        object.__setattr__(self, "arguments", plain)

    @classmethod
    def from_fields(cls, fields: object) -> NetworkSpec:
        """What to_json of a specification wrote. Raises EngineError for anything else."""
        if (problem := unfit_names(cls, fields)) is not None:
            raise EngineError(f"network: {problem}")
        return cls(**fields)  # type: ignore[arg-type]


def _plain(architecture: str, name: object, value: object) -> NetworkArgument:
    """The argument with lists as tuples, so that it is the same before and after JSON."""
    values = tuple(value) if isinstance(value, list | tuple) else value
    each = values if isinstance(values, tuple) else (values,)
    fits = len(each) <= MOST_ARGUMENTS and all(
        isinstance(one, bool) or words().fits(one) or any_number().fits(one) for one in each
    )
    if not words().fits(name) or not fits:
        raise EngineError(
            f"network {shown(architecture)}: argument {shown(name)} is {shown(value)}; expected numbers or words"
        )
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
        _check(self, LANDMARK_RULES)
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
        return _from_json(cls, text, source)


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
        _check(self, DETECTOR_RULES)
        if self.input_size % self.strides[-1]:
            raise EngineError(f"{self.name}: input size {self.input_size} is not a multiple of {self.strides[-1]}")

    def to_json(self) -> str:
        """One line of JSON; the inverse of from_json."""
        return _to_json(self)

    @classmethod
    def from_json(cls, text: str, source: str) -> DetectorSpec:
        """Read a spec found in `source` (a file's name, for the message). Raises EngineError if it is not one."""
        return _from_json(cls, text, source)


@dataclass(frozen=True, slots=True)
class EyeSpec:
    """How a model of single eyes is to be used; travels inside its model file as ModelSpec does."""

    name: str
    """The model's own name, e.g. "eyes"."""
    input_width: int
    """Width of an eye's crop in pixels."""
    input_height: int
    crop_scale: float
    """Width of the crop over the distance of the eye's corners."""
    least_corners: float
    """Share of the face's eye distance that the corners' distance counts as where it is less: a turned head's eye."""
    lid_bias: tuple[float, ...] = ()
    """12 numbers, x y of each of the lids' landmarks, crop pixels, or none: where the annotators of a markup set them
    against the places that the model gives, to the picture's right. In a mirrored crop they have the other sign."""
    kind: Literal["eyes"] = "eyes"
    """The mark that distinguishes it from a ModelSpec."""
    network: NetworkSpec | None = None
    """As ModelSpec.network."""

    def __post_init__(self) -> None:
        _check(self, EYE_RULES)

    def to_json(self) -> str:
        """One line of JSON; the inverse of from_json."""
        return _to_json(self)

    @classmethod
    def from_json(cls, text: str, source: str) -> EyeSpec:
        """Read a spec found in `source` (a file's name, for the message). Raises EngineError if it is not one."""
        return _from_json(cls, text, source)


AnySpec: TypeAlias = ModelSpec | DetectorSpec | EyeSpec


def _to_json(spec: AnySpec) -> str:
    fields = asdict(spec)
    if spec.network is None:
        del fields["network"]
    return json.dumps(fields, sort_keys=True)


Spec = TypeVar("Spec", "ModelSpec", "DetectorSpec", "EyeSpec")

NOUNS: Mapping[type, str] = {ModelSpec: "model", DetectorSpec: "detector", EyeSpec: "eye model"}


def _check(spec: AnySpec, rules: Mapping[str, Rule]) -> None:
    """Raise EngineError if a field has a value that it may not have."""
    if (problem := unfit(spec, rules)) is not None:
        raise EngineError(f"{shown(spec.name)}: not a model specification: {problem}")
    if not isinstance(spec.network, NetworkSpec | None):
        raise EngineError(f"{spec.name}: network is {shown(spec.network)}; expected an architecture and its arguments")


def _from_json(kind: type[Spec], text: str, source: str) -> Spec:
    what = f"{source}: not a startrack {NOUNS[kind]} specification"
    try:
        found = parse_json(text)
    except ValueError as error:
        raise EngineError(f"{what}: {reason(error)}") from error
    if (problem := unfit_names(kind, found)) is not None:
        raise EngineError(f"{what}: {problem}")
    values: dict[str, Any] = {name: tuple(value) if isinstance(value, list) else value for name, value in found.items()}
    try:
        if "network" in values:
            values["network"] = NetworkSpec.from_fields(values["network"])
        return kind(**values)
    except EngineError as error:
        raise EngineError(f"{what}: {error}") from error


def parse_spec(text: str, source: str) -> AnySpec:
    """The specification of any kind of model. Raises EngineError as their from_json do."""
    try:
        found = parse_json(text)
    except ValueError as error:
        raise EngineError(f"{source}: not a startrack model specification: {reason(error)}") from error
    kind = found.get("kind") if isinstance(found, dict) else None
    if kind == "eyes":
        return EyeSpec.from_json(text, source)
    return DetectorSpec.from_json(text, source) if kind == "face_detector" else ModelSpec.from_json(text, source)


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
