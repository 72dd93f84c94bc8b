import pytest
import torch
from torch import nn

from spl.common.errors import DataError
from spl.teachers.yolov5 import COCO_ANCHORS, COCO_SIDE, COCO_SIZES, STRIDES, YOLOv5Teacher, build_yolov5, coco_classes

SMALL = {"depth": 0.33, "width": 0.125, "num_classes": 4, "side": 64}

PUBLISHED = {
    "n": (1_872_157, 4.5, 64),
    "s": (7_235_389, 16.5, 128),
    "m": (21_190_557, 49.0, 192),
    "l": (46_563_709, 109.1, 256),
    "x": (86_749_405, 205.7, 320),
}
"""Parameters while training, 10^9 operations on an image of side 640, channels at stride 8."""


@pytest.fixture
def detector():
    """A small detector whose batch norms are not the identity."""
    torch.manual_seed(0)
    detector = build_yolov5(**SMALL).eval()
    for name, tensor in detector.state_dict().items():
        if tensor.is_floating_point() and ".bn." in name:
            tensor.copy_(torch.rand_like(tensor) + 0.5)
    return detector


@pytest.fixture
def image():
    return torch.rand(2, 3, 64, 96)


def published(size):
    depth, width = COCO_SIZES[size]
    with torch.device("meta"):
        return build_yolov5(depth=depth, width=width, num_classes=80, side=COCO_SIDE)


@pytest.mark.parametrize("size", PUBLISHED)
def test_published_size_and_cost(size):
    """An operation is a multiplication or an addition; strides and map sizes show in their number."""
    detector, operations = published(size), []
    for layer in detector.modules():
        if isinstance(layer, nn.Conv2d):
            layer.register_forward_hook(
                lambda layer, _, output: operations.append(2 * layer.weight.numel() * output.shape[2] * output.shape[3])
            )
    with torch.no_grad():
        detector(torch.empty(1, 3, 640, 640, device="meta"))
    parameters, billions, channels = PUBLISHED[size]
    assert sum(parameter.numel() for parameter in detector.parameters()) == parameters
    assert sum(operations) / 1e9 == pytest.approx(billions, rel=0.02)
    assert detector.channels == channels


def test_a_prediction_keeps_together_what_belongs_to_one_anchor(detector, image):
    """The head's channels count outputs fastest, then anchors."""
    conv = detector.head.convs[0]
    seen = []
    conv.register_forward_hook(lambda _, inputs, output: seen.append(output))
    predictions = detector(image)
    assert [tuple(raw.shape) for raw in predictions] == [(2, 3, 8, 12, 9), (2, 3, 4, 6, 9), (2, 3, 2, 3, 9)]
    assert torch.equal(predictions[0][1, 2, 5, 7], seen[0][1, 2 * 9 : 3 * 9, 5, 7])


def test_published_anchors_are_scaled_to_the_image_and_kept_in_cells():
    anchors = build_yolov5(**SMALL | {"side": 640}).anchors
    assert anchors[0].tolist() == [[10 / 8, 13 / 8], [16 / 8, 30 / 8], [33 / 8, 23 / 8]]
    assert anchors[2][2].tolist() == [373 / 32, 326 / 32]
    torch.testing.assert_close(build_yolov5(**SMALL | {"side": 320}).anchors, anchors / 2)


def test_anchors_can_suit_the_training_images(detector):
    """Nine sizes are their own clusters: the smallest areas go to the fine scale, in its cells."""
    sizes = torch.tensor([[4.0 * 2**i, 6.0 * 2**i] for i in range(9)])
    detector.refit_anchors(sizes.flip(0))
    strides = torch.tensor(STRIDES).view(3, 1, 1)
    torch.testing.assert_close(detector.anchors * strides, sizes.view(3, 3, 2))


@pytest.mark.parametrize("side", [128, 640])
def test_a_fresh_network_expects_few_objects(side):
    """Eight in an image of whatever size, on each scale and with each anchor; the classes are equally likely."""
    torch.manual_seed(0)
    detector = build_yolov5(depth=0.33, width=0.25, num_classes=80, side=side).eval()
    with torch.no_grad():
        predictions = detector(torch.rand(1, 3, 128, 128))
    for raw, stride in zip(predictions, STRIDES, strict=True):
        assert raw[..., 4].sigmoid().mean() * (side / stride) ** 2 == pytest.approx(8, rel=0.4)
        assert raw[..., 5:].sigmoid().mean() == pytest.approx(0.6 / 79, rel=0.4)


def test_features_are_what_enters_the_head_at_stride_8(detector, image, check_frozen):
    seen = []
    detector.head.convs[0].register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    detector(image)
    teacher = YOLOv5Teacher(detector)
    features = teacher(image)
    assert features.shape == (2, teacher.channels, 8, 12)
    assert torch.equal(features, seen[0])
    check_frozen(teacher, image)


@pytest.mark.parametrize("use", ["forward", "detect"])
def test_wrong_size_is_named(detector, use):
    teacher, image = YOLOv5Teacher(detector), torch.rand(1, 3, 64, 72)
    with pytest.raises(DataError, match=r"multiples of 32, got \(64, 72\)"):
        teacher(image) if use == "forward" else teacher.detect(image, min_score=0.5)


def place(detector, *, scale, anchor, row, column, label):
    """Let the detector predict one object of an anchor's size in the middle of one cell, in every image alike."""

    def answer(image):
        shapes = [(len(image), 3, image.shape[2] // s, image.shape[3] // s, 5 + 4) for s in STRIDES]
        predictions = [torch.full(shape, -20.0) for shape in shapes]
        cell = predictions[scale][:, anchor, row, column]
        cell[:, :4], cell[:, 4], cell[:, 5 + label] = 0, 20, 0
        return predictions

    detector.forward = answer


def test_detections_are_in_pixels_of_the_image(detector, image):
    place(detector, scale=1, anchor=0, row=1, column=4, label=3)
    first, second = YOLOv5Teacher(detector).detect(image, min_score=0.4)
    width, height = (side * 64 / COCO_SIDE for side in COCO_ANCHORS[1][0])
    centre_x, centre_y = 4.5 * 16, 1.5 * 16
    expected = [centre_x - width / 2, centre_y - height / 2, centre_x + width / 2, centre_y + height / 2]
    torch.testing.assert_close(first.boxes, torch.tensor([expected]))
    assert first.labels.tolist() == second.labels.tolist() == [3]
    assert first.scores.tolist() == [pytest.approx(0.5)]
    assert len(detector.detect(image, min_score=0.6)[0].labels) == 0


def test_detections_end_at_the_image(detector, image):
    place(detector, scale=2, anchor=2, row=1, column=2, label=0)
    boxes = detector.detect(image, min_score=0.4)[0].boxes
    width, height = (side * 64 / COCO_SIDE for side in COCO_ANCHORS[2][2])
    torch.testing.assert_close(boxes, torch.tensor([[80 - width / 2, 48 - height / 2, 96, 64]]))


def test_released_classes():
    classes = coco_classes()
    assert len(classes) == len(set(classes)) == 80
    assert (classes[0], classes[2], classes[62], classes[-1]) == ("person", "car", "tv", "toothbrush")
