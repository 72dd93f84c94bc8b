import json

import pytest
import torch

from spl.released.layouts.tresnet import fill_tresnet
from spl.released.teachers import load_openimages_teacher
from spl.teachers.tresnet import TResNetTeacher


@pytest.fixture(scope="module")
def fixture(read_fixture):
    return read_fixture("tresnet_l")


@pytest.fixture(scope="module")
def teacher(fixture):
    teacher = TResNetTeacher.build(layers=(4, 5), width_factor=1.2)
    fill_tresnet(teacher, fixture.states["miil"], source="the fixture")
    return teacher


def test_features_equal_the_released_trunk(fixture, teacher, record_outputs):
    trunk = teacher.trunk
    seen = record_outputs(space_to_depth=trunk.s2d, conv1=trunk.conv1, layer1=trunk.layer1)
    fixture.check({"layer2": teacher(fixture.image())} | seen)


def test_whole_openimages_file_gives_the_same_features(fixture, parity_folder, formula_weights, tmp_path):
    keys = parity_folder / "tresnet_l_openimages_keys.json"
    if not keys.is_file():
        pytest.skip(f"no {keys.name} in {parity_folder}")
    state = formula_weights.state_dict(json.loads(keys.read_text()))
    model = {key: torch.from_numpy(value) for key, value in state.items()}
    path = tmp_path / "Open_ImagesV6_TRresNet_L_448.pth"
    torch.save({"model": model, "num_classes": 9605, "idx_to_class": {0: "/m/011k07"}}, path)
    del state, model
    fixture.check({"layer2": load_openimages_teacher(path)(fixture.image())})
