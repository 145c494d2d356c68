"""Which operators an ONNX file uses, read from its bytes before anything runs them: a graph is a program.

ONNX Runtime computes constants when it loads a file, loops too, and the package onnx is no part of tracking.
Only the needed part of protobuf's encoding is read: https://protobuf.dev/programming-guides/encoding/.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field

LOOPS = ("Loop", "Scan", "If", "SequenceMap", "While")
"""Operators with graphs inside them: a file can have them run for ever."""
GROWING = {"ConstantOfShape": 0, "Expand": 1, "Tile": 1, "Range": 1, "Pad": 1, "Resize": 3}
"""Operators whose output can be larger than all that the file holds → the input that says how large."""
MOST_VALUES = 1 << 26
"""Of an output whose size is written in the file: 256 MB in float32."""
DEEPEST = 8
"""Graphs inside graphs."""
VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5


def graph_problem(content: bytes) -> str | None:
    """Why an ONNX model is not to be run, None if nothing speaks against it; also for other files."""
    try:
        found = _Nodes()
        for number, value in _fields(memoryview(content)):
            if number == 7 and isinstance(value, memoryview):
                found.add_graph(value)
            elif number == 25 and isinstance(value, memoryview):
                found.add_function(value)
    except (ValueError, IndexError):
        return None  # the runtime names the damage
    loops = sorted(found.operators.intersection(LOOPS))
    if loops:
        return f"has the operators {', '.join(loops)}, which can run without end; expected a network without loops"
    return found.growing()


@dataclass
class _Nodes:
    """The nodes and small constants in the graphs of a file."""

    operators: set[str] = field(default_factory=set)
    shaped: list[tuple[str, str]] = field(default_factory=list)
    """Operator of GROWING and the name of the input that says how large."""
    constants: dict[str, list[int]] = field(default_factory=dict)
    """Small integer tensors by name."""

    def add_graph(self, graph: memoryview, depth: int = 0) -> None:
        if depth > DEEPEST:
            raise ValueError("graphs within graphs")
        for number, value in _fields(graph):
            if number == 1 and isinstance(value, memoryview):
                self._add_node(value, depth)
            elif number == 5 and isinstance(value, memoryview):
                self._add_constant(value)

    def add_function(self, function: memoryview) -> None:
        for number, value in _fields(function):
            if number == 7 and isinstance(value, memoryview):
                self._add_node(value, 0)

    def growing(self) -> str | None:
        for operator, name in self.shaped:
            values = [abs(value) for value in self.constants.get(name, [])]
            if operator in ("ConstantOfShape", "Expand") and math.prod(values) > MOST_VALUES:
                return f"asks for {math.prod(values)} values ({operator}); expected {MOST_VALUES} at most"
            if operator != "ConstantOfShape" and max(values, default=0) > MOST_VALUES:
                return f"asks for {max(values)} values ({operator}); expected {MOST_VALUES} at most"
        return None

    def _add_node(self, node: memoryview, depth: int) -> None:
        operator, inputs, outputs, tensors = "", [], [], []
        for number, value in _fields(node):
            if not isinstance(value, memoryview):
                continue
            if number == 4:
                operator = _text(value)
            elif number == 1:
                inputs.append(_text(value))
            elif number == 2:
                outputs.append(_text(value))
            elif number == 5:
                for inner, part in _fields(value):
                    if inner in (6, 11) and isinstance(part, memoryview):
                        self.add_graph(part, depth + 1)
                    elif inner == 5 and isinstance(part, memoryview):
                        tensors.append(part)
        self.operators.add(operator)
        if operator == "Constant" and outputs and tensors:
            self._add_constant(tensors[0], outputs[0])
        if operator in GROWING and GROWING[operator] < len(inputs):
            self.shaped.append((operator, inputs[GROWING[operator]]))

    def _add_constant(self, tensor: memoryview, name: str | None = None) -> None:
        values: list[int] = []
        raw, kind = memoryview(b""), 0
        for number, value in _fields(tensor):
            if number == 8 and isinstance(value, memoryview) and name is None:
                name = _text(value)
            elif number == 2 and isinstance(value, int):
                kind = value
            elif number == 9 and isinstance(value, memoryview):
                raw = value
            elif number == 7:
                values += [value] if isinstance(value, int) else list(_varints(value))
        if kind == 7 and len(raw) <= 8 * 64 and not values:  # int64
            values = [int.from_bytes(raw[at : at + 8], "little", signed=True) for at in range(0, len(raw), 8)]
        if name is not None and kind == 7 and 0 < len(values) <= 64:
            self.constants[name] = values


def _text(value: memoryview) -> str:
    return bytes(value).decode("utf-8", "replace")


def _fields(data: memoryview) -> Iterator[tuple[int, int | memoryview]]:
    """Number and value of each field. Raises ValueError or IndexError where the bytes are no message."""
    at = 0
    while at < len(data):
        key, at = _varint(data, at)
        number, kind = key >> 3, key & 7
        if kind == VARINT:
            value, at = _varint(data, at)
            yield number, value
        elif kind == BYTES:
            length, at = _varint(data, at)
            if at + length > len(data):
                raise ValueError("a field longer than its message")
            yield number, data[at : at + length]
            at += length
        elif kind in (FIXED32, FIXED64):
            at += 4 if kind == FIXED32 else 8
        else:
            raise ValueError("a field of an unknown kind")


def _varints(data: memoryview) -> Iterator[int]:
    at = 0
    while at < len(data):
        value, at = _varint(data, at)
        yield value - (1 << 64) if value >> 63 else value


def _varint(data: memoryview, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
        shift += 7
        if shift > 63:
            raise ValueError("a number of more than 64 bits")
