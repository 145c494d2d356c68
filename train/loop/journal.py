"""The curves of a training: a line of JSON and TensorBoard scalars for each validation, and a progress bar."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Self

from torch.utils.tensorboard import SummaryWriter

from startrack.closing import Closing
from startrack.outside import LARGEST_FACTS, check_ordinary
from startrack.train.loop.progress import Progress
from startrack.whole_file import write_whole


class Journal(Closing):
    """Of one training, in its folder: log.jsonl and TensorBoard's events.

    A resumed training goes on where its state was saved: later entries of the log are dropped, for it comes again.
    """

    def __init__(self, folder: Path, name: str, *, total: int, done: int, faces_per_step: int = 1) -> None:
        """done: steps before the first that is to be logged."""
        path = folder / "log.jsonl"
        write_whole(path, b"".join(_lines_until(path, done)))
        self._log = open(path, "a", encoding="utf-8")  # noqa: SIM115
        self._board = SummaryWriter(str(folder), purge_step=done + 1)
        self._progress = Progress(name, total=total, done=done, faces_per_step=faces_per_step)

    def advance(self, loss: float) -> None:
        """One step done."""
        self._progress.advance(loss)

    def write(self, step: int, values: dict[str, float]) -> None:
        """The figures after a step."""
        self._log.write(json.dumps({"step": step, **{name: round(value, 6) for name, value in values.items()}}) + "\n")
        self._log.flush()
        for name, value in values.items():
            self._board.add_scalar(name, value, step)

    def note(self, text: str) -> None:
        """A line on the screen."""
        self._progress.note(text)

    def __enter__(self) -> Self:
        self._progress.__enter__()
        return self

    def close(self) -> None:
        """Finish the log and take the bar off the screen. Safe to call twice."""
        self._progress.close()
        self._board.close()
        self._log.close()


def _lines(path: Path) -> Iterator[bytes]:
    """Raises OSError for what is no ordinary file."""
    if path.exists():
        check_ordinary(path)
        with path.open("rb") as file:
            while line := file.readline(LARGEST_FACTS):
                yield line


def _lines_until(path: Path, step: int) -> list[bytes]:
    """Whole lines of a log about steps up to this one; a kill may have cut the last."""
    kept = []
    for line in _lines(path):
        try:
            if json.loads(line)["step"] <= step:
                kept.append(line)
        except (ValueError, KeyError, TypeError, RecursionError):
            break
    return kept
