"""The detector's loss: who answers for an object, and what the answers cost, against plain loops over all cells."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from spl.detection.loss import assign, yolo_loss

ANCHORS = torch.tensor([[1.0, 1.0], [2.0, 4.0], [6.0, 5.0]])
NONE = [-1.0, 0.0, 0.0, 0.0, 0.0]


def assigned_by_loops(boxes, anchors, height, width):
    """The published rule, cell by cell: {(picture, anchor, row, column, label, x, y, w, h)}."""
    pairs = []
    for picture, listed in enumerate(boxes.tolist()):
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
                        (picture, anchor, r, c, int(label), x - c, y - r, w, h)
                        for r, c in cells
                        if 0 <= r < height and 0 <= c < width
                    ]
    return sorted(pairs)


def as_tuples(found):
    columns = [found.picture, found.anchor, found.row, found.column, found.labels, *found.boxes.unbind(1)]
    return sorted(zip(*(column.tolist() for column in columns), strict=True))


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
        pictures, number, height, width, outputs = raw.shape
        pairs = assigned_by_loops(boxes, scale_anchors, height, width)
        reached, distances, entropies = {}, [], []
        for picture, anchor, row, column, label, *box in pairs:
            logits = raw[picture, anchor, row, column].tolist()
            s = [1 / (1 + math.exp(-logit)) for logit in logits]
            sides = [(2 * share) ** 2 * a for share, a in zip(s[2:4], scale_anchors[anchor].tolist(), strict=True)]
            quality = complete_iou([2 * s[0] - 0.5, 2 * s[1] - 0.5, *sides], box)
            cell = picture, anchor, row, column
            reached[cell] = max(reached.get(cell, 0.0), quality)
            distances.append(1 - quality)
            entropies += [entropy(logit, float(i == label)) for i, logit in enumerate(logits[5:])]
        cells = [
            (p, a, r, c) for p in range(pictures) for a in range(number) for r in range(height) for c in range(width)
        ]
        objectness = [entropy(raw[*cell, 4].item(), reached.get(cell, 0.0)) for cell in cells]
        total["objectness"] += balance * sum(objectness) / len(objectness)
        if pairs:
            total["box"] += sum(distances) / len(distances)
            total["classification"] += sum(entropies) / len(entropies)
    return total


@pytest.fixture
def scene():
    """Raw predictions on three scales and boxes of all sizes: crowded, at the edges, and one picture without any."""
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


def test_an_object_belongs_to_its_cell_and_the_two_nearest():
    boxes = torch.tensor([[[2, 2.3 / 8, 4.8 / 8, 1.5 / 8, 1.2 / 8], NONE]])
    found = assign(boxes, ANCHORS[:1], height=8, width=8)
    assert sorted(zip(found.row.tolist(), found.column.tolist(), strict=True)) == [(4, 1), (4, 2), (5, 2)]
    assert found.labels.tolist() == [2, 2, 2]


def test_anchors_answer_for_up_to_four_times_their_size():
    boxes = torch.tensor([[[0, 0.5, 0.5, 3.99 / 8, 1 / 8]]])
    assert set(assign(boxes, ANCHORS, height=8, width=8).anchor.tolist()) == {0}
    boxes = torch.tensor([[[0, 0.5, 0.5, 2 / 8, 1.01 / 8]]])
    assert set(assign(boxes, ANCHORS, height=8, width=8).anchor.tolist()) == {0, 1}
    boxes = torch.tensor([[[0, 0.5, 0.5, 0.2 / 8, 0.2 / 8]]])
    assert assign(boxes, ANCHORS, height=8, width=8).anchor.tolist() == []


def test_assignment_equals_the_rule_cell_by_cell(scene):
    _, boxes, _ = scene
    expected = assigned_by_loops(boxes, ANCHORS, 5, 7)
    found = as_tuples(assign(boxes, ANCHORS, height=5, width=7))
    assert len(found) == len(expected) > 30
    torch.testing.assert_close(torch.tensor(found), torch.tensor(expected))


@given(
    st.lists(
        st.tuples(st.integers(0, 3), st.floats(0, 1), st.floats(0, 1), st.floats(0.01, 1), st.floats(0.01, 1)),
        min_size=1,
        max_size=6,
    )
)
def test_assigned_boxes_are_within_reach_of_their_cells(objects):
    found = assign(torch.tensor([objects]), ANCHORS, height=6, width=4)
    assert ((found.row >= 0) & (found.row < 6) & (found.column >= 0) & (found.column < 4)).all()
    assert (found.boxes[:, :2] >= -0.5).all()
    assert (found.boxes[:, :2] <= 1.5).all()
    assert (found.boxes[:, 2:] < 4 * ANCHORS[found.anchor]).all()
    assert (found.boxes[:, 2:] > ANCHORS[found.anchor] / 4).all()


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


def test_right_predictions_cost_nothing():
    """Raw outputs made from the objects by the inverse of the published formulas."""
    anchors = torch.stack([ANCHORS, ANCHORS * 100, ANCHORS * 100])
    boxes = torch.tensor([[[1, 2.3 / 8, 4.8 / 8, 2.1 / 8, 3.2 / 8]]])
    predictions = [torch.full((1, 3, size, size, 5 + 2), -20.0) for size in (8, 4, 2)]
    for picture, anchor, row, column, label, x, y, w, h in assigned_by_loops(boxes, ANCHORS, 8, 8):
        wide, high = ((side / a) ** 0.5 / 2 for side, a in zip((w, h), ANCHORS[anchor].tolist(), strict=True))
        share = torch.tensor([(x + 0.5) / 2, (y + 0.5) / 2, wide, high])
        cell = predictions[0][picture, anchor, row, column]
        cell[:4], cell[4], cell[5 + label] = torch.logit(share), 20, 20
    assert all(loss.item() == pytest.approx(0, abs=1e-4) for loss in yolo_loss(predictions, boxes, anchors).values())


def test_pictures_without_objects_teach_that_nothing_is_there(scene):
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
