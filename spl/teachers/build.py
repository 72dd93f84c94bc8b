"""From the teacher's settings to the frozen network."""

from pathlib import Path

from spl.config import ReleasedTeacher, TrainedTeacher
from spl.teachers.tresnet import TResNetTeacher
from spl.weights.fit import load_weights


def load_teacher(settings: TrainedTeacher | ReleasedTeacher, weights: Path) -> TResNetTeacher:
    """Build the teacher that the settings describe with the weights that `spl train-teacher` has written."""
    if isinstance(settings, ReleasedTeacher):
        teacher = TResNetTeacher.build(layers=(4, 5), width_factor=1.2)
    else:
        teacher = TResNetTeacher.build(layers=settings.layers[:2], width_factor=settings.width)
    load_weights(teacher, weights)
    return teacher
