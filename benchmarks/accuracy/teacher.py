"""How far a student is from its teacher on 300W: NME of each network, and of the teacher that they make together.

    python -m benchmarks.accuracy.teacher engines/zoo/compact-300w-large.onnx --data 300w \\
        --teacher runs/large/weights.safetensors --teacher runs/medium/weights.safetensors --teacher-flip
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import torch

from benchmarks.shared.record import model_result, write_result
from startrack.engines import load_engine
from startrack.engines.base import CropArray, Engine, LandmarkBatch, ModelSpec, check_crops
from startrack.train.evaluation.evaluate import evaluate
from startrack.train.feed.teacher import Teacher
from startrack.train.recipes.load import load_landmark_network
from startrack.train.sets import ibug_300w
from startrack.train.sets.sample import Sample


class TeacherEngine(Engine):
    """A teacher asked like a model file."""

    def __init__(self, teacher: Teacher) -> None:
        self._teacher = teacher

    @property
    def spec(self) -> ModelSpec:
        return self._teacher.spec

    def __call__(self, crops: CropArray, *, heatmaps: bool = False) -> LandmarkBatch:
        check_crops(self.spec, crops)
        said = self._teacher.read(torch.from_numpy(crops))
        points, covariance = said.points.numpy(), said.covariance.numpy()
        return LandmarkBatch(points, covariance, np.ones(points.shape[:2], np.float32), said.presence.numpy())

    def close(self) -> None:
        """Nothing is held."""


def nmes(engine: Engine, samples: dict[str, list[Sample]]) -> dict[str, float]:
    """Per cent, by split."""
    return {split: evaluate(engine, faces, batch_size=16).summary().nme for split, faces in samples.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("student", type=Path, help="model file")
    parser.add_argument("--data", type=Path, required=True, help="the 300W folders")
    parser.add_argument("--teacher", type=Path, action="append", required=True, help="weights; repeatable")
    parser.add_argument("--teacher-flip", action="store_true", help="ask them for mirrored crops too")
    parser.add_argument("--split", action="append", help="validation by default; repeatable")
    arguments = parser.parse_args()
    samples = {split: ibug_300w.load(arguments.data, split) for split in arguments.split or ["validation"]}
    members = [load_landmark_network(path) for path in arguments.teacher]
    with load_engine(arguments.student, threads=1) as student:
        figures = {"student": nmes(student, samples)}
    for path, member in zip(arguments.teacher, members, strict=True):
        figures[f"{path.parent.name}/{path.name} alone"] = nmes(TeacherEngine(Teacher([member])), samples)
    teacher = nmes(TeacherEngine(Teacher(members, flip=arguments.teacher_flip)), samples)
    ratios = {split: figures["student"][split] / teacher[split] for split in samples}
    write_result(
        model_result("teacher", arguments.student),
        {**figures, "teacher": teacher, "student_over_teacher": ratios},
        model=arguments.student,
    )


if __name__ == "__main__":
    main()
