"""From the teacher's settings to the frozen network."""

from pathlib import Path

from spl.config import ReleasedTeacher, TrainedTeacher
from spl.teachers.tresnet import TResNetTeacher
from spl.weights.fit import load_weights


def build_teacher(settings: TrainedTeacher | ReleasedTeacher) -> TResNetTeacher:
    """Build the teacher that the settings describe with fresh weights."""
    if isinstance(settings, ReleasedTeacher):
        return TResNetTeacher.build(layers=(4, 5), width_factor=1.2)
    return TResNetTeacher.build(layers=settings.layers[:2], width_factor=settings.width)


def load_teacher(settings: TrainedTeacher | ReleasedTeacher, weights: Path) -> TResNetTeacher:
    """Build the teacher that the settings describe with the weights that `spl train-teacher` has written."""
    teacher = build_teacher(settings)
    load_weights(teacher, weights)
    return teacher
