"""The evidence has a row for every pair, and empty cells where there is nothing to measure."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image

from spl.common.files import sha256
from spl.data.stored import FilledImages
from spl.evaluation import meter
from spl.evaluation.metrics import measure
from spl.evaluation.per_image import evaluate
from spl.tensors.compositing import composite, quantise

CPU = torch.device("cpu")
SIZE = 16


class Pairs(torch.utils.data.Dataset):
    """Three pairs, the first and the last of one image; the second hole has vanished, the last one will be perfect."""

    def __init__(self, times=1):
        self.table = pd.concat(times * [pd.DataFrame({
            "image": ["test/0.png", "test/1.png", "test/0.png"],
            "image_sha256": ["a", "b", "a"],
            "mask": [f"m{i}.png" for i in range(3)],
            "mask_sha256": ["d", "e", "f"],
            "hole_ratio": [0.25, 0.0001, 0.25],
            "ratio_bin": ["20-30", "00-10", "20-30"],
        })], ignore_index=True)  # fmt: skip
        codes = torch.randint(256, (3, 3, SIZE, SIZE), generator=torch.Generator().manual_seed(0))
        self.images, self.masks = codes / 255, torch.zeros(3, 1, SIZE, SIZE)
        self.masks[::2, :, 4:12, 4:12] = 1
        self.images[2] = 0.5

    def __len__(self):
        return len(self.table)

    def __getitem__(self, i):
        return self.images[i % 3], self.masks[i % 3]


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
    both = composite(fill(pairs.images, pairs.masks), pairs.images, pairs.masks), pairs.images
    filled, truth = (quantise(x).permute(0, 2, 3, 1).contiguous().numpy() for x in both)
    expected = pd.DataFrame(map(measure, filled, truth, pairs.masks[:, 0].bool().numpy()))
    assert list(table) == [*pairs.table, *expected, "composited_sha256"]
    np.testing.assert_allclose(table[list(expected)], expected, atol=1e-6)
    for i, name in enumerate(["0.png", "1.png", "2/0.png"]):
        saved = np.asarray(Image.open(evidence / "composited" / name))
        np.testing.assert_array_equal(saved, filled[i])
        assert table["composited_sha256"][i] == sha256(evidence / "composited" / name)
        np.testing.assert_array_equal(FilledImages(evidence / "per_image.csv").pixels(i), saved)


def test_a_vanished_hole_leaves_empty_cells_and_a_perfect_fill_is_infinite(evidence):
    table = pd.read_csv(evidence / "per_image.csv", dtype=str, keep_default_na=False)
    assert list(table["psnr_hole"] == "") == list(table["mae_hole"] == "") == [False, True, False]
    assert list(table["psnr_hole"] == "inf") == [False, False, True]
    assert list(table["psnr"] == "inf") == [False, True, True]


@pytest.mark.parametrize(
    ("takes", "told_after", "remaining"),
    [
        ((9, 4, 4, 4, 4, 4), 2, "about 16 s for the remaining 8"),  # the first batch is slower
        ((11, 4, 4, 4, 4, 4), 1, "about 55 s for the remaining 10"),  # one takes so long that nobody wants to wait
        ((600, 600, 600, 600, 600, 600), 1, "about 50 min for the remaining 10"),
        ((9,), None, None),
        ((9, 4), None, None),  # nothing remains
    ],
)
def test_time_and_memory_are_told_before_the_long_part(tmp_path, monkeypatch, capsys, takes, told_after, remaining):
    now, told = 0, []

    def slow(image, mask):
        nonlocal now
        told.append(capsys.readouterr().err)
        now += takes[len(told) - 1]
        return fill(image, mask)

    monkeypatch.setattr(meter, "time", SimpleNamespace(perf_counter=lambda: now))
    evaluate(slow, Pairs(4), tmp_path, batch_size=-(-12 // len(takes)), device=CPU)
    told.append(capsys.readouterr().err)
    assert [i for i, lines in enumerate(told) if "images" in lines] == ([told_after] if told_after else [])
    if told_after:
        assert told[told_after].startswith(f"12 images in batches of 2: {remaining}; peak memory ")
        assert told[told_after].endswith(" MiB on cpu\n")


@pytest.mark.parametrize(
    ("times", "batch_size", "seen_after", "images"), [(1, 2, 3, 3), (20, 2, 50, 50), (20, 16, 60, 50)]
)
def test_the_first_fifty_images_are_looked_at_before_the_others_are_filled(
    tmp_path, times, batch_size, seen_after, images
):
    filled, seen = [], []

    def watched(image, mask):
        filled.extend(image)
        return fill(image, mask)

    def look(psnr):
        seen.append((len(filled), psnr))
        return ["a doubt"]

    assert evaluate(watched, Pairs(times), tmp_path, batch_size=batch_size, device=CPU, look=look) == ["a doubt"]
    ((after, psnr),) = seen
    assert (after, len(psnr)) == (seen_after, images)
    np.testing.assert_allclose(psnr[:3], pd.read_csv(tmp_path / "per_image.csv")["psnr"][:3], atol=1e-6)
