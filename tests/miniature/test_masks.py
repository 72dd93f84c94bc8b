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


def touches_border(mask: np.ndarray) -> bool:
    return bool(mask[[0, -1]].any() or mask[:, [0, -1]].any())


def ratio_bin(mask: np.ndarray) -> int:
    """Return 0 for (0.01, 0.1], 1 for (0.1, 0.2], and so on."""
    ratio = float((mask == 255).mean())
    assert ratio > 0.01
    return int(np.ceil(ratio * 10)) - 1


def test_masks_are_512_wide_and_black_or_white(masks: list[np.ndarray]) -> None:
    for mask in masks:
        assert mask.shape == (512, 512)
        assert mask.dtype == np.uint8
        assert set(np.unique(mask)) == {0, 255}


def test_white_is_the_hole(masks: list[np.ndarray]) -> None:
    """Were black the hole, the ratios would lie between 0.4 and 0.99."""
    assert max((mask == 255).mean() for mask in masks) <= 0.6
    assert np.mean([(mask == 255).mean() for mask in masks]) == pytest.approx(0.3, abs=0.05)


def test_the_six_ratio_bins_are_filled_equally(masks: list[np.ndarray]) -> None:
    assert np.bincount([ratio_bin(mask) for mask in masks]).tolist() == [PER_BIN] * 6


def test_half_of_every_bin_touches_the_border(masks: list[np.ndarray]) -> None:
    touching = [ratio_bin(mask) for mask in masks if touches_border(mask)]
    assert np.bincount(touching).tolist() == [PER_BIN // 2] * 6


def test_masks_without_border_contact_keep_their_distance(masks: list[np.ndarray]) -> None:
    for mask in masks:
        if not touches_border(mask):
            assert not mask[:16].any()
            assert not mask[-16:].any()
            assert not mask[:, :16].any()
            assert not mask[:, -16:].any()


def test_holes_are_thick(masks: list[np.ndarray]) -> None:
    """At least 7 pixels of a 64x64 picture somewhere in every mask: thin strokes are what diffusion is good at."""
    for mask in masks:
        padded = np.pad(mask, 64, mode="edge")  # a stroke that leaves the picture goes on outside
        assert 2 * cv2.distanceTransform(padded, cv2.DIST_L2, 5).max() >= 7 * 512 / 64 - 4


def test_all_masks_differ(masks: list[np.ndarray]) -> None:
    assert len({mask.tobytes() for mask in masks}) == len(masks)


def test_the_seed_decides_the_masks(tmp_path: Path) -> None:
    first = "testing_mask_dataset/00000.png"
    for folder, seed in (("a", 1), ("b", 1), ("c", 2)):
        draw_mask_set(tmp_path / folder, seed=seed, per_bin=1)
    assert (tmp_path / "a" / first).read_bytes() == (tmp_path / "b" / first).read_bytes()
    assert (tmp_path / "a" / first).read_bytes() != (tmp_path / "c" / first).read_bytes()
