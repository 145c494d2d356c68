"""The shipped model files: each NAME.onnx has its NAME.json (specification, sha256), its card NAME.md and its
NAME.provenance.json (engines/zoo/provenance.py)."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Literal, TypeAlias

Licence: TypeAlias = Literal["research", "free"]
"""Permitted use of a run's models: "research" is non-commercial research only, "free" is any use."""
SIZES = {"s": "compact-300w-small", "m": "compact-300w-slim", "l": "compact-300w-large"}
"""Size of a landmark model → its name: the larger, the more accurate and the slower."""
FREE = "free"
"""The landmark model that is free for any use, by this name, too."""
MODELS = SIZES | {FREE: "free"}
"""Name on the command line of a landmark model → its own."""
DEFAULT_SIZE = "m"
"""Which is used when the user names none."""
DEFAULT_DETECTOR = "face-detector"
"""Likewise the face detector."""
DETECTORS: dict[Licence, str] = {"research": DEFAULT_DETECTOR, "free": "free-detector"}
EYES: dict[Licence, str] = {"research": "eyes", "free": "free-eyes"}
"""The model of single eyes of each licence."""
EYES_BY_DEFAULT = False
"""Whether eyes are read where nobody says whether, and their model is shipped."""
DEFAULT_LANDMARKS = SIZES[DEFAULT_SIZE]


def zoo_path(name: str) -> Path:
    """Where the shipped model of this name lies; the file may be missing in a source tree without models."""
    return Path(__file__).parent / f"{name}.onnx"


def zoo_models() -> list[Path]:
    """All shipped model files, by name."""
    return sorted(Path(__file__).parent.glob("*.onnx"))


def shipped_sizes() -> dict[str, str]:
    """Those of SIZES whose file is there."""
    return {size: name for size, name in SIZES.items() if zoo_path(name).is_file()}


def licence_for(model: str | None, licence: Licence | None) -> Licence:
    """The licence of a run with this landmark model, one of MODELS or None for the default one: with FREE always
    "free". Raises EngineError if the model is not that free."""
    if licence == "free" and model in SIZES:
        from startrack.engines.base import EngineError

        raise EngineError(f"model {model!r} is for non-commercial research only; expected {FREE!r} of licence 'free'")
    return "free" if model == FREE else licence or "research"


def landmarks_path(model: str | None = None, licence: Licence | None = None) -> Path:
    """The shipped landmark model of that name, one of MODELS, or the default one of a licence. Raises EngineError if
    there is none, and for a free model that does not prove to be free."""
    chosen = model or (FREE if licence == "free" else DEFAULT_SIZE)
    if licence_for(chosen, licence) == "free":
        return _free(MODELS[chosen])
    shipped = shipped_sizes()
    if chosen not in shipped:
        from startrack.engines.base import EngineError

        raise EngineError(f"no landmark model of size {chosen!r} is shipped; expected {' or '.join(shipped)}")
    return zoo_path(shipped[chosen])


def detector_path(licence: Licence = "research") -> Path:
    """The shipped face detector of a licence. Raises EngineError as landmarks_path does."""
    return _free(DETECTORS["free"]) if licence == "free" else zoo_path(DEFAULT_DETECTOR)


def eyes_path(licence: Licence = "research") -> Path:
    """The shipped eye model of a licence. Raises EngineError if there is none, and as landmarks_path does."""
    if licence == "free":
        return _free(EYES["free"])
    path = zoo_path(EYES[licence])
    if not path.is_file():
        from startrack.engines.base import EngineError

        raise EngineError(f"no eye model in this installation: expected {path}")
    return path


def refuse_research(model: Path) -> None:
    """Raise EngineError if a model file is known to be for research only, or its provenance is at fault. A file without
    a provenance is the user's own."""
    from startrack.engines.base import EngineError
    from startrack.engines.zoo.provenance import licence_of

    if licence_of(model) == "research" or (model.parent == Path(__file__).parent and licence_of(model) is None):
        raise EngineError(f"{model.name} is for non-commercial research only; expected a model of licence 'free'")


def _free(name: str) -> Path:
    from startrack.engines.base import EngineError

    path = zoo_path(name)
    if not path.is_file():
        raise EngineError(f"no free model in this installation: expected {path}")
    refuse_research(path)
    return path


def wanted_eyes(
    wanted: bool | None, licence: Licence, scheme: str, *, has_lids: bool, report: Callable[[str], None]
) -> Path | None:
    """The shipped model of eyes where it is to be used, else None. wanted: None: by default. scheme: of the landmarks;
    has_lids: whether it has iBUG's. report: takes the line that says why eyes that are wanted are not read.

    Raises EngineError as eyes_path does.
    """
    if not (EYES_BY_DEFAULT and zoo_path(EYES[licence]).is_file() if wanted is None else wanted):
        return None
    if has_lids:
        return eyes_path(licence)
    if wanted:
        report(f"eyes are not read: the model gives {scheme} landmarks; expected ibug_68 or wflw_98")
    return None


def float_name(name: str) -> str:
    """Name of the same model before it was quantised (engines.graphs.quantise): NAME-float, or NAME where none is
    shipped."""
    return f"{name}-float" if zoo_path(f"{name}-float").is_file() else name


FLOAT_LANDMARKS = float_name(DEFAULT_LANDMARKS)
"""The default model in float32: what half precision, TensorRT and another quantisation start from."""
