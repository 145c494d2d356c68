"""Tables, CED plot and the sheet of worst faces, from an evaluation made by hand."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from startrack.tracker.schemes import IBUG_68
from startrack.train.evaluation.measure import Evaluation
from startrack.train.evaluation.worst_cases import PREDICTED_COLOUR, TRUTH_COLOUR, face_tile, worst_cases
from startrack.train.metrics.nme import summarise
from startrack.train.metrics.protocols import IBUG_300W_PROTOCOL
from startrack.train.report.ced_plot import plot_ced
from startrack.train.report.tables import comparison_table, markdown_table, results_table, subset_table
from startrack.train.sets.sample import Sample, read_picture


@pytest.fixture
def evaluation(tmp_path: Path) -> Evaluation:
    """Four faces in black pictures, off by 0, 2, 4 and 6 pixels of an eye distance of 50."""
    rng = np.random.default_rng(0)
    truth = rng.uniform(40, 110, (4, 68, 2))
    truth[:, 36], truth[:, 45] = [50, 60], [100, 60]
    samples = []
    for number in range(4):
        path = tmp_path / f"face_{number}.png"
        cv2.imwrite(str(path), np.zeros((140, 150, 3), np.uint8))
        samples.append(Sample(path, truth[number], "common" if number % 2 else "challenging"))
    return Evaluation(
        model="hand",
        scheme=IBUG_68,
        protocol=IBUG_300W_PROTOCOL,
        samples=tuple(samples),
        points=truth + np.arange(4)[:, None, None] * [2.0, 0.0],
        covariance=np.tile(np.eye(2), (4, 68, 1, 1)),
        score=np.ones((4, 68)),
        presence=np.ones(4),
    )


def test_a_table_is_aligned_and_escapes_bars() -> None:
    assert markdown_table(["", "NME"], [["a|b", "3.25"], ["longer", "12.00"]]).splitlines() == [
        "|        |   NME |",
        "| ------ | ----: |",
        "| a\\|b   |  3.25 |",
        "| longer | 12.00 |",
    ]
    assert markdown_table(["model"], []).splitlines() == ["| model |", "| ----- |"]


def test_a_row_of_another_length_is_refused() -> None:
    with pytest.raises(ValueError, match="1 cells in a row, 2 in the header"):
        markdown_table(["", "NME"], [["a"]])


def test_results_by_hand() -> None:
    table = results_table({"net": summarise(np.array([0.02, 0.06, 0.09, 0.23]))})
    assert table.splitlines()[2] == "| net |     4 | 10.00 | 75.00 | 50.00 | 25.00 |  15.0 |  25.0 |   32.5 |"


def test_subsets_and_their_sum(evaluation: Evaluation) -> None:
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in subset_table(evaluation).splitlines()[2:]]
    # 0 and 4 pixels of 50; 2 and 6 pixels of 50
    assert [row[:3] for row in rows] == [["common", "2", "8.00"], ["challenging", "2", "4.00"], ["full", "4", "6.00"]]
    one = subset_table(evaluation.of_subset("common")).splitlines()
    assert len(one) == 3


def test_models_side_by_side(evaluation: Evaluation) -> None:
    table = comparison_table({"ours": evaluation, "peer": evaluation.of_subset("common")})
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in table.splitlines()]
    assert rows[0] == ["NME %", "common", "challenging", "all"]
    assert rows[2:] == [["ours", "8.00", "4.00", "6.00"], ["peer", "8.00", "–", "8.00"]]


def test_the_ced_plot_is_a_picture_with_a_curve_per_model(evaluation: Evaluation, tmp_path: Path) -> None:
    faces = {f"model {number} $x_1$": evaluation.nme * (1 + number / 10) for number in range(8)}
    plot_ced(faces, tmp_path / "many.png")
    plot_ced({}, tmp_path / "none.png", title="Nothing yet")
    many, none = read_picture(tmp_path / "many.png"), read_picture(tmp_path / "none.png")
    assert many.shape == none.shape == (736, 1152, 3)
    # the first model's blue is in the one and not in the other
    blue = [0x0B, 0x6E, 0x99]
    assert (many == blue).all(axis=-1).sum() > 1000
    assert not (none == blue).all(axis=-1).any()


def test_the_ced_plot_starts_no_window_and_imports_matplotlib_late() -> None:
    code = (
        "import sys, startrack.train.report.ced_plot, startrack.train.report.tables; "
        "import startrack.train.evaluation.worst_cases; "
        "assert not {'matplotlib', 'torch'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=Path(__file__).parents[3])


def test_a_tile_shows_truth_and_prediction(evaluation: Evaluation) -> None:
    tile = face_tile(evaluation, 3, 128)
    assert tile.shape == (128, 128, 3)
    assert (tile == TRUTH_COLOUR).all(axis=-1).sum() > 50
    assert (tile == PREDICTED_COLOUR).all(axis=-1).sum() > 50
    # where both agree, the prediction lies on top
    assert (face_tile(evaluation, 0, 128) == TRUTH_COLOUR).all(axis=-1).sum() < 20


def test_a_prediction_far_away_is_drawn_without_harm(evaluation: Evaluation) -> None:
    lost = replace(evaluation, points=evaluation.points + 1e12)
    assert (face_tile(lost, 0, 64) == TRUTH_COLOUR).all(axis=-1).any()


def test_the_sheet_has_the_worst_face_first(evaluation: Evaluation, tmp_path: Path) -> None:
    worst_cases(evaluation, tmp_path / "sheet.png", count=3, columns=2, tile=100)
    sheet = read_picture(tmp_path / "sheet.png")
    assert sheet.shape == (2 * (100 + 26 + 8) + 8 + 26, 2 * 108 + 8, 3)
    np.testing.assert_array_equal(sheet[34:134, 8:108], face_tile(evaluation, 3, 100))
    np.testing.assert_array_equal(sheet[34:134, 116:216], face_tile(evaluation, 2, 100))
    np.testing.assert_array_equal(sheet[168:268, 8:108], face_tile(evaluation, 1, 100))


def test_a_sheet_may_be_larger_than_the_test_set(evaluation: Evaluation, tmp_path: Path) -> None:
    worst_cases(evaluation, tmp_path / "sheet.png")
    assert read_picture(tmp_path / "sheet.png").shape[1] == 4 * 264 + 8
