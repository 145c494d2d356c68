"""A card's tables follow the results of its very file."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks.shared import record
from benchmarks.shipping import model_card
from startrack.engines.base import ModelSpec
from startrack.engines.sidecar import file_sha256, write_sidecar

CARD = """# tiny

By hand.

<!-- table: file -->
old
<!-- end -->

<!-- table: accuracy -->
old
<!-- end -->

More by hand.
"""


@pytest.fixture
def model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(record, "RESULTS", tmp_path / "results")
    (tmp_path / "results").mkdir()
    path = tmp_path / "tiny.onnx"
    path.write_bytes(b"weights")
    write_sidecar(path, ModelSpec("tiny", "ibug_68", 68, 64, 16, 1.25))
    return path


def figures(nme: float) -> dict[str, object]:
    keys = ("fr8", "fr10", "auc8", "coverage50", "coverage90")
    return {"faces": 3, "nme": nme, "interval95": [nme - 1, nme + 1], "nme51": nme / 2, **dict.fromkeys(keys, 50.0)}


def write(model: Path, name: str, content: dict[str, object], sha256: str) -> None:
    made_of = {"file": {"file": model.name, "sha256": sha256}}
    (record.RESULTS / f"{name}.json").write_text(json.dumps(content | made_of))


def test_tables_are_written_and_the_rest_is_kept(model: Path) -> None:
    subsets = {"common": figures(3.0), "challenging": figures(5.0)}
    write(model, "300w_full_tiny", figures(4.0) | {"subsets": subsets}, file_sha256(model))
    write(model, "300w_validation_tiny", figures(3.5), file_sha256(model))
    card, missing = model_card.filled(CARD, model)
    assert missing == []
    assert "old" not in card
    assert "| `tiny.onnx` | 0.0 MB, kernels stored as float16, arithmetic in float32 |" in card
    assert f"| sha256 | `{file_sha256(model)}` |" in card
    assert "| in | `crops` (B, 64, 64, 3) uint8 RGB: " in card
    assert "| 300W challenging | 3 | 5.00 | 4.00 to 6.00 | 2.50 | 50.0 | 50.0 | 50.0 | 50 / 50 |\n" in card
    assert "| validation | 3 | 3.50 | 2.50 to 4.50 | 1.75 |" in card
    assert card.startswith("# tiny\n\nBy hand.\n")
    assert card.endswith("<!-- end -->\n\nMore by hand.\n")
    assert model_card.filled(card, model) == (card, [])


def test_results_of_another_file_do_not_count(model: Path) -> None:
    write(model, "300w_full_tiny", figures(4.0) | {"subsets": {}}, "0" * 64)
    card, (missing,) = model_card.filled(CARD, model)
    assert card.count("old") == 1
    assert "300w_full: not measured with this tiny.onnx; run: startrack evaluate --data 300w --split full" in missing


def test_an_unknown_table_is_named(model: Path) -> None:
    with pytest.raises(SystemExit, match="no table 'age'; expected file, accuracy"):
        model_card.filled("<!-- table: age -->\n<!-- end -->", model)
