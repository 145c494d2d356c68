from __future__ import annotations

import numpy as np
import pytest

from startrack.train.augment import lettering
from startrack.train.augment.lettering import draw_word, font_files


@pytest.mark.parametrize("max_width", [20, 90, 250])
def test_words_are_drawn_and_about_as_wide_as_asked(max_width: int) -> None:
    drawn_words = 0
    for seed in range(25):
        word, alpha = draw_word(max_width, np.random.default_rng(seed))
        assert word.shape == (*alpha.shape, 3)
        assert word.dtype == np.uint8
        assert 0 <= alpha.min() <= alpha.max() <= 1
        drawn = np.flatnonzero(alpha.max(axis=0) > 0.5)
        drawn_words += len(drawn) > 0
        # one letter of the smallest type may be wider than asked
        assert not len(drawn) or np.ptp(drawn) < max(1.9 * max_width, 60)
    # the symbols' font has gaps in its alphabet
    assert drawn_words > 20


def test_the_same_draw_gives_the_same_word() -> None:
    first, second = (draw_word(100, np.random.default_rng(3))[0] for _ in range(2))
    assert np.array_equal(first, second)


def test_fonts_are_found_and_can_be_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    assert len(font_files()) > 15
    monkeypatch.setattr(lettering, "font_files", lambda: ())
    lettering._font.cache_clear()
    assert draw_word(100, np.random.default_rng(0))[1].max() > 0.5
    lettering._font.cache_clear()
