import pytest
import timm.models.tresnet
import torch

from spl.common.errors import DataError
from spl.released.layouts.tresnet import TRESNET_RULES, with_plain_norms
from spl.released.load import fill_released
from spl.teachers.tresnet import TResNet, TResNetTeacher
from spl.weights.fit import released_names
from spl.weights.layouts import Layout

SIZES = {"layers": (1, 2), "width_factor": 0.25}


@pytest.fixture
def teacher():
    """A small teacher whose batch norms are not the identity."""
    torch.manual_seed(0)
    teacher = TResNetTeacher.build(**SIZES)
    for name, tensor in teacher.state_dict().items():
        if tensor.is_floating_point() and ".bn." in name:
            tensor.copy_(torch.rand_like(tensor) + 0.5)
    return teacher


@pytest.fixture
def image():
    return torch.rand(2, 3, 64, 48)


def released_state(teacher):
    """The teacher's weights as its authors would store them: their keys, some batch-norm weights negative."""
    names = released_names(teacher, TRESNET_RULES)
    state = {names[name]: tensor.clone() for name, tensor in teacher.state_dict().items()}
    for name, key in names.items():
        if name.endswith("bn.weight"):
            state[key] = (state[key] - 1e-5) * torch.where(torch.arange(len(state[key])) % 2 == 0, 1, -1)
    return state


def test_published_size():
    teacher = TResNetTeacher.build(layers=(4, 5), width_factor=1.2)
    assert sum(parameter.numel() for parameter in teacher.parameters()) == 2_578_192
    assert len(teacher.state_dict()) == 156
    assert teacher.channels == 152


def test_features_are_frozen(teacher, image, check_frozen):
    check_frozen(teacher, image)
    features = teacher(image)
    assert features.shape == (2, teacher.channels, 8, 6)
    assert features.min() >= 0


def test_is_the_first_half_of_the_classifier(image):
    classifier = TResNet((1, 2, 1, 1), width_factor=0.25, num_classes=7).eval()
    assert classifier(image).shape == (2, 7)
    assert torch.equal(TResNetTeacher.from_classifier(classifier)(image), classifier.body[:4](image))


def test_begins_trains_and_passes_gradients_as_timms_bit_for_bit(image):
    states, gradients = [], []
    for build in (timm.models.tresnet.TResNet, TResNet):
        torch.manual_seed(0)
        network = build([1, 2, 1, 1], width_factor=0.25, num_classes=7)
        optimizer = torch.optim.Adam(network.parameters(), lr=0.01)
        for _ in range(3):
            optimizer.zero_grad()
            network(image).square().mean().backward()
            optimizer.step()
        seen = image.clone().requires_grad_()
        torch.stack([x.sum() for x in TResNetTeacher(network.body[:4]).stages(seen)]).sum().backward()
        states.append(network.state_dict())
        gradients.append(seen.grad)
    theirs, ours = states
    assert list(ours) == list(theirs)
    assert all(torch.equal(ours[name], theirs[name]) for name in ours)
    assert torch.equal(*gradients)
    assert gradients[0].any()


def test_wrong_size_is_named(teacher):
    with pytest.raises(DataError, match="multiples of 8"):
        teacher(torch.rand(1, 3, 60, 64))


def test_released_file_with_negative_weights_and_a_head(teacher, image):
    top = ("body.layer3.0.conv1.0.weight", "head.fc.embedding_generator.0.weight", "head.fc.FC.weight")
    other = TResNetTeacher.build(**SIZES)
    state = with_plain_norms(released_state(teacher) | dict.fromkeys(top, torch.zeros(1)))
    fill_released(other, Layout.TRESNET, state, source="the state")
    torch.testing.assert_close(other(image), teacher(image))
