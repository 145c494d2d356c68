"""The counter of phrases sees prose and leaves code alone."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[1] / "docs" / "plain_english.py"
SPEC = importlib.util.spec_from_file_location("plain_english", SCRIPT)
assert SPEC is not None
assert SPEC.loader is not None
plain_english = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(plain_english)


def test_rates_are_per_thousand_words() -> None:
    words, found = plain_english.rates(["What is told stands beside it. " * 10])
    assert words == 60
    assert found["what is/the/it …"] == found["tell/told"] == found["stand(s)"] == pytest.approx(1000 / 6)


def test_code_of_a_page_is_no_prose(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("A point `beside` the box.\n\n```bash\ntell --anew\n```\nAnd alike.\n")
    assert plain_english.rates([plain_english.prose(page)])[1] == pytest.approx(
        {"what is/the/it …": 0, "beside": 0, "tell/told": 0, "stand(s)": 0, "alike": 1000 / 6, "anew": 0}
    )


def test_docstrings_comments_and_help_texts_are_prose(tmp_path: Path) -> None:
    module = tmp_path / "module.py"
    module.write_text('"""Docstring told."""\nname = "beside"  # stands here\noption(help="anew")\n')
    words, found = plain_english.rates([plain_english.prose(module)])
    assert words == 5
    assert found["beside"] == 0
    assert found["tell/told"] == found["stand(s)"] == found["anew"] == 200


def test_the_project_keeps_the_limits() -> None:
    paths = sorted(
        {path for each in (*plain_english.PAGES, *plain_english.CODE) for path in plain_english.ROOT.glob(each)}
    )
    _, found = plain_english.rates(plain_english.prose(path) for path in paths)
    assert {name: rate for name, rate in found.items() if rate > plain_english.LIMITS[name][1]} == {}
