"""MATLAB's .mat files up to version 7, read in a process of its own: a damaged one can crash scipy's reader.

python -m startrack.train.sets.matlab.mat_file FILE    # writes its content to the standard output as JSON
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from startrack.errors import install_line
from startrack.outside import one_line, parse_json, reason
from startrack.train.sets.sample import DatasetError

MOST_SECONDS = 300
MOST_MEMORY = 8 << 30
"""Bytes of the process's addresses; MPII's 12 MB unfold to 2 GB of objects."""
LARGEST = 1 << 29
"""Bytes of the file."""
MOST_VALUES = 50_000_000
"""In all of its arrays."""
NO_SCIPY = 9
"""Exit code of the process."""


def read_mat(path: Path) -> dict[str, Any]:
    """Variables by their names, as JSON has them: structs are objects, arrays lists (of one value: the value).

    Raises DatasetError if the file cannot be read, and if the process ends in another way.
    """
    if not path.is_file() or path.stat().st_size > LARGEST:
        raise DatasetError(f"{path}: not a .mat file that can be read; expected one of up to {LARGEST} bytes")
    command = [sys.executable, "-m", __name__, str(path)]
    try:
        ended = subprocess.run(command, capture_output=True, timeout=MOST_SECONDS, check=False, env=_environment())
    except subprocess.TimeoutExpired as error:
        raise DatasetError(f"{path}: not read within {MOST_SECONDS} s; expected a .mat file as published") from error
    if ended.returncode == NO_SCIPY:
        raise DatasetError(f"{path}: reading it needs scipy: {install_line('body')}")
    said = ended.stderr.decode("utf-8", "replace").strip().splitlines()
    if ended.returncode:
        why = one_line(said[-1], longest=200) if said else f"its reader ended with {ended.returncode}"
        raise DatasetError(f"{path}: not a .mat file that can be read: {why}")
    try:
        content = parse_json(ended.stdout)
    except ValueError as error:
        raise DatasetError(f"{path}: not a .mat file that can be read: {reason(error)}") from error
    assert isinstance(content, dict)
    return content


def _environment() -> dict[str, str]:
    """That of this process, so that the child finds the same startrack."""
    import os

    root = Path(__file__).resolve().parents[3]
    paths = [str(root), *filter(None, [os.environ.get("PYTHONPATH")])]
    return os.environ | {"PYTHONPATH": os.pathsep.join(paths), "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}


def _plain(value: Any, count: Callable[[int], None]) -> Any:
    """What loadmat gives as JSON's kinds; count is called with the size of every array."""
    fields = getattr(value, "_fieldnames", None)
    if fields is not None:
        return {str(name): _plain(getattr(value, name), count) for name in fields}
    if isinstance(value, np.ndarray):
        count(value.size)
        if value.dtype == object:
            return [_plain(entry, count) for entry in value]
        return value.tolist() if value.dtype.kind in "biufU" else []
    if isinstance(value, np.generic):
        return value.item() if value.dtype.kind in "biufU" else None
    return value if isinstance(value, str | int | float | bool) else None


def _main(path: str) -> int:
    try:
        from scipy.io import loadmat
    except ImportError:
        return NO_SCIPY
    try:
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (MOST_MEMORY, MOST_MEMORY))
        resource.setrlimit(resource.RLIMIT_CPU, (MOST_SECONDS, MOST_SECONDS))
    except (ImportError, ValueError, OSError):  # Windows, or lower limits already
        pass
    total = 0

    def count(size: int) -> None:
        nonlocal total
        total += size
        if total > MOST_VALUES:
            raise ValueError(f"more than {MOST_VALUES} values")

    try:
        found = loadmat(path, squeeze_me=True, struct_as_record=False)
        content = {name: _plain(value, count) for name, value in found.items() if not name.startswith("__")}
        text = json.dumps(content)
    except (Exception, RecursionError, MemoryError) as error:
        sys.stderr.write(f"{reason(error)}\n")
        return 1
    sys.stdout.write(text)
    return 0


if __name__ == "__main__":
    sys.exit(_main(sys.argv[1]))
