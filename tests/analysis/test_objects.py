"""Objects count if the mask hides at least half of them, and are found again by class and overlap."""

import numpy as np
import pandas as pd
import pytest

from spl.analysis.objects import BOX, match_occluded_objects
from tests.analysis.fabricate import write_masked

SIZE = 32
COLUMNS = ["image", "label", "score", *BOX]


@pytest.fixture
def find(tmp_path):
    """A function that writes detections for images whose left half is missing, and matches them."""

    def run(truth, **methods):
        write_masked(tmp_path / "data", "places2", ["a.png", "b.png", "c.png"], np.tile(np.arange(64) < 32, (64, 1)))
        (tmp_path / "detections/places2").mkdir(parents=True)
        for name, rows in {"ground_truth": truth, **methods}.items():
            pd.DataFrame(rows, columns=COLUMNS).to_csv(tmp_path / f"detections/places2/{name}.csv", index=False)
        found = match_occluded_objects(
            "places2", list(methods), detections=tmp_path / "detections", data=tmp_path / "data", image_size=SIZE
        )
        return {method: [scores.round(6).tolist() for scores in images] for method, images in found.items()}

    return run


LEFT, RIGHT = (2, 2, 12, 12), (20, 2, 30, 12)


def test_only_hidden_objects_count(find):
    truth = [("a.png", "car", 0.9, *LEFT), ("a.png", "car", 0.9, *RIGHT), ("b.png", "car", 0.9, *RIGHT)]
    assert find(truth, spl=[("a.png", "car", 0.7, *LEFT)]) == {"spl": [[0.7]]}


def test_an_object_needs_its_class_its_place_and_its_image(find):
    truth = [("a.png", "car", 0.9, *LEFT), ("b.png", "tree", 0.9, *LEFT)]
    found = find(
        truth,
        right=[("a.png", "car", 0.6, 3, 3, 12, 12), ("b.png", "tree", 0.5, *LEFT)],
        other_class=[("a.png", "tree", 0.6, *LEFT)],
        elsewhere=[("a.png", "car", 0.6, 8, 8, 18, 18)],
        nothing=[],
    )
    assert found == {"right": [[0.6], [0.5]]} | {name: [[0], [0]] for name in ("other_class", "elsewhere", "nothing")}


def test_one_detection_finds_one_object(find):
    truth = [("a.png", "car", 0.9, *LEFT), ("a.png", "car", 0.8, 2, 2, 12, 11)]
    found = find(truth, spl=[("a.png", "car", 0.7, *LEFT)])
    assert found == {"spl": [[0.7, 0]]}
