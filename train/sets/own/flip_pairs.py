"""A small text file of which landmarks change places in a mirrored picture.

Each line is a pair: two numbers of landmarks, counted from 0, or two of the landmarks' names. Or each line is one name,
those of all landmarks in their order, and the pairs are those that differ by left and right alone (coco_points.py).
Empty lines and what follows a # do not count.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from startrack.outside import LARGEST_FACTS, read_text, reason
from startrack.train.sets.coco_points import scheme_of_names
from startrack.train.sets.sample import DatasetError


def read_flip_pairs(path: Path, num_landmarks: int, names: Sequence[str] = ()) -> tuple[tuple[int, int], ...]:
    """Pairs of landmarks, each landmark in one pair at most. names: of the landmarks, where the data set has them.

    Raises DatasetError with file and line.
    """
    try:
        text = read_text(path, LARGEST_FACTS)
    except (OSError, ValueError) as error:
        raise DatasetError(f"{path}: not a list of flip pairs that can be read: {reason(error)}") from error
    lines = [(number, line.partition("#")[0].split()) for number, line in enumerate(text.splitlines(), start=1)]
    lines = [(number, words) for number, words in lines if words]
    if lines and all(len(words) == 1 for _, words in lines):
        named = [words[0] for _, words in lines]
        if len(named) != num_landmarks or len(set(named)) != len(named):
            raise DatasetError(f"{path}: {len(set(named))} names; expected the {num_landmarks} landmarks', each once")
        return scheme_of_names(named).flip_pairs
    pairs = tuple(_pair(f"{path}:{number}", words, num_landmarks, names) for number, words in lines)
    members = [index for pair in pairs for index in pair]
    if len(set(members)) != len(members):
        twice = next(index for index in members if members.count(index) > 1)
        raise DatasetError(f"{path}: landmark {twice} is in two pairs; expected one at most")
    return pairs


def _pair(where: str, words: Sequence[str], num_landmarks: int, names: Sequence[str]) -> tuple[int, int]:
    if len(words) != 2:
        raise DatasetError(f"{where}: {' '.join(words)[:60]!r}; expected two landmarks")
    first, second = (_index(where, word, num_landmarks, names) for word in words)
    return first, second


def _index(where: str, word: str, num_landmarks: int, names: Sequence[str]) -> int:
    if word in names:
        return list(names).index(word)
    if word.isascii() and word.isdecimal() and len(word) < 7 and int(word) < num_landmarks:
        return int(word)
    known = f" or one of {', '.join(names)}" if names else ""
    raise DatasetError(f"{where}: landmark {word[:60]!r}; expected a number below {num_landmarks}{known}")
