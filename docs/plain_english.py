"""How often the text of the project uses turns of phrase that a technical reader stumbles over, per 1000 words.

    python docs/plain_english.py [FILE ...]

Counted are the README, the pages of docs/ and model cards without their code, and every docstring, comment and help
text. LIMITS are the rates of well-written projects of the field, with some room.
"""

from __future__ import annotations

import ast
import io
import re
import sys
import tokenize
from collections.abc import Iterable, Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]
PAGES = ("*.md", "docs/*.md", "engines/zoo/*.md", "benchmarks/**/*.md", "examples/*.md")
CODE = (
    "startrack/*.py",
    "tracker/**/*.py",
    "engines/**/*.py",
    "train/**/*.py",
    "commands/**/*.py",
    "benchmarks/**/*.py",
)
LIMITS = {
    "what is/the/it …": (r"\bwhat (?:is|was|the|it|a|they|has|have)\b", 0.3),
    "beside": (r"\bbeside\b", 0.15),
    "tell/told": (r"\b(?:tell|tells|told|telling)\b", 0.15),
    "stand(s)": (r"\b(?:stand|stands|stood)\b", 0.15),
    "alike": (r"\balike\b", 0.05),
    "anew": (r"\banew\b", 0.05),
}
"""Phrase → pattern, most per 1000 words."""


def prose(path: Path) -> str:
    """The sentences of a page or a module, without code."""
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".md":
        return re.sub(r"^```.*?^```$|`[^`\n]*`|<[^>]*>", " ", text, flags=re.MULTILINE | re.DOTALL)
    return " ".join([*_strings(text), *_comments(text)])


def _strings(code: str) -> Iterator[str]:
    """Docstrings, those under fields too, and the help texts of options."""
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
            yield node.value.value
        elif isinstance(node, ast.keyword) and node.arg == "help" and isinstance(node.value, ast.Constant):
            yield str(node.value.value)


def _comments(code: str) -> Iterator[str]:
    tokens = tokenize.generate_tokens(io.StringIO(code).readline)
    return (token.string.lstrip("# ") for token in tokens if token.type == tokenize.COMMENT)


def rates(texts: Iterable[str]) -> tuple[int, dict[str, float]]:
    """Number of words, and occurrences of each phrase per 1000 of them."""
    whole = "\n".join(texts)
    words = len(re.findall(r"[A-Za-z][A-Za-z'’-]*", whole))
    found = {name: len(re.findall(pattern, whole, re.IGNORECASE)) for name, (pattern, _) in LIMITS.items()}
    return words, {name: 1000 * count / max(words, 1) for name, count in found.items()}


def main(names: list[str]) -> None:
    """Print a line per phrase: its rate, the limit, and whether it is kept."""
    patterns = (*PAGES, *CODE)
    paths = [Path(name) for name in names] or sorted({path for each in patterns for path in ROOT.glob(each)})
    words, found = rates(prose(path) for path in paths)
    print(f"plain English: {words} words of {len(paths)} files, phrases per 1000 words")
    for name, rate in found.items():
        limit = LIMITS[name][1]
        print(f"  {name:18} {rate:5.2f}  at most {limit:.2f}{'' if rate <= limit else '  ← too often'}")


if __name__ == "__main__":
    main(sys.argv[1:])
