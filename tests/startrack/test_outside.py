"""Texts and files from outside: one clean line, bounded reading."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from startrack.outside import LONGEST_LINE, _depth, one_line, parse_json, read_bounded, read_json, reason, shown


@settings(deadline=None)
@given(st.text() | st.binary().map(lambda content: content.decode("utf-8", "surrogateescape")))
def test_a_line_moves_no_cursor(text: str) -> None:
    line = one_line(text * 3)
    assert len(line) <= 6 * LONGEST_LINE
    line.encode("utf-8")
    assert not set(line) & {chr(code) for code in (*range(0x20), 0x7F, *range(0x80, 0xA0), 0x202E, 0x2028)}


def test_plain_text_stays_and_long_text_is_cut() -> None:
    assert one_line("crop 3 × 4 – schön") == "crop 3 × 4 – schön"
    assert one_line("\x1b[2Ja\nb") == "\\x1b[2Ja\\x0ab"
    line = one_line("a" * 60_000 + "b" * 60_000)
    assert len(line) < LONGEST_LINE
    assert line.startswith("aaa")
    assert "characters" in line
    assert line.endswith("bbb")


def test_values_are_shown_whatever_they_are() -> None:
    assert shown(1.5) == "1.5"
    assert len(shown("x" * 120_000)) < 100
    assert shown(10**6000) == "a int of great length"
    deep: list[object] = []
    for _ in range(100_000):
        deep = [deep]
    assert shown(deep) == "a list of great length"
    while deep:  # taken apart without recursion
        deep = deep.pop()  # type: ignore[assignment]


def test_a_reason_is_the_first_line_that_says_something() -> None:
    assert reason(ValueError("\n \nfirst\nsecond")) == "first"
    assert reason(ValueError()) == "ValueError"
    assert reason(FileNotFoundError(2, "No such file", "x")) == "No such file"


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"[" * 100_000, "levels"),
        (b'{"a":' * 40 + b"1" + b"}" * 40, "32 levels at most"),
        (b"\xff\xfe", "utf-8"),
        (b"9" * 5000, "digits"),
        (b"{", "Expecting"),
    ],
)
def test_json_is_bounded(content: bytes, expected: str) -> None:
    with pytest.raises(ValueError, match=expected):
        parse_json(content)


def test_json_of_usual_depth_is_read(tmp_path: Path) -> None:
    value = {"a": [[1, 2.5], {"b": None}], "c": "[[["}
    (tmp_path / "a.json").write_text(json.dumps(value))
    assert read_json(tmp_path / "a.json") == value


def test_only_ordinary_files_of_some_size_are_read(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(bytes(11))
    assert read_bounded(tmp_path / "a", 11) == bytes(11)
    with pytest.raises(ValueError, match="11 bytes; expected 10 at most"):
        read_bounded(tmp_path / "a", 10)
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "pipe", Path("/dev/zero"), tmp_path):
        with pytest.raises(OSError, match="not an ordinary file"):
            read_bounded(path, 10)


JSON = st.recursive(
    st.text('"\\[]{}a\n') | st.integers() | st.none(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text('"\\[{}]'), inner, max_size=4),
    max_leaves=30,
)


def levels(value: object) -> int:
    """Lists and objects inside one another."""
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else None
    return 0 if inner is None else 1 + max(map(levels, inner), default=0)


@given(JSON, st.sampled_from([None, 2]), st.integers(1, 9))
def test_levels_are_counted_outside_strings_only(value: object, indent: int | None, chunk: int) -> None:
    text = json.dumps(value, indent=indent, ensure_ascii=False).encode()
    assert _depth(text, chunk) == _depth(text) == levels(value)


@given(st.text('"\\[]{}:,1 ', max_size=40), st.integers(1, 9))
def test_levels_of_what_is_no_json_are_those_up_to_its_first_fault(text: str, chunk: int) -> None:
    assert _depth(text.encode(), chunk) == _depth(text.encode())
    try:
        value = parse_json(text)
    except ValueError:
        return
    assert _depth(text.encode()) == levels(value)


def test_a_text_full_of_brackets_is_one_value() -> None:
    smiles = {"description": ":-[ " * 1000 + '\\"' + "{" * 1000}
    assert parse_json(json.dumps(smiles)) == smiles
    with pytest.raises(ValueError, match="expected 32 levels at most"):
        parse_json('"\\\\"'.join(["["] * 40))
