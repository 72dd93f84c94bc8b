"""The drawing of the grid search shows every point, the best of each value, and the method's own weights."""

import itertools

import numpy as np
import pandas as pd
import pytest

from spl.analysis.compare_grid import COLUMNS
from spl.common.errors import DataError
from spl.config.experiment import Grid
from spl.figures.grid import draw_grid
from spl.steps.settings import FigureSettings
from tests.analysis.fabricate import table_settings

GRID = Grid(method="spl", points=({"alpha": (0.0,)},))
SETTINGS = table_settings(["places2"], ["spl"], kind=FigureSettings, grid=GRID)


def fabricate(path, datasets=("places2",)):
    rows = []
    for dataset, (i, (alpha, delta)) in itertools.product(datasets, enumerate(itertools.product((3, 0, 1), (5, 0)))):
        method = f"spl_grid_{i:02d}" if i else "spl"
        psnr = 24 + alpha / 10 - (delta - 2) ** 2 / 20 + (dataset == "paris")
        rows.append({"dataset": dataset, "method": method, "lambda_img": 10.0, "lambda_adv": 0.1, "lambda_prior": 1.0,
                     "alpha": alpha, "delta": delta, "split": "validation", "psnr": psnr})  # fmt: skip
    table = pd.DataFrame(rows, columns=COLUMNS)
    table.to_csv(path, index=False)
    return table


@pytest.fixture
def drawn(tmp_path):
    """A function that draws the grid and returns the figure and its table."""

    def run(datasets=("places2",)):
        table = fabricate(tmp_path / "grid.csv", datasets)
        return draw_grid(SETTINGS, results=tmp_path, data=tmp_path).figure, table

    return run


def test_a_panel_for_every_weight_that_varies_and_every_dataset(drawn):
    figure, _ = drawn(("places2", "paris"))
    assert len(figure.axes) == 4
    assert [[label.get_text() for label in axis.get_xticklabels()] for axis in figure.axes[:2]] == [
        ["0", "1", "3"],
        ["0", "5"],
    ]
    assert "Validation images" in figure.get_supxlabel()


def test_every_point_is_drawn_and_the_line_joins_the_best(drawn):
    figure, table = drawn()
    dots, line, star = figure.axes[0].lines
    assert sorted([*dots.get_ydata(), *star.get_ydata()]) == pytest.approx(sorted(table["psnr"]))
    best = [table[table["alpha"] == alpha]["psnr"].max() for alpha in (0, 1, 3)]
    np.testing.assert_allclose(line.get_ydata(), best)
    np.testing.assert_allclose(line.get_xdata(), [0, 1, 2])
    assert star.get_marker() == "*"
    assert (star.get_xdata().item(), star.get_ydata().item()) == (2, table["psnr"][0])


def test_no_grid_is_said(tmp_path):
    (tmp_path / "grid.csv").write_text(",".join(COLUMNS) + "\n")
    with pytest.raises(DataError, match="no grid"):
        draw_grid(SETTINGS, results=tmp_path, data=tmp_path)
