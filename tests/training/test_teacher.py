"""The teacher is trained here, or converted from its release; either way it is frozen afterwards."""

import pytest
import torch

from spl.config import ReleasedTeacher, TrainedTeacher
from spl.data.sources import fetch_pretext
from spl.errors import DataError, RecordError
from spl.files import read_json
from spl.settings import PretextSettings, TeacherSettings
from spl.teachers.build import load_teacher
from spl.teachers.tresnet import TResNetTeacher
from spl.training.distributed import World
from spl.training.teacher import make_teacher
from spl.weights.fit import released_names
from spl.weights.layouts.tresnet import TRESNET_RULES

CPU = World(0, 1, torch.device("cpu"))


def released(path):
    return TeacherSettings(seed=1, teacher=ReleasedTeacher(kind="released", path=str(path)))


def fetch(settings, record):
    teacher = settings.teacher
    source = teacher if isinstance(teacher, ReleasedTeacher) else teacher.source
    fetch_pretext(PretextSettings(seed=settings.seed, source=source), record, workers=1)


@pytest.fixture
def released_file(tmp_path):
    """A file in the released layout: a wrapped state dict with a trunk, a later stage and a bottleneck head."""
    trunk = TResNetTeacher.build(layers=(4, 5), width_factor=1.2)
    names = released_names(trunk, TRESNET_RULES)
    state = {names[name]: torch.rand(tensor.shape) - 0.3 for name, tensor in trunk.state_dict().items()}
    state |= {"body.layer3.0.conv1.0.weight": torch.rand(3), "head.fc.FC.weight": torch.rand(3)}
    path = tmp_path / "Open_Images.pth"
    torch.save({"model": state, "num_classes": 9605, "idx_to_class": {0: "Tree"}}, path)
    return path


def test_the_released_file_becomes_a_frozen_teacher(released_file, tmp_path):
    settings = released(released_file)
    fetch(settings, tmp_path / "source.json")
    assert make_teacher(settings, tmp_path / "source.json", tmp_path / "out", world=CPU, should_stop=lambda step: False)
    teacher = load_teacher(settings.teacher, tmp_path / "out/weights.safetensors").train()
    assert teacher.channels == 152
    assert not teacher.training
    assert not any(parameter.requires_grad for parameter in teacher.parameters())
    assert teacher(torch.rand(1, 3, 32, 32)).shape == (1, 152, 4, 4)
    assert read_json(tmp_path / "out/run.json")["origin"] == str(released_file)


def test_a_released_file_that_changed_after_it_was_recorded_is_refused(released_file, tmp_path):
    settings = released(released_file)
    fetch(settings, tmp_path / "source.json")
    released_file.write_bytes(released_file.read_bytes() + b"x")
    with pytest.raises(RecordError, match="has changed since it was recorded"):
        make_teacher(settings, tmp_path / "source.json", tmp_path / "out", world=CPU, should_stop=lambda step: False)


def test_a_missing_file_says_where_it_comes_from_and_where_it_goes(tmp_path):
    with pytest.raises(DataError, match=r"none\.pth does not exist. Download Open_ImagesV6") as caught:
        fetch(released(tmp_path / "none.pth"), tmp_path / "source.json")
    assert "teacher.path" in str(caught.value)


def test_training_learns_the_labels_and_resumes(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    teacher = TrainedTeacher.model_validate(
        {
            "kind": "trained",
            "source": {"kind": "miniature", "train": 48, "val": 24},
            "image_size": 32,
            "layers": (1, 1, 1, 1),
            "width": 0.25,
            "loss": {"gamma_negative": 4.0, "gamma_positive": 0.0, "clip": 0.05},
            "training": {"batch_size": 16, "epochs": 12, "lr": 0.003, "decay": {"kind": "linear", "start": 0.5}},
        }
    )
    settings = TeacherSettings(seed=1, teacher=teacher)
    fetch(settings, tmp_path / "source.json")
    make = {"settings": settings, "source": tmp_path / "source.json", "world": CPU}
    assert make_teacher(**make, folder=tmp_path / "straight", should_stop=lambda step: False)
    assert not make_teacher(**make, folder=tmp_path / "resumed", should_stop=lambda step: step == 5)
    assert make_teacher(**make, folder=tmp_path / "resumed", should_stop=lambda step: False)
    one, two = (read_json(tmp_path / out / "run.json") for out in ("straight", "resumed"))
    assert one["weights_sha256"] == two["weights_sha256"]
    # Guessing the classes' frequencies alone reaches about 0.45 here.
    assert one["validation_map"] > 0.55
    assert load_teacher(teacher, tmp_path / "straight/weights.safetensors").channels == 32
