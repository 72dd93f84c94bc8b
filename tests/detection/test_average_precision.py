"""Average precision against hand-worked cases and its definition; objects found again are counted once."""

import itertools

import pytest
import torch

from spl.detection.average_precision import Objects, average_precision, match_objects, mean_average_precision
from spl.detection.boxes import Detections
from tests.detection.test_boxes import overlap


def objects(*rows):
    """Rows of (label, left, top, right, bottom)."""
    rows = torch.tensor(rows, dtype=torch.float32).view(-1, 5)
    return Objects(rows[:, 1:], rows[:, 0].long())


def detections(*rows):
    """Rows of (label, score, left, top, right, bottom)."""
    rows = torch.tensor(rows, dtype=torch.float32).view(-1, 6)
    return Detections(rows[:, 2:], rows[:, 1], rows[:, 0].long())


A, B, ELSEWHERE = (0, 0, 10, 10), (20, 0, 30, 10), (50, 50, 60, 60)


PAIR = [objects((0, *A), (0, *B))]
BY_HAND = {
    "right, wrong, right: precision 1 at recall 1/2, then 2/3 at recall 1": (
        PAIR, [detections((0, 0.9, *A), (0, 0.8, *ELSEWHERE), (0, 0.7, *B))], 1 / 2 + 1 / 3
    ),
    "wrong, right, right: the 2/3 at recall 1 counts also for the 1/2 at recall 1/2": (
        PAIR, [detections((0, 0.9, *ELSEWHERE), (0, 0.8, *A), (0, 0.7, *B))], 2 / 3
    ),
    "a second detection of an object is wrong": (PAIR, [detections((0, 0.9, *A), (0, 0.8, *A), (0, 0.7, *B))], 5 / 6),
    "one ranking for all images: a sure mistake in one stands before the right detection in another": (
        [objects((0, *A)), objects()], [detections((0, 0.5, *A)), detections((0, 0.9, *A))], 1 / 2
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", BY_HAND)
def test_cases_worked_by_hand(case):
    reference, found, expected = BY_HAND[case]
    assert average_precision(reference, found, num_classes=1).tolist() == [pytest.approx(expected)]


@pytest.mark.parametrize(("shift", "expected"), [(3.3, 1.0), (3.4, 0.0)])
def test_an_overlap_of_one_half_decides(shift, expected):
    """Two squares of side 10, one shifted by s, overlap by (10 - s) / (10 + s): one half at 10/3."""
    found = [detections((0, 0.9, shift, 0, 10 + shift, 10))]
    assert average_precision([objects((0, *A))], found, num_classes=1).tolist() == [expected]
    assert bool(match_objects(objects((0, *A)), found[0]) > 0) == bool(expected)


def test_classes_are_judged_apart_and_absent_ones_do_not_count():
    reference = [objects((0, *A), (2, *B))]
    found = [detections((0, 0.9, *A), (1, 0.9, *B))]
    values = average_precision(reference, found, num_classes=4)
    assert values[[0, 2]].tolist() == [1, 0]
    assert values[[1, 3]].isnan().all()
    assert mean_average_precision(reference, found, num_classes=4) == 0.5


def by_definition(reference, found, label, iou):
    """Average precision with plain lists: at every recall level, the best precision at that level or above."""
    objects_ = {
        image: [box for box, own in zip(r.boxes.tolist(), r.labels.tolist(), strict=True) if own == label]
        for image, r in enumerate(reference)
    }
    total = sum(map(len, objects_.values()))
    ranked = sorted(
        (
            (-score, image, box)
            for image, f in enumerate(found)
            for box, score, own in zip(f.boxes.tolist(), f.scores.tolist(), f.labels.tolist(), strict=True)
            if own == label
        ),
        key=lambda row: row[0],
    )
    right, curve = 0, []
    for rank, (_, image, box) in enumerate(ranked, start=1):
        free = sorted(objects_[image], key=lambda other: -overlap(box, other))
        if free and overlap(box, free[0]) >= iou:
            objects_[image].remove(free[0])
            right += 1
        curve.append((right, right / rank))
    levels = [max((p for reached, p in curve if reached >= level), default=0.0) for level in range(1, total + 1)]
    return sum(levels) / total


def crowd(seed, images=6):
    """Random objects, and detections that are shaken copies of them, doubles, wrong classes and inventions."""
    random = torch.Generator().manual_seed(seed)
    reference, found = [], []
    for _ in range(images):
        corner = torch.rand(8, 2, generator=random) * 30
        boxes = torch.cat([corner, corner + 4 + torch.rand(8, 2, generator=random) * 10], 1)
        labels = torch.randint(0, 3, (8,), generator=random)
        reference.append(Objects(boxes, labels))
        copies = boxes.repeat(2, 1) + torch.randn(16, 4, generator=random)
        others = torch.where(torch.rand(16, generator=random) < 0.8, labels.repeat(2), 1)
        found.append(Detections(copies, torch.rand(16, generator=random), others))
    return reference, found


@pytest.mark.parametrize(("seed", "iou"), itertools.product(range(3), (0.5, 0.75)))
def test_equals_the_definition(seed, iou):
    reference, found = crowd(seed)
    values = average_precision(reference, found, num_classes=3, iou=iou)
    expected = [by_definition(reference, found, label, iou) for label in range(3)]
    assert 0.1 < sum(expected) / 3 < 0.9
    assert values.tolist() == pytest.approx(expected)


def test_perfect_and_absent_detections():
    reference, _ = crowd(0)
    perfect = [Detections(r.boxes, torch.linspace(0.1, 0.9, len(r.labels)), r.labels) for r in reference]
    assert mean_average_precision(reference, perfect, num_classes=3) == 1
    assert mean_average_precision(reference, [detections() for _ in reference], num_classes=3) == 0


# --- Objects found again ----------------------------------------------------------------------------------------------


def test_each_object_gets_the_score_of_its_own_detection():
    found = detections((1, 0.6, 21, 0, 31, 10), (0, 0.8, 1, 0, 11, 10), (0, 0.9, *ELSEWHERE))
    reference = objects((0, *A), (1, *B), (1, *A))
    torch.testing.assert_close(match_objects(reference, found), torch.tensor([0.8, 0.6, 0.0]))


@pytest.mark.parametrize(
    ("others", "scores"),
    [([], [0.0, 0.9]), ([(0, 0.3, 4, 0, 14, 10)], [0.0, 0.9]), ([(0, 0.3, -1, 0, 9, 10)], [0.3, 0.9])],
)
def test_the_closest_pair_is_made_first_and_a_detection_serves_once(others, scores):
    """One detection between two objects goes to the closer; the other object takes what is left, or nothing."""
    reference = objects((0, 0, 0, 10, 10), (0, 2, 0, 12, 10))
    found = detections((0, 0.9, 1.5, 0, 11.5, 10), *others)
    torch.testing.assert_close(match_objects(reference, found), torch.tensor(scores))


@pytest.mark.parametrize("seed", range(3))
def test_matching_does_not_depend_on_the_order(seed):
    (reference, *_), (found, *_) = crowd(seed)
    expected = match_objects(reference, found)
    assert torch.equal(match_objects(found, found), found.scores)  # detections find themselves
    order, other = torch.randperm(8), torch.randperm(16)
    shuffled = match_objects(
        Objects(reference.boxes[order], reference.labels[order]), Detections(*(part[other] for part in found))
    )
    assert torch.equal(shuffled, expected[order])
    used = expected[expected > 0].tolist()
    assert 0 < len(used) == len(set(used))
    assert set(used) <= set(found.scores.tolist())


def test_nothing_to_match():
    assert match_objects(objects(), detections((0, 0.9, *A))).tolist() == []
    assert match_objects(objects((0, *A)), detections()).tolist() == [0]
