"""Training teaches a small detector to find the objects it is shown."""

import pytest
import torch

from spl.config.teachers import YOLOLossWeights
from spl.detection.average_precision import Objects, match_objects
from spl.teachers.yolov5 import build_yolov5
from spl.training.methods.yolov5 import YOLOv5Method

SIZE = 64


@pytest.fixture
def scene():
    """Two images with one bright sign each, and their boxes."""
    image = torch.full((2, 3, SIZE, SIZE), 0.1)
    image[0, 0, 8:24, 4:24] = 1
    image[1, 1, 32:60, 20:40] = 1
    boxes = torch.tensor([[[0, 14 / 64, 16 / 64, 20 / 64, 16 / 64]], [[1, 30 / 64, 46 / 64, 20 / 64, 28 / 64]]])
    return image, boxes


@pytest.fixture
def method():
    torch.manual_seed(0)
    detector = build_yolov5(depth=0.1, width=0.125, num_classes=2, side=2 * SIZE).train()
    optimizer = torch.optim.Adam(detector.parameters(), lr=0.01)
    return YOLOv5Method(detector, optimizer, YOLOLossWeights(box=0.5, objectness=1.0, classification=0.5))


def test_two_images_are_learnt_by_heart(scene, method):
    image, boxes = scene
    for step in range(50):
        losses = method.step(image, boxes, step=step)
        assert set(losses) == {"box", "objectness", "classification"}
    # Still in training mode: the running statistics of batch norms need some hundred steps.
    found = method.networks["detector"].detect(image, min_score=0.2)
    corners = torch.cat([boxes[..., 1:3] - boxes[..., 3:] / 2, boxes[..., 1:3] + boxes[..., 3:] / 2], -1) * SIZE
    for i in range(2):
        assert match_objects(Objects(corners[i], boxes[i, :, 0].long()), found[i]).min() > 0.5


def test_a_weight_of_zero_removes_a_part(scene):
    torch.manual_seed(0)
    detector = build_yolov5(depth=0.33, width=0.125, num_classes=2, side=SIZE).train()
    optimizer = torch.optim.SGD(detector.parameters(), lr=0.1)
    method = YOLOv5Method(detector, optimizer, YOLOLossWeights(box=0.0, objectness=1.0, classification=0.0))
    before = [conv.bias.detach().view(3, 7).clone() for conv in detector.head.convs]
    assert method.step(*scene, step=0)["box"] == 0
    moved = torch.stack([conv.bias.view(3, 7) - old for conv, old in zip(detector.head.convs, before, strict=True)])
    assert (moved[..., 4] != 0).all()
    assert (moved[..., [0, 1, 2, 3, 5, 6]] == 0).all()
