"""Raw output becomes boxes by the published formulas; of overlapping boxes the likeliest remains."""

import itertools
import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from spl.detection.boxes import MAX_DETECTIONS, Detections, decode, place_in_cells, suppress


def sigmoid(x):
    return 1 / (1 + math.exp(-x))


def overlap(a, b):
    """Intersection over union of two boxes, by the definition."""
    width = min(a[2], b[2]) - max(a[0], b[0])
    height = min(a[3], b[3]) - max(a[1], b[1])
    both = max(width, 0) * max(height, 0)
    return both / ((a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - both)


@pytest.fixture
def random():
    return torch.Generator().manual_seed(0)


def random_boxes(count, random):
    corner, size = torch.rand(count, 2, generator=random), torch.rand(count, 2, generator=random)
    return torch.cat([corner, corner + 0.05 + size], 1) * 10


def test_boxes_and_scores_are_those_of_the_formulas(random):
    anchors = torch.tensor([[1.5, 2.5], [0.5, 1.0]])
    raw = torch.randn(2, 2, 3, 4, 5 + 3, generator=random) * 2
    boxes, scores = decode(raw, anchors=anchors, stride=16)
    expected = []
    for image, anchor, row, column in itertools.product(range(2), range(2), range(3), range(4)):
        x, y, w, h, objectness, *classes = map(sigmoid, raw[image, anchor, row, column].tolist())
        x, y = (2 * x - 0.5 + column) * 16, (2 * y - 0.5 + row) * 16
        w, h = ((2 * side) ** 2 * a * 16 for side, a in zip((w, h), anchors[anchor].tolist(), strict=True))
        expected.append([x - w / 2, y - h / 2, x + w / 2, y + h / 2, *(objectness * c for c in classes)])
    torch.testing.assert_close(torch.cat([boxes, scores], -1).flatten(0, 1), torch.tensor(expected))


@given(x=st.floats(-0.4, 1.4), y=st.floats(-0.4, 1.4), wide=st.floats(0.1, 3.9), high=st.floats(0.1, 3.9))
def test_every_box_that_is_assigned_can_be_predicted(x, y, wide, high):
    """The inverse of the formulas exists for centres up to half a cell outside and for sides up to four anchors."""
    anchor = torch.tensor([2.0, 3.0])
    share = torch.tensor([(x + 0.5) / 2, (y + 0.5) / 2, wide**0.5 / 2, high**0.5 / 2])
    placed = place_in_cells(torch.logit(share), anchor)
    torch.testing.assert_close(placed, torch.tensor([x, y, wide * 2, high * 3]), rtol=1e-3, atol=1e-3)


def test_suppression_is_the_greedy_rule_within_each_class(random):
    boxes, scores = random_boxes(60, random), torch.rand(60, 3, generator=random)
    found = suppress(boxes, scores, min_score=0.5)
    kept = []
    for i in sorted(range(60), key=lambda i: -max(scores[i].tolist())):
        score, label = max(scores[i].tolist()), int(scores[i].argmax())
        rivals = [box for box, _, other in kept if other == label]
        if score > 0.5 and all(overlap(boxes[i].tolist(), box) <= 0.45 for box in rivals):
            kept.append((boxes[i].tolist(), score, label))
    assert len(kept) < int((scores.amax(1) > 0.5).sum())  # the rule had something to do
    expected_boxes, expected_scores, expected_labels = zip(*kept, strict=True)
    assert found.labels.tolist() == list(expected_labels)
    torch.testing.assert_close(found.scores, torch.tensor(expected_scores))
    torch.testing.assert_close(found.boxes, torch.tensor(expected_boxes))


def test_never_more_than_the_most_confident_detections():
    corner = torch.arange(MAX_DETECTIONS + 50.0)[:, None] * 2
    scores = torch.linspace(0.2, 0.9, len(corner))[:, None]
    found = suppress(torch.cat([corner, corner, corner + 1, corner + 1], 1), scores, min_score=0.1)
    assert torch.equal(found.scores, scores[:, 0].flip(0)[:MAX_DETECTIONS])


def test_nothing_above_the_least_score_gives_empty_detections(random):
    found = suppress(random_boxes(5, random), torch.full((5, 2), 0.3), min_score=0.3)
    assert [tuple(part.shape) for part in found] == [(0, 4), (0,), (0,)]
    assert found.labels.dtype == torch.int64


def test_detections_are_clipped_and_scaled():
    found = Detections(torch.tensor([[-3.0, 2.0, 9.0, 30.0]]), torch.tensor([0.5]), torch.tensor([4]))
    assert found.clipped(height=20, width=8).boxes.tolist() == [[0, 2, 8, 20]]
    assert found.scaled(0.5).boxes.tolist() == [[-1.5, 1, 4.5, 15]]
    assert found.scaled(0.5).labels.tolist() == [4]
