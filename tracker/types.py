"""What flows through the tracker: frozen values, each array with shape, unit and frame of reference."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

FloatArray: TypeAlias = NDArray[np.float32] | NDArray[np.float64]
ImageArray: TypeAlias = NDArray[np.uint8]


@dataclass(frozen=True, slots=True, eq=False)
class Frame:
    """One picture of a video."""

    image: ImageArray
    """(H, W, 3) uint8 RGB, upright (any rotation of the container already applied)."""
    index: int
    """Number of the frame among those the source gave, from 0. A gap shows dropped frames."""
    time_s: float
    """Seconds since the source began: the frame's own timestamp, never index / fps. Strictly increasing."""
    arrived_s: float | None = None
    """time.monotonic() when the picture of a live source was there; None for recordings."""

    @property
    def width(self) -> int:
        return int(self.image.shape[1])

    @property
    def height(self) -> int:
        return int(self.image.shape[0])


@dataclass(frozen=True, slots=True, eq=False)
class FaceBox:
    """A detected face in one frame."""

    xyxy: FloatArray
    """(4,) left, top, right, bottom in frame pixels: a square, brows to chin. Its centre and side are those of the
    landmarks' bounding box (its larger side), taken along the axes of the eyes. May leave the frame."""
    score: float
    """Detector confidence, 0..1."""
    eyes: FloatArray | None = None
    """(2, 2) centres of the eye on the picture's left and on its right, frame pixels; None if the detector has none."""


@dataclass(frozen=True, slots=True, eq=False)
class Roi:
    """The square where the next crop is cut, turned with the face so that the crop is upright."""

    centre: FloatArray
    """(2,) frame pixels."""
    side: float
    """Length of the square's side in frame pixels."""
    angle_rad: float = 0.0
    """Direction of the face's left-to-right axis in the frame; positive is clockwise on the screen (y points down)."""


@dataclass(frozen=True, slots=True)
class Similarity:
    """A turn, a change of size and a shift in the frame: z → factor · z + offset for a point z = x + iy."""

    factor: complex = 1 + 0j
    """Size times exp(i · angle); a positive angle is clockwise on the screen (y points down)."""
    offset: complex = 0j
    """Frame pixels."""


@dataclass(frozen=True, slots=True, eq=False)
class EyeReadings:
    """Both eyes of a face as a network reads them in one frame: the face's own right eye, then its left."""

    iris: FloatArray
    """(2, 2) centres of the irises, frame pixels."""
    radius: FloatArray
    """(2,) of the irises, frame pixels."""
    covariance: FloatArray
    """(2, 2, 2) px², the spread of each centre in the frame's axes."""
    visible: FloatArray
    """(2,) 0..1, probability that the iris can be seen: the lids are open, and nothing covers the eye."""
    openness: FloatArray
    """(2,) 0 shut to 1 wide open."""
    gaze: FloatArray
    """(2, 3) unit vectors along which each eye looks, x right, y down, z away along the line from the camera to the
    eye: (0, 0, -1) looks into the camera."""
    spread_rad: FloatArray
    """(2,) standard deviation of each direction, about either axis."""


@dataclass(frozen=True, slots=True, eq=False)
class Landmarks:
    """The landmarks of one face."""

    points: FloatArray
    """(K, 2) x, y in frame pixels; pixel centres are integers, 0-based."""
    covariance: FloatArray
    """(K, 2, 2) px², the spread of each landmark's heatmap in the frame's axes."""
    score: FloatArray
    """(K,) 0..1, probability that the landmark lies close to its estimate (engines.base.LandmarkBatch.score)."""
    presence: float
    """0..1, probability that there was a face in the crop at all."""
    visibility: FloatArray | None = None
    """(K,) 0..1, probability that the landmark can be seen: there is a face, and nothing covers it there.

    None where the model file or its engine does not give it (engines.base.LandmarkBatch.visibility).
    """
    raw_points: FloatArray | None = None
    """(K, 2) frame pixels, the points as the network gave them; None where `points` are those."""
    similarity: Similarity | None = None
    """What carries the face's mean shape onto the points as the network gave them (tracker.motion.similarity); None
    where the face is not followed."""
    eyes: EyeReadings | None = None
    """Both eyes, read more closely (tracker/eyes); the lids among `points` are then theirs too. None without."""

    @property
    def unsmoothed(self) -> FloatArray:
        """(K, 2) frame pixels, the points as the network gave them."""
        return self.points if self.raw_points is None else self.raw_points

    # for every face and frame: dataclasses.replace takes four times as long
    def smoothed(self, points: FloatArray) -> Landmarks:
        """The same with other points; its own become the raw ones. points: (K, 2) frame pixels."""
        return Landmarks(
            points, self.covariance, self.score, self.presence, self.visibility, self.points, self.similarity, self.eyes
        )

    def placed(self, similarity: Similarity) -> Landmarks:
        """The same with what carries the face's mean shape onto them."""
        return Landmarks(
            self.points, self.covariance, self.score, self.presence, self.visibility, self.raw_points, similarity,
            self.eyes,
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Intrinsics:
    """A pinhole camera without distortion."""

    focal_px: float
    """Focal length in frame pixels, of both axes."""
    centre: tuple[float, float]
    """Principal point, frame pixels."""
    is_guess: bool = False
    """Whether nobody measured it: poses are then found under weak perspective, which needs no focal length."""


@dataclass(frozen=True, slots=True, eq=False)
class HeadModel:
    """A mean head: the 68 landmarks in space, and how far they are trusted in a pose."""

    points: FloatArray
    """(68, 3) x right, y down, z away from the camera as the frontal face is seen, in distances of the outer eye
    corners, origin between them."""
    weights: FloatArray
    """(51,) of landmarks 17-67: 1 over the variance that the mean head leaves, scaled."""


@dataclass(frozen=True, slots=True, eq=False)
class HeadPose:
    """Where a head is and how it is turned (tracker/signals/head_pose.py)."""

    rotation: FloatArray
    """(3, 3) from the head's axes to the camera's, both x right, y down, z away; identity for a face that looks into
    the camera, under perspective along the camera's axis."""
    scale_px: float
    """Frame pixels per distance of the outer eye corners, as if the face looked into the camera."""
    origin: FloatArray
    """(2,) frame pixels, the point between the outer eye corners."""
    camera: Intrinsics
    """The camera that the pose belongs to."""
    position_mm: FloatArray
    """(3,) the point between the outer eye corners in the camera's axes, millimetres: right up to the camera's focal
    length and the size of the head."""
    head: HeadModel
    """The head whose pose it is."""

    @property
    def matrix(self) -> NDArray[np.float64]:
        """(4, 4) from the head's axes to the camera's, millimetres: rotation and position_mm."""
        matrix = np.eye(4)
        matrix[:3, :3], matrix[:3, 3] = self.rotation, self.position_mm
        return matrix

    @property
    def angles_rad(self) -> tuple[float, float, float]:
        """Pitch, yaw, roll: rotation = Rx(pitch) · Ry(yaw) · Rz(roll), as OpenFace has it. Positive: the face looks
        down, to the picture's left, leans to the picture's right."""
        turn = self.rotation
        yaw = math.asin(max(-1.0, min(1.0, float(turn[0, 2]))))
        return math.atan2(-turn[1, 2], turn[2, 2]), yaw, math.atan2(-turn[0, 1], turn[0, 0])


@dataclass(frozen=True, slots=True, eq=False)
class FaceSignals:
    """What follows from the landmarks of one face in one frame."""

    pose: HeadPose
    blendshapes: Mapping[str, float]
    """ARKit's name → 0..1, those that 68 landmarks show (tracker.signals.blendshape_names). Left and right are the
    face's own."""
    values: Mapping[str, float]
    """Name → number, in the order of tracker.signals.VALUES: every sink writes all of them as they are."""

    @property
    def eyes_open(self) -> tuple[float, float]:
        """0 shut to 1 open: the face's own right eye, then its left."""
        return self.values["right_eye_open"], self.values["left_eye_open"]

    @property
    def mouth_open(self) -> float:
        """0 shut to 1 wide open."""
        return self.values["mouth_open"]


@dataclass(frozen=True, slots=True, eq=False)
class Eyes:
    """Irises and gaze of one face in one frame, smoothed: the face's own right eye, then its left."""

    iris: FloatArray
    """(2, 2) centres of the irises, frame pixels."""
    radius: FloatArray
    """(2,) of the irises, frame pixels."""
    covariance: FloatArray
    """(2, 2, 2) px², the spread of each centre in the frame's axes."""
    visible: FloatArray
    """(2,) 0..1, probability that the iris can be seen; where neither can, the gaze is held, then fades to straight
    ahead."""
    openness: FloatArray
    """(2,) 0 shut to 1 wide open."""
    gaze: FloatArray
    """(3,) unit vector along which both eyes look, in the camera's axes: x right, y down, z away."""
    gaze_of_each: FloatArray
    """(2, 3) the same of each eye: they differ where the eyes converge."""
    gaze_in_head: FloatArray
    """(3,) the gaze in the head's axes (HeadPose.rotation leads from there to the camera's); (0, 0, -1) is straight
    ahead."""
    spread_rad: float
    """Standard deviation of the gaze, about either axis."""

    @property
    def angles_rad(self) -> tuple[float, float]:
        """Gaze to the picture's right and downwards, as OpenFace's gaze_angle_x and gaze_angle_y; 0 along the camera's
        axis, towards it."""
        x, y, z = (float(value) for value in self.gaze)
        return math.atan2(x, -z), math.atan2(y, -z)


@dataclass(frozen=True, slots=True, eq=False)
class Track:
    """One face in one frame, with the identity it keeps from frame to frame."""

    id: int
    """Stable number of this face, from 0; never used again after the track's death."""
    landmarks: Landmarks
    """Smoothed landmarks, frame pixels."""
    box: FloatArray
    """(4,) xyxy in frame pixels, the bounding box of the landmarks."""
    roi: Roi
    """The crop that the landmarks were read from."""
    signals: FaceSignals | None = None
    """What follows from the landmarks; None unless asked for (tracker.signals.SignalStage)."""
    is_first: bool = False
    """Whether no frame before this one counts: the face's first, or its first after a loss or a cut."""
    eyes: Eyes | None = None
    """Irises and gaze; None unless asked for, and without signals."""

    def with_landmarks(self, landmarks: Landmarks, box: FloatArray) -> Track:
        """The same face in the same frame with other landmarks and their bounding box."""
        return Track(self.id, landmarks, box, self.roi, self.signals, self.is_first, self.eyes)


@dataclass(frozen=True, slots=True)
class StageLatency:
    """Wall time of each stage for one frame, in milliseconds."""

    detect_ms: float = 0.0
    crop_ms: float = 0.0
    engine_ms: float = 0.0
    smooth_ms: float = 0.0

    @property
    def total_ms(self) -> float:
        return self.detect_ms + self.crop_ms + self.engine_ms + self.smooth_ms


@dataclass(frozen=True, slots=True, eq=False)
class TrackedFrame:
    """A frame with every face that is followed in it."""

    frame: Frame
    tracks: tuple[Track, ...]
    """The faces seen in this frame, by id."""
    latency: StageLatency
