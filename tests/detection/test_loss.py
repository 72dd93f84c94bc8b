"""The detector's loss: who answers for an object, and what the answers cost, against plain loops over all cells."""

import itertools
import math

import pytest
import torch

from spl.detection.loss import assign, yolo_loss

ANCHORS = torch.tensor([[1.0, 1.0], [2.0, 4.0], [6.0, 5.0]])
NONE = [-1.0, 0.0, 0.0, 0.0, 0.0]


def assigned_by_loops(boxes, anchors, height, width):
    """The published rule, cell by cell: {(image, anchor, row, column, label, x, y, w, h)}."""
    pairs = []
    for image, listed in enumerate(boxes.tolist()):
        for label, x, y, w, h in listed:
            if label < 0:
                continue
            x, y, w, h = x * width, y * height, w * width, h * height
            column, row = min(int(x), width - 1), min(int(y), height - 1)
            cells = [(row, column)]
            if x - column != 0.5:
                cells.append((row, column - 1 if x - column < 0.5 else column + 1))
            if y - row != 0.5:
                cells.append((row - 1 if y - row < 0.5 else row + 1, column))
            for anchor, (anchor_w, anchor_h) in enumerate(anchors.tolist()):
                if max(w / anchor_w, anchor_w / w, h / anchor_h, anchor_h / h) < 4:
                    pairs += [
                        (image, anchor, r, c, int(label), x - c, y - r, w, h)
                        for r, c in cells
                        if 0 <= r < height and 0 <= c < width
                    ]
    return sorted(pairs)


def complete_iou(a, b):
    """CIoU of two boxes (x, y, w, h) as Zheng et al. (2020) define it."""
    (ax0, ay0, ax1, ay1), (bx0, by0, bx1, by1) = ((x - w / 2, y - h / 2, x + w / 2, y + h / 2) for x, y, w, h in (a, b))
    both = max(0, min(ax1, bx1) - max(ax0, bx0)) * max(0, min(ay1, by1) - max(ay0, by0))
    iou = both / (a[2] * a[3] + b[2] * b[3] - both)
    diagonal = (max(ax1, bx1) - min(ax0, bx0)) ** 2 + (max(ay1, by1) - min(ay0, by0)) ** 2
    distance = (a[0] - b[0]) ** 2 + (a[1] - b[1]) ** 2
    v = 4 / math.pi**2 * (math.atan(b[2] / b[3]) - math.atan(a[2] / a[3])) ** 2
    return iou - distance / diagonal - (v * v / (1 - iou + v) if v else 0)


def entropy(logit, target):
    p = 1 / (1 + math.exp(-logit))
    return -target * math.log(p) - (1 - target) * math.log(1 - p)


def loss_by_loops(predictions, boxes, anchors):
    total = {"box": 0.0, "objectness": 0.0, "classification": 0.0}
    for raw, scale_anchors, balance in zip(predictions, anchors, (4.0, 1.0, 0.4), strict=True):
        images, number, height, width, _ = raw.shape
        pairs = assigned_by_loops(boxes, scale_anchors, height, width)
        reached, distances, entropies = {}, [], []
        for image, anchor, row, column, label, *box in pairs:
            logits = raw[image, anchor, row, column].tolist()
            s = [1 / (1 + math.exp(-logit)) for logit in logits]
            sides = [(2 * share) ** 2 * a for share, a in zip(s[2:4], scale_anchors[anchor].tolist(), strict=True)]
            quality = complete_iou([2 * s[0] - 0.5, 2 * s[1] - 0.5, *sides], box)
            cell = image, anchor, row, column
            reached[cell] = max(reached.get(cell, 0.0), quality)
            distances.append(1 - quality)
            entropies += [entropy(logit, float(i == label)) for i, logit in enumerate(logits[5:])]
        cells = itertools.product(*map(range, (images, number, height, width)))
        objectness = [entropy(raw[*cell, 4].item(), reached.get(cell, 0.0)) for cell in cells]
        total["objectness"] += balance * sum(objectness) / len(objectness)
        if pairs:
            total["box"] += sum(distances) / len(distances)
            total["classification"] += sum(entropies) / len(entropies)
    return total


@pytest.fixture
def scene():
    """Raw predictions on three scales and boxes of all sizes: crowded, at the edges, and one image without any."""
    random = torch.Generator().manual_seed(0)
    predictions = [torch.randn(3, 3, size, size, 5 + 4, generator=random) for size in (8, 4, 2)]
    boxes = torch.rand(3, 12, 5, generator=random)
    boxes[..., 3:] = boxes[..., 3:] ** 2 * 0.9 + 0.05
    boxes[..., 0] = torch.randint(0, 4, (3, 12), generator=random)
    boxes[0, 0, 1:3] = torch.tensor([1.0, 0.35])
    boxes[1, 5:, 0] = -1
    boxes[2, :, 0] = -1
    anchors = torch.stack([ANCHORS, ANCHORS / 2, ANCHORS / 4])
    return predictions, boxes, anchors


def test_anchors_answer_for_up_to_four_times_their_size_in_a_cell_and_the_two_nearest():
    for wide, high, anchors in ((3.99, 1, {0}), (2, 1.01, {0, 1}), (0.2, 0.2, set())):
        found = assign(torch.tensor([[[2, 2.3 / 8, 4.8 / 8, wide / 8, high / 8]]]), ANCHORS, height=8, width=8)
        assert set(found.anchor.tolist()) == anchors
        cells = set(zip(found.row.tolist(), found.column.tolist(), strict=True))
        assert cells == ({(4, 1), (4, 2), (5, 2)} if anchors else set())


@pytest.mark.parametrize(("height", "width"), [(5, 7), (1, 1), (6, 4)])
def test_assignment_equals_the_rule_cell_by_cell(scene, height, width):
    _, boxes, _ = scene
    expected = assigned_by_loops(boxes, ANCHORS, height, width)
    found = assign(boxes, ANCHORS, height=height, width=width)
    columns = (found.image, found.anchor, found.row, found.column, found.labels, *found.boxes.unbind(1))
    assert len(found.row) == len(expected) > 4
    rows = sorted(zip(*(column.tolist() for column in columns), strict=True))
    torch.testing.assert_close(torch.tensor(rows), torch.tensor(expected))


def test_loss_equals_loops_over_all_cells(scene):
    predictions, boxes, anchors = scene
    losses = {name: loss.item() for name, loss in yolo_loss(predictions, boxes, anchors).items()}
    assert losses == pytest.approx(loss_by_loops(predictions, boxes, anchors), rel=1e-4)


@pytest.mark.parametrize("order", [[0, 1], [1, 0]])
def test_of_objects_that_share_a_cell_the_one_best_predicted_counts(order):
    """Each cell predicts the anchor in its middle; two concentric objects differ from it in size."""
    anchors = torch.stack([ANCHORS[:1] * 2] * 3)
    predictions = [torch.zeros(1, 1, size, size, 5 + 2) for size in (8, 4, 2)]
    for raw in predictions:
        raw[..., 4] = 2  # at 0, every target would cost the same
    pair = torch.tensor([[[0, 2.5 / 8, 2.5 / 8, 2.2 / 8, 2 / 8], [1, 2.5 / 8, 2.5 / 8, 2.6 / 8, 2 / 8]]])
    expected = loss_by_loops(predictions, pair, anchors)
    losses = yolo_loss(predictions, pair[:, order], anchors)
    assert {name: loss.item() for name, loss in losses.items()} == pytest.approx(expected)


def test_padding_and_order_of_the_boxes_change_nothing(scene):
    predictions, boxes, anchors = scene
    expected = yolo_loss(predictions, boxes, anchors)
    padding = torch.tensor(NONE).expand(3, 4, 5)
    shuffled = torch.cat([padding, boxes.flip(1)], 1)
    torch.testing.assert_close(yolo_loss(predictions, shuffled, anchors), expected)


def test_images_without_objects_teach_that_nothing_is_there(scene):
    predictions, boxes, anchors = scene
    predictions = [raw.requires_grad_() for raw in predictions]
    losses = yolo_loss(predictions, torch.tensor(NONE).expand_as(boxes), anchors)
    assert losses["box"] == losses["classification"] == 0
    sum(losses.values()).backward()
    assert all((raw.grad[..., 4] > 0).all() for raw in predictions)
    assert all(raw.grad[..., [0, 1, 2, 3, 5, 6, 7, 8]].abs().sum() == 0 for raw in predictions)


def test_objectness_does_not_pull_at_the_boxes(scene):
    """The overlap is its target, a constant."""
    predictions, boxes, anchors = scene
    predictions = [raw.requires_grad_() for raw in predictions]
    yolo_loss(predictions, boxes, anchors)["objectness"].backward()
    assert all(raw.grad[..., :4].abs().sum() == 0 for raw in predictions)
