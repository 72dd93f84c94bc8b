import json

import pytest
import torch

from spl.config.teachers import ReleasedTResNet
from spl.released.layouts.tresnet import with_plain_norms
from spl.released.teachers import read_supplied_teacher
from spl.teachers.tresnet import TResNetTeacher
from spl.weights.layouts import Layout


@pytest.fixture(scope="module")
def fixture(read_fixture):
    return read_fixture("tresnet_l")


def test_features_equal_the_released_trunk(fixture, record_outputs):
    teacher = TResNetTeacher.build(layers=(4, 5), width_factor=1.2)
    trunk = fixture.fill(teacher, Layout.TRESNET, with_plain_norms(fixture.states["miil"])).trunk
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
    teacher, _ = read_supplied_teacher(ReleasedTResNet(kind="tresnet_released", path=str(path)), path)
    fixture.check({"layer2": teacher(fixture.image())})
