from __future__ import annotations

import torch

from startrack.train.models.face_detector import START_SCORE, FaceDetector, cell_centres, decode


def test_cells_are_centred_between_pixels() -> None:
    assert cell_centres(2, 3, 8).tolist() == [
        [3.5, 3.5],
        [11.5, 3.5],
        [19.5, 3.5],
        [3.5, 11.5],
        [11.5, 11.5],
        [19.5, 11.5],
    ]


def test_decoding_by_hand() -> None:
    raw = torch.zeros(1, 8, 2, 2)
    raw[0, :, 1, 0] = torch.tensor([2.0, 0.5, -0.5, torch.log(torch.tensor(3.0)), -1, 0, 1, 0])
    output = decode([raw, raw[..., 1:, :1]], (8, 16))
    assert output.logits[0].tolist() == [0, 0, 2, 0, 2]
    assert output.squares[0, 2].tolist() == torch.tensor([7.5, 7.5, 24]).tolist()
    assert output.eyes[0, 2].tolist() == [[-4.5, 11.5], [11.5, 11.5]]
    # the same in the second map's only cell: strides twice as long, from its centre at 7.5
    assert output.squares[0, 4].tolist() == torch.tensor([15.5, -0.5, 48]).tolist()
    assert output.eyes[0, 4].tolist() == [[-8.5, 7.5], [23.5, 7.5]]


def test_any_multiple_of_32_and_a_start_without_faces() -> None:
    torch.manual_seed(0)
    network = FaceDetector(stem=(8, 8), widths=(8, 8, 8), depths=(1, 2, 1), neck=8).eval()
    for rows, columns in ((32, 32), (64, 96)):
        output = network(torch.randint(0, 256, (2, rows, columns, 3), dtype=torch.uint8))
        cells = sum(rows * columns // stride**2 for stride in (8, 16, 32))
        assert output.squares.shape == (2, cells, 3)
        assert output.eyes.shape == (2, cells, 2, 2)
        assert (output.logits.sigmoid() - START_SCORE).abs().max() < 0.02


def test_the_shipped_size() -> None:
    assert sum(value.numel() for value in FaceDetector().parameters()) < 480_000
