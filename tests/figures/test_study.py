"""The drawing of a study's contrasts."""

import re

import pandas as pd
import pytest

from spl.common.errors import DataError
from spl.figures.study import draw_study


def test_every_contrast_is_drawn_after_every_epoch_and_equal_contrasts_give_equal_bytes(tmp_path):
    rows = pd.DataFrame([
        (dataset, metric, epoch, contrast, 0.1, -0.1, 0.3)
        for dataset in ("celeba", "paris")
        for metric in ("psnr_hole", "ssim")
        for epoch in (2, 4, 6)
        for contrast in ("trained − permuted", "trained − none")
    ], columns=["dataset", "metric", "epoch", "contrast", "difference", "low", "high"])  # fmt: skip
    for name in ("one.svg", "two.svg"):
        draw_study(rows, metric="psnr_hole", confidence=0.95, out=tmp_path / name)
    drawing = (tmp_path / "one.svg").read_text()
    assert drawing == (tmp_path / "two.svg").read_text()
    said = re.findall("<!-- (.*?) -->", drawing)  # matplotlib's note beside the outlines of every text
    assert said.count("trained − none") == 2
    assert [f"after epoch {epoch}" in said for epoch in (2, 4, 6)] == [True] * 3
    assert "difference in PSNR, hole, with its 95% interval over trainings" in said
    with pytest.raises(DataError, match="no two arms of the study have runs of the same seed"):
        draw_study(rows[:0], metric="psnr_hole", confidence=0.95, out=tmp_path / "none.svg")
