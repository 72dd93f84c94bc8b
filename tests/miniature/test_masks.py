"""The irregular masks: 512x512, white = hole, every ratio bin filled equally, half of them at the border."""

from pathlib import Path

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


def ratio_bin(mask: np.ndarray) -> int:
    """Return 0 for (0.01, 0.1], 1 for (0.1, 0.2], and so on."""
    ratio = float((mask == 255).mean())
    assert ratio > 0.01
    return int(np.ceil(ratio * 10)) - 1


def test_masks_are_512_wide_and_white_in_the_hole(masks: list[np.ndarray]) -> None:
    """Were black the hole, the ratios would lie between 0.4 and 0.99."""
    for mask in masks:
        assert mask.shape == (512, 512)
        assert mask.dtype == np.uint8
        assert set(np.unique(mask)) == {0, 255}
    assert len({mask.tobytes() for mask in masks}) == len(masks)


def test_the_six_ratio_bins_are_filled_equally_and_half_of_each_touches_the_border(masks: list[np.ndarray]) -> None:
    touching = [mask[[0, -1]].any() or mask[:, [0, -1]].any() for mask in masks]
    bins = np.array([ratio_bin(mask) for mask in masks])
    assert np.bincount(bins).tolist() == [PER_BIN] * 6
    assert np.bincount(bins[touching]).tolist() == [PER_BIN // 2] * 6
    for mask, touches in zip(masks, touching, strict=True):
        assert touches or not mask.sum() - mask[16:-16, 16:-16].sum()  # the others keep their distance


def test_holes_are_thick(masks: list[np.ndarray]) -> None:
    """At least 7 pixels of a 64x64 image somewhere in every mask: thin strokes are what diffusion is good at."""
    for mask in masks:
        padded = np.pad(mask, 64, mode="edge")  # a stroke that leaves the image goes on outside
        assert 2 * cv2.distanceTransform(padded, cv2.DIST_L2, 5).max() >= 7 * 512 / 64 - 4


def test_the_seed_decides_the_masks(tmp_path: Path) -> None:
    drawn = []
    for folder, seed in (("a", 1), ("b", 1), ("c", 2)):
        draw_mask_set(tmp_path / folder, seed=seed, per_bin=1)
        drawn.append((tmp_path / folder / "testing_mask_dataset/00000.png").read_bytes())
    assert drawn[0] == drawn[1] != drawn[2]
