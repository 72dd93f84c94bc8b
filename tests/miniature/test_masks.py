"""The irregular masks: 512x512, white = hole, thick. tests/data/test_generate_masks.py looks at ratios and borders."""

import cv2
import numpy as np
import pytest
from PIL import Image

from spl.miniature import draw_mask_set

PER_BIN = 8


@pytest.fixture(scope="module")
def masks(tmp_path_factory: pytest.TempPathFactory) -> list[np.ndarray]:
    """Return all masks as stored; shapes (512, 512) uint8."""
    folder = tmp_path_factory.mktemp("masks")
    draw_mask_set(folder, seed=4, per_bin=PER_BIN)
    paths = sorted((folder / "testing_mask_dataset").iterdir())
    assert [path.name for path in paths] == [f"{index:05d}.png" for index in range(6 * PER_BIN)]
    return [np.asarray(Image.open(path)) for path in paths]


def test_masks_are_512_wide_and_white_in_the_hole(masks: list[np.ndarray]) -> None:
    """Were black the hole, the ratios would lie between 0.4 and 0.99."""
    for mask in masks:
        assert mask.shape == (512, 512)
        assert mask.dtype == np.uint8
        assert set(np.unique(mask)) == {0, 255}
    assert len({mask.tobytes() for mask in masks}) == len(masks)


def test_holes_are_thick(masks: list[np.ndarray]) -> None:
    """At least 7 pixels of a 64x64 image somewhere in every mask: thin strokes are what diffusion is good at."""
    for mask in masks:
        padded = np.pad(mask, 64, mode="edge")  # a stroke that leaves the image goes on outside
        assert 2 * cv2.distanceTransform(padded, cv2.DIST_L2, 5).max() >= 7 * 512 / 64 - 4
