"""The evidence has a row for every pair, and empty cells where there is nothing to measure."""

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image

from spl.common.files import sha256
from spl.evaluation.metrics import measure
from spl.evaluation.per_image import evaluate
from spl.tensors.compositing import composite, quantise

CPU = torch.device("cpu")
SIZE = 16


class Pairs(torch.utils.data.Dataset):
    """Three random images; the hole of the second one has vanished, the third one will be filled perfectly."""

    def __init__(self):
        self.table = pd.DataFrame({
            "image": [f"test/{i}.png" for i in range(3)],
            "image_sha256": ["a", "b", "c"],
            "mask": [f"m{i}.png" for i in range(3)],
            "mask_sha256": ["d", "e", "f"],
            "hole_ratio": [0.25, 0.0001, 0.25],
            "ratio_bin": ["20-30", "00-10", "20-30"],
        })  # fmt: skip
        codes = torch.randint(256, (3, 3, SIZE, SIZE), generator=torch.Generator().manual_seed(0))
        self.images, self.masks = codes / 255, torch.zeros(3, 1, SIZE, SIZE)
        self.masks[::2, :, 4:12, 4:12] = 1
        self.images[2] = 0.5

    def __len__(self):
        return 3

    def __getitem__(self, i):
        return self.images[i], self.masks[i]


def fill(image, mask):
    """Grey."""
    return torch.full_like(image, 0.5)


@pytest.fixture
def evidence(tmp_path):
    evaluate(fill, Pairs(), tmp_path, batch_size=2, device=CPU)
    return tmp_path


def test_every_pair_has_every_metric_of_its_quantised_image(evidence):
    pairs = Pairs()
    table = pd.read_csv(evidence / "per_image.csv", dtype={"ratio_bin": str})
    pd.testing.assert_frame_equal(table[list(pairs.table)], pairs.table)
    filled = quantise(composite(fill(pairs.images, pairs.masks), pairs.images, pairs.masks))
    expected = measure(filled, quantise(pairs.images), pairs.masks)
    assert list(table) == [*pairs.table, *expected, "composited_sha256"]
    for name, values in expected.items():
        np.testing.assert_allclose(table[name], values, atol=1e-6)
    for i, image in enumerate(filled):
        saved = np.asarray(Image.open(evidence / f"composited/{i}.png"))
        np.testing.assert_array_equal(saved, image.permute(1, 2, 0))
        assert table["composited_sha256"][i] == sha256(evidence / f"composited/{i}.png")


def test_a_vanished_hole_leaves_empty_cells_and_a_perfect_fill_is_infinite(evidence):
    table = pd.read_csv(evidence / "per_image.csv", dtype=str, keep_default_na=False)
    assert list(table["psnr_hole"] == "") == list(table["mae_hole"] == "") == [False, True, False]
    assert list(table["psnr_hole"] == "inf") == [False, False, True]
    assert list(table["psnr"] == "inf") == [False, True, True]
