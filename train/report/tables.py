"""Results as a table that reads well as plain text and as Markdown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from startrack.train.evaluation.measure import Evaluation
from startrack.train.metrics.nme import NmeSummary, star_failure_rate_and_auc

NORMALISER_WORDS = {
    "inter_ocular": "inter-ocular distance",
    "inter_pupil": "inter-pupil distance",
    "box": "box size",
    "diagonal": "box diagonal",
}
FRAME_WORDS = {"plain": "picture", "official": "crop, truth clamped to it (official)"}
CROP_WORDS = {"landmarks": "true landmarks", "published": "the data set's box", "star": "STAR's square"}


def markdown_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table with padded cells: the first column to the left, the others to the right.

    Ends without a newline. Raises ValueError if a row has another number of cells than the header.
    """
    for row in rows:
        if len(row) != len(header):
            raise ValueError(f"{len(row)} cells in a row, {len(header)} in the header: {row}")
    cells = [[text.replace("|", "\\|") for text in row] for row in (header, *rows)]
    widths = [max(3, *(len(row[column]) for row in cells)) for column in range(len(header))]
    lines = [_line(row, widths) for row in cells]
    rule = "|".join(
        f" {'-' * width} " if column == 0 else f" {'-' * (width - 1)}: " for column, width in enumerate(widths)
    )
    return "\n".join([lines[0], f"|{rule}|", *lines[1:]])


def _line(row: Sequence[str], widths: Sequence[int]) -> str:
    padded = [row[0].ljust(widths[0]), *(text.rjust(width) for text, width in zip(row[1:], widths[1:], strict=True))]
    return f"| {' | '.join(padded)} |"


def results_table(summaries: Mapping[str, NmeSummary]) -> str:
    """One row per label (a model, a subset), all figures in per cent but the number of faces."""
    header = ["", "faces", "NME", "FR@5", "FR@8", "FR@10", "AUC@5", "AUC@8", "AUC@10"]
    rows = [
        [
            label,
            str(each.faces),
            f"{each.nme:.2f}",
            *(f"{rate:.2f}" for rate in (each.fr5, each.fr8, each.fr10)),
            *(f"{area:.1f}" for area in (each.auc5, each.auc8, each.auc10)),
        ]
        for label, each in summaries.items()
    ]
    return markdown_table(header, rows)


def subset_table(evaluation: Evaluation) -> str:
    """One row per subset and attribute of an evaluation and, if none of them holds all faces, one of all ("full")."""
    rows = {name: evaluation.of_subset(name).summary() for name in evaluation.subsets}
    if all(row.faces < len(evaluation.samples) for row in rows.values()):
        rows["full"] = evaluation.summary()
    return results_table(rows)


def conditions_text(evaluation: Evaluation) -> str:
    """Notes below a table: how the figures were made, STAR's own count and, where known, hidden landmarks."""
    protocol, how = evaluation.protocol, evaluation.conditions
    rate, area = star_failure_rate_and_auc(evaluation.nme, protocol.star_threshold)
    at = f"@{100 * protocol.star_threshold:g}"
    lines = [
        f"{evaluation.model} on {protocol.name}: per cent of the {NORMALISER_WORDS[protocol.normaliser]}, errors in "
        f"the {FRAME_WORDS[how.frame]}, crops by {CROP_WORDS[how.crop]}, flip test {'on' if how.flip else 'off'}",
        f"as the STAR code counts: FR{at} {100 * rate:.2f}, AUC{at} {100 * area:.2f}",
    ]
    lines += [
        f"{name} landmarks: {100 * error:.2f} ({count})" for name, (error, count) in evaluation.by_visibility().items()
    ]
    return "\n".join(lines)


def comparison_table(evaluations: Mapping[str, Evaluation]) -> str:
    """NME of several models side by side: a row per label, a column per subset, then all faces.

    A model that was not run on a subset has a dash there.
    """
    subsets = tuple(dict.fromkeys(name for each in evaluations.values() for name in each.subsets))
    rows = [
        [
            label,
            *(f"{each.of_subset(name).summary().nme:.2f}" if name in each.subsets else "–" for name in subsets),
            f"{each.summary().nme:.2f}",
        ]
        for label, each in evaluations.items()
    ]
    return markdown_table(["NME %", *subsets, "all"], rows)
