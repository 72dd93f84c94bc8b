"""What holes hide can be inferred from context: hidden object classes are predicted from visible pixels only.

A ridge classifier on a 16x16 grid of colour statistics, without the cells of one large hole, says for every
class whether an object of it lies inside the hole. Chance is a balanced accuracy of 0.5, whatever the majority is.
"""

from typing import NamedTuple

import numpy as np
import pytest
from PIL import Image

from spl.miniature.canvas import AnnotatedImage
from spl.miniature.images import OBJECT_CLASSES, SETS, draw_image

GRID = 16
TRAIN, TEST = 150, 75
CHANCE = 0.5
RIDGE = 2.0
INSIDE = 0.9  # share of its box that makes an object hidden


class Hole(NamedTuple):
    """Cells of the 16x16 grid, ends excluded."""

    left: int
    top: int
    right: int
    bottom: int


HOLE = Hole(4, 2, 12, 14)  # 37.5 % of the image, in its middle


def visible_pixels(image: AnnotatedImage) -> np.ndarray:
    """Return mean and spread of the colours in every cell outside the hole.

    Shapes: returns (F,). The hole lies on whole cells, so nothing leaks out of it.
    """
    visible = np.ones((GRID, GRID), dtype=bool)
    visible[HOLE.top : HOLE.bottom, HOLE.left : HOLE.right] = False
    fine = np.asarray(image.image.resize((4 * GRID, 4 * GRID), Image.Resampling.BILINEAR), dtype=float) / 255
    cells = fine.reshape(GRID, 4, GRID, 4, 3).swapaxes(1, 2)[visible]  # (cells, 4, 4, 3)
    return np.concatenate([cells.mean(axis=(1, 2)).ravel(), 2 * cells.std(axis=(1, 2)).ravel()])


def hidden_classes(image: AnnotatedImage) -> list[bool]:
    """Tell for every class of the vocabulary whether the hole hides an object of it."""
    scale = np.array(image.image.size * 2) / GRID
    left, top, right, bottom = np.array(HOLE) * scale
    hidden = set()
    for item in image.objects:
        x0, y0, x1, y1 = item.box
        shared = max(min(x1, right) - max(x0, left), 0) * max(min(y1, bottom) - max(y0, top), 0)
        if shared >= INSIDE * (x1 - x0) * (y1 - y0):
            hidden.add(item.label)
    return [label in hidden for label in OBJECT_CLASSES]


def balanced_accuracy(features: np.ndarray, present: np.ndarray) -> float:
    """Fit a class-balanced ridge classifier on the first TRAIN images and score it on the others.

    Shapes: features (TRAIN + TEST, F); present (TRAIN + TEST,) bool.
    """
    centred = features - features[:TRAIN].mean(axis=0)
    kernel = centred @ centred[:TRAIN].T
    frequency = np.where(present[:TRAIN], present[:TRAIN].mean(), 1 - present[:TRAIN].mean())
    signs = np.where(present[:TRAIN], 1.0, -1.0)
    weights = np.linalg.solve(kernel[:TRAIN] + np.diag(2 * RIDGE * frequency), signs)
    predicted, truth = kernel[TRAIN:] @ weights > 0, present[TRAIN:]
    return float(predicted[truth].mean() + (~predicted)[~truth].mean()) / 2


def undecided(present: np.ndarray) -> bool:
    """Tell whether a class is neither nearly always nor nearly never hidden."""
    return 0.15 < present.mean() < 0.85


@pytest.mark.parametrize("name", SETS)
def test_hidden_classes_are_predicted_from_the_visible_part(name: str) -> None:
    images = [draw_image(name, seed=11, split="train", index=index) for index in range(TRAIN + TEST)]
    features = np.stack([visible_pixels(image) for image in images])
    hidden = np.array([hidden_classes(image) for image in images])
    classes = [column for column in hidden.T if undecided(column)]
    assert len(classes) >= 2

    from_context = np.mean([balanced_accuracy(features, present) for present in classes])
    shuffle = np.random.default_rng(0).permutation(TRAIN + TEST)
    from_another_image = np.mean([balanced_accuracy(features[shuffle], present) for present in classes])

    assert from_context >= CHANCE + 0.15
    assert from_another_image <= CHANCE + 0.1
