"""Results of videos as files, so that an interrupted evaluation goes on where it was."""

from __future__ import annotations

import hashlib
import json
import tokenize
import zipfile
import zlib
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from startrack.outside import check_unpacked, parse_json
from startrack.tracker.metrics.stability import Stability
from startrack.tracker.sinks.base import SinkError
from startrack.train.sets.ibug_300vw import AnnotatedVideo
from startrack.train.video_evaluation.measures import MEASURES
from startrack.train.video_evaluation.results import CausalFigures, Seconds, VideoResult, WorstFrame, measure_name
from startrack.whole_file import whole_file

VERSION = 2
"""Goes up when results of the same settings come out different."""


LARGEST_RESULT = 1 << 28
"""Bytes of a video's arrays and worst pictures."""
DAMAGED = (
    OSError, ValueError, LookupError, TypeError, AttributeError, EOFError, OverflowError, MemoryError, RuntimeError,
    zipfile.BadZipFile, zlib.error, tokenize.TokenError,
)  # fmt: skip
"""Errors of a damaged .npz file."""


@dataclass(frozen=True, slots=True)
class Store:
    """A folder with a file per video."""

    folder: Path
    settings: str
    """What made the results, models' hashes among it: a result counts only for the same."""

    def fingerprint(self, video: AnnotatedVideo) -> str:
        """Of the settings, the video's file (size and time of change) and its annotation."""
        status = video.path.stat()
        facts = f"{VERSION} {self.settings} {video.id} {status.st_size} {status.st_mtime_ns}".encode()
        arrays = [np.ascontiguousarray(array).tobytes() for array in (video.numbers, video.scored, video.landmarks)]
        return hashlib.sha256(b"\0".join([facts, *arrays])).hexdigest()

    def read(self, video: AnnotatedVideo) -> VideoResult | None:
        """None if there is no result of this video with these settings, or its file is damaged."""
        try:
            check_unpacked(self._path(video.id), LARGEST_RESULT)
            with open(self._path(video.id), "rb") as file, np.load(file, allow_pickle=False) as data:
                facts: dict[str, Any] = parse_json(str(data["facts"]))
                if facts["fingerprint"] != self.fingerprint(video):
                    return None
                errors = {each: data[measure_name(each)] for each in MEASURES}
                if any(one.shape != (len(video.numbers),) or one.dtype.kind != "f" for one in errors.values()):
                    return None
                return VideoResult(
                    id=video.id,
                    numbers=video.numbers,
                    scored=video.scored,
                    errors=errors,
                    stability=Stability(**facts["stability"]),
                    seconds=Seconds(**facts["seconds"]),
                    decoded=facts["decoded"],
                    worst=tuple(
                        WorstFrame(number, nme, data[f"worst{rank}"].tobytes())
                        for rank, (number, nme) in enumerate(facts["worst"])
                    ),
                    note=facts["note"],
                    causal=_causal(facts["causal"]),
                )
        except DAMAGED:
            return None

    def write(self, video: AnnotatedVideo, result: VideoResult) -> None:
        """Raises SinkError where it cannot be written."""
        facts = {
            "fingerprint": self.fingerprint(video),
            "stability": asdict(result.stability),
            "seconds": asdict(result.seconds),
            "decoded": result.decoded,
            "worst": [(each.number, each.nme) for each in result.worst],
            "note": result.note,
            "causal": None if result.causal is None else asdict(result.causal),
        }
        arrays: dict[str, Any] = {measure_name(each): result.errors[each] for each in MEASURES}
        arrays |= {f"worst{rank}": np.frombuffer(each.jpeg, np.uint8) for rank, each in enumerate(result.worst)}
        path = self._path(video.id)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with whole_file(path) as partial, partial.open("wb") as file:
                np.savez_compressed(file, facts=np.array(json.dumps(facts)), **arrays)
        except OSError as error:
            raise SinkError(f"{path}: cannot be written: {error.strerror}") from error

    def _path(self, video_id: str) -> Path:
        return self.folder / f"{video_id}.npz"


def _causal(facts: dict[str, Any] | None) -> CausalFigures | None:
    return None if facts is None else CausalFigures(facts["nme_percent"], Stability(**facts["stability"]))
