"""Released YOLOv5: keys and shapes from the published list of layers, and what a file needs to be filled in."""

import pytest
import torch
import torch.nn.functional as F

from spl.common.errors import CheckpointError
from spl.released.layouts.yolov5 import YOLOV5_RULES
from spl.released.load import fill_released
from spl.teachers.yolov5 import COCO_SIDE, COCO_SIZES, build_yolov5
from spl.weights.fit import released_names
from spl.weights.layouts import Layout

LAYERS = {  # number: (kind, input, output, kernel or blocks) of YOLOv5l, as published; others have no weights
    0: ("conv", 3, 64, 6), 1: ("conv", 64, 128, 3), 2: ("c3", 128, 128, 3), 3: ("conv", 128, 256, 3),
    4: ("c3", 256, 256, 6), 5: ("conv", 256, 512, 3), 6: ("c3", 512, 512, 9), 7: ("conv", 512, 1024, 3),
    8: ("c3", 1024, 1024, 3), 9: ("sppf", 1024, 1024, 5), 10: ("conv", 1024, 512, 1), 13: ("c3", 1024, 512, 3),
    14: ("conv", 512, 256, 1), 17: ("c3", 512, 256, 3), 18: ("conv", 256, 256, 3), 20: ("c3", 512, 512, 3),
    21: ("conv", 512, 512, 3), 23: ("c3", 1024, 1024, 3),
}  # fmt: skip
TENSORS = {"s": 349, "l": 613}
SMALL = {"depth": 0.33, "width": 0.125, "num_classes": 3}


def conv(key, inputs, outputs, kernel):
    norm = {f"{key}.bn.{part}": (outputs,) for part in ("weight", "bias", "running_mean", "running_var")}
    return {f"{key}.conv.weight": (outputs, inputs, kernel, kernel), f"{key}.bn.num_batches_tracked": ()} | norm


def published_shapes(depth, width, num_classes):
    """The keys and shapes of a released state dict."""
    shapes = {"model.24.anchors": (3, 3, 2)}
    for number, (kind, inputs, outputs, size) in LAYERS.items():
        key = f"model.{number}"
        inputs = 3 if number == 0 else int(inputs * width)
        outputs = int(outputs * width)
        if kind == "conv":
            shapes |= conv(key, inputs, outputs, size)
        elif kind == "sppf":
            shapes |= conv(f"{key}.cv1", inputs, inputs // 2, 1) | conv(f"{key}.cv2", inputs * 2, outputs, 1)
        else:
            half = outputs // 2
            shapes |= conv(f"{key}.cv1", inputs, half, 1) | conv(f"{key}.cv2", inputs, half, 1)
            shapes |= conv(f"{key}.cv3", 2 * half, outputs, 1)
            for block in range(max(round(size * depth), 1)):
                shapes |= conv(f"{key}.m.{block}.cv1", half, half, 1) | conv(f"{key}.m.{block}.cv2", half, half, 3)
    for scale, channels in enumerate((256, 512, 1024)):
        outputs = 3 * (5 + num_classes)
        shapes[f"model.24.m.{scale}.weight"] = (outputs, int(channels * width), 1, 1)
        shapes[f"model.24.m.{scale}.bias"] = (outputs,)
    return shapes


def conv_on(state, key, x, *, stride=1):
    """Convolution, batch norm (eps 0.001) and SiLU with the weights of one released layer."""
    weight = state[f"{key}.conv.weight"].double()
    x = F.conv2d(x, weight, stride=stride, padding=2 if weight.shape[-1] == 6 else weight.shape[-1] // 2)
    mean, var, scale, bias = (
        state[f"{key}.bn.{part}"].double() for part in ("running_mean", "running_var", "weight", "bias")
    )
    x = (x - mean[:, None, None]) / (var[:, None, None] + 1e-3).sqrt() * scale[:, None, None] + bias[:, None, None]
    return x * torch.sigmoid(x)


def layer_on(state, number, x, depth):
    """One entry of the published list; bottlenecks have shortcuts up to layer 9."""
    key, (kind, _, _, size) = f"model.{number}", LAYERS[number]
    if kind == "conv":
        return conv_on(state, key, x, stride=1 if size == 1 else 2)
    y = conv_on(state, f"{key}.cv1", x)
    if kind == "sppf":
        wide = [F.max_pool2d(y, 1 + 4 * i, stride=1, padding=2 * i) for i in range(4)]  # 1, 5, 9, 13
        return conv_on(state, f"{key}.cv2", torch.cat(wide, 1))
    for block in range(max(round(size * depth), 1)):
        z = conv_on(state, f"{key}.m.{block}.cv2", conv_on(state, f"{key}.m.{block}.cv1", y))
        y = y + z if number < 10 else z
    return conv_on(state, f"{key}.cv3", torch.cat([y, conv_on(state, f"{key}.cv2", x)], 1))


def forward_on(state, image, depth):
    """The published list from top to bottom; returns the three raw maps (B, 3 (5 + L), h, w)."""
    maps, x = {}, image
    for number in range(24):
        if number in (11, 15):
            x = x.repeat_interleave(2, 2).repeat_interleave(2, 3)
        elif number in (12, 16, 19, 22):
            x = torch.cat([x, maps[{12: 6, 16: 4, 19: 14, 22: 10}[number]]], 1)
        else:
            x = layer_on(state, number, x, depth)
        maps[number] = x
    weights = [(state[f"model.24.m.{i}.weight"].double(), state[f"model.24.m.{i}.bias"].double()) for i in range(3)]
    return [F.conv2d(maps[number], *weight) for number, weight in zip((17, 20, 23), weights, strict=True)]


def filled(state):
    """A small detector with the weights of a released file."""
    detector = build_yolov5(**SMALL, side=COCO_SIDE).eval()
    fill_released(detector, Layout.YOLOV5, state, source="the state")
    return detector


@pytest.fixture
def state():
    """Weights of a small network under the released keys, in half precision as released."""
    random = torch.Generator().manual_seed(0)
    state = {}
    for key, shape in published_shapes(**SMALL).items():
        normal, uniform = torch.randn(shape, generator=random), torch.rand(shape, generator=random)
        state[key] = (uniform + 0.1 if ".bn." in key else normal / 4).half()
        if key.endswith("tracked"):
            state[key] = torch.tensor(7)
    return state


@pytest.fixture
def image():
    return torch.rand(1, 3, 64, 64, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("size", COCO_SIZES)
def test_keys_and_shapes_are_the_published_ones(size):
    depth, width = COCO_SIZES[size]
    with torch.device("meta"):
        detector = build_yolov5(depth=depth, width=width, num_classes=80, side=COCO_SIDE)
    names = released_names(detector, YOLOV5_RULES)
    found = {names[name]: tuple(tensor.shape) for name, tensor in detector.state_dict().items()}
    assert len(found) == len(names) == TENSORS.get(size, len(found))
    assert found == published_shapes(depth, width, 80)


@torch.no_grad()
def test_the_network_computes_the_published_list(state, image):
    expected = forward_on(state, image.double(), SMALL["depth"])
    for raw, flat in zip(filled(state).double()(image.double()), expected, strict=True):
        assert flat.std() > 0.1
        torch.testing.assert_close(raw.permute(0, 1, 4, 2, 3).flatten(1, 2), flat)


@pytest.mark.parametrize("prefix", ["", "model.model.", "model.model.model."])
def test_wrappers_around_the_network_do_not_matter(state, image, prefix):
    renamed = {prefix + key.removeprefix("model."): tensor for key, tensor in state.items()}
    assert torch.equal(filled(renamed).fine_map(image), filled(state).fine_map(image))


def test_fused_weights_are_refused_with_the_cure(state):
    """The authors' package folds batch norms into the convolutions when it is asked to detect."""
    fused = {key.replace("bn.bias", "conv.bias"): tensor for key, tensor in state.items()}
    fused = {key: tensor for key, tensor in fused.items() if ".bn." not in key}
    with pytest.raises(CheckpointError, match=r"missing: model\.0\.bn.*(?s:.*)unfused state_dict"):
        filled(fused)
