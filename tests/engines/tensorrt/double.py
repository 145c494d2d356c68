"""A Python double of the module tensorrt or tensorrt_rtx, made from the real bindings of one version.

Every class, enum member, method, argument and property is the real one's (api-VERSION.json); what they lack raises
AttributeError, arguments of another number, name or type raise TypeError as pybind11 does, and a call that is real but
not played in behaviour.py raises NotImplementedError. It says nothing about what a real TensorRT would make of a
network.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from enum import Enum
from types import ModuleType
from typing import Any

Play = Callable[..., Any]
CPP_NAMES = {"IParserError": "ParserError"}
"""Types that a docstring names as C++ does."""


class PybindEnum(Enum):
    """Members have a number, but are none: int(member) is needed, as with pybind11."""

    def __int__(self) -> int:
        return int(self.value)


class Signature:
    """ "set_shape(self: IOptimizationProfile, input: str, min: Dims) -> None", for checking calls."""

    def __init__(self, text: str, kinds: Mapping[str, Any]) -> None:
        self.text = text
        self._kinds = kinds
        inside = text[text.index("(") + 1 : text.rindex(") ->")]
        self.arguments = [self._argument(part) for part in _split(inside)][1:]
        returned = text[text.rindex(") ->") + 4 :].strip()
        self.returns = CPP_NAMES.get(returned, returned)

    @staticmethod
    def _argument(part: str) -> tuple[str, str, str | None]:
        """ "stat: EngineStat = <…>" → name, type, default or None."""
        name, _, rest = part.partition(": ")
        kind, _, default = rest.partition(" = ")
        return name, kind, default or None

    def fits(self, given: Sequence[Any], named: Mapping[str, Any]) -> bool:
        """Whether pybind11 would take this call."""
        if len(given) > len(self.arguments):
            return False
        values = dict(zip([name for name, _, _ in self.arguments], given, strict=False))
        if set(values) & set(named) or set(named) - {name for name, _, _ in self.arguments}:
            return False
        values |= named
        for name, kind, default in self.arguments:
            if name not in values:
                if default is None:
                    return False
            elif not (accepts(kind, values[name], self._kinds) or (values[name] is None and default == "None")):
                return False
        return True


def accepts(kind: str, value: Any, kinds: Mapping[str, Any]) -> bool:
    """Whether pybind11 converts a value to an argument of that type. kinds: the double's classes by name."""
    match kind:
        case "str":
            return isinstance(value, str)
        case "bool":
            return isinstance(value, bool)
        case "typing.SupportsInt" | "int":
            return not isinstance(value, (float, str, Enum)) and hasattr(value, "__int__")
        case "typing.SupportsFloat" | "float":
            return not isinstance(value, str) and hasattr(value, "__float__")
        case "typing_extensions.Buffer":
            return isinstance(value, (bytes, bytearray, memoryview))
        case "tuple" | "list":
            return type(value).__name__ == kind
        case "object":
            return True
        case "Dims":
            whole = isinstance(value, (tuple, list)) and all(isinstance(side, int) for side in value)
            return isinstance(value, kinds["Dims"]) or whole
    if sequence := re.fullmatch(r"collections\.abc\.Sequence\[(.*)\]", kind):
        return isinstance(value, (tuple, list)) and all(accepts(sequence[1], entry, kinds) for entry in value)
    owner, _, inner = kind.partition(".")
    found = getattr(kinds[owner], inner) if inner else kinds.get(kind)
    return found is not None and isinstance(value, found)


def make_double(api: Mapping[str, Any], plays: Mapping[str, Play], name: str = "tensorrt") -> ModuleType:
    """The module of that name.

    plays: "Class.method" → function of (self, arguments…); "Class.property" → function of (self).
    """
    module = ModuleType(name)
    module.__version__ = api["version"]  # type: ignore[attr-defined]
    kinds: dict[str, Any] = {}
    offered: set[str] = set()
    for name, described in api["classes"].items():
        if "members" in described:
            kinds[name] = PybindEnum(name, described["members"])  # type: ignore[arg-type]
            continue
        kinds[name] = _make_class(name, described, plays, kinds)
        offered |= {f"{name}.{entry}" for entry in (*described["methods"], *described["properties"])}
    unreal = sorted(set(plays) - offered)
    assert not unreal, f"{name} {api['version']} has no {unreal}"
    vars(module).update(kinds)
    return module


def _make_class(name: str, described: Mapping[str, Any], plays: Mapping[str, Play], kinds: Mapping[str, Any]) -> type:
    methods, properties = described["methods"], described["properties"]
    content: dict[str, Any] = {
        inner: PybindEnum(inner, entry["members"])  # type: ignore[arg-type]
        for inner, entry in described["nested"].items()
    }
    for method, texts in methods.items():
        content[method] = _make_method(name, method, texts, plays, kinds)
    for prop, entry in properties.items():
        content[prop] = _make_property(name, prop, entry, plays, kinds)

    def refuse_unknown(self: Any, attribute: str, value: Any) -> None:
        # Python subclasses have a __dict__, the bindings' own classes have none
        if type(self).__name__ == name and attribute not in properties and not attribute.startswith("_played_"):
            raise AttributeError(f"{name!r} object has no attribute {attribute!r}")
        object.__setattr__(self, attribute, value)

    content["__setattr__"] = refuse_unknown
    # real memory of the library, which Python reads as a buffer
    bases = (bytearray,) if name == "IHostMemory" else (tuple,) if name == "Dims" else ()
    if bases:
        content.pop("__init__", None)
    return type(name, bases, content)


def _make_method(
    owner: str, name: str, texts: Sequence[str], plays: Mapping[str, Play], kinds: Mapping[str, Any]
) -> Play:
    signatures = [Signature(text, kinds) for text in texts]
    key = f"{owner}.{name}"

    def method(self: Any, *given: Any, **named: Any) -> Any:
        if not signatures and name == "__init__":
            raise TypeError(f"{owner}: No constructor defined!")
        if not any(signature.fits(given, named) for signature in signatures):
            raise TypeError(f"{key}{given}{named}: expected {' or '.join(texts)}")
        if name == "__init__" and key not in plays:
            self._played_ready = True
            return None
        if key not in plays:
            raise NotImplementedError(f"the double does not play {key}")
        found = plays[key](self, *given, **named)
        returns = [signature.returns for signature in signatures if signature.fits(given, named)]
        _check_result(key, found, returns, kinds)
        return found

    method.__name__ = name
    return method


def _check_result(key: str, found: Any, returns: Sequence[str], kinds: Mapping[str, Any]) -> None:
    """The behaviour too must keep to the real types, or it would teach the engines wrong ones."""
    for kind in returns:
        listed = re.fullmatch(r"list\[(.*)\]", kind)
        entries = found if listed and isinstance(found, list) else [found]
        known = (listed[1] if listed else kind) in {*kinds, "str", "bool", "int", "float"}
        pointer = found is None and (kind in kinds or kind == "None")
        if pointer or (known and all(accepts(listed[1] if listed else kind, entry, kinds) for entry in entries)):
            return
    raise AssertionError(f"{key} gave {found!r}; the real one gives {returns}")


def _make_property(
    owner: str, name: str, entry: Mapping[str, Any], plays: Mapping[str, Play], kinds: Mapping[str, Any]
) -> property:
    key, kept = f"{owner}.{name}", f"_played_{name}"

    def read(self: Any) -> Any:
        if hasattr(self, kept):
            return getattr(self, kept)
        if key not in plays:
            raise NotImplementedError(f"the double does not play {key}")
        return plays[key](self)

    def write(self: Any, value: Any) -> None:
        if entry["type"] and not accepts(entry["type"], value, kinds):
            raise TypeError(f"{key} = {value!r}: expected {entry['type']}")
        object.__setattr__(self, kept, value)

    return property(read, write if entry["settable"] else None)


def _split(text: str) -> list[str]:
    """Arguments, at the commas outside brackets."""
    parts, depth = [""], 0
    for letter in text:
        depth += (letter in "[<(") - (letter in "]>)")
        if letter == "," and depth == 0:
            parts.append("")
        else:
            parts[-1] += letter
    return [part.strip() for part in parts if part.strip()]
