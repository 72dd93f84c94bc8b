"""Every point of the grid search, ranked, and against the method's own loss weights."""

import numpy as np
import pandas as pd
import pytest

from spl.analysis.compare_grid import COLUMNS, WEIGHTS, compare_grid
from spl.config.experiment import Grid
from spl.config.grid import grid_points, own_weights
from spl.steps.settings import GridSettings
from tests.analysis.fabricate import per_image, table_settings, write_evidence

OWN = dict(zip(WEIGHTS, (10.0, 0.01, 1.0, 3.0, 5.0), strict=True))
POINTS = {"spl": OWN, "spl_grid_01": OWN | {"alpha": 0.0}, "spl_grid_02": OWN | {"alpha": 0.0, "delta": 1.0}}
GRID = Grid(method="spl", points=({"alpha": (0.0,)}, {"alpha": (0.0,), "delta": (1.0,)}))
SHIFTS = {"places2": (1.0, 0.5, 1.5), "paris": (1.0, 0.8, 0.0)}


@pytest.fixture
def table(tmp_path):
    settings = table_settings(SHIFTS, POINTS, seeds=(1, 2), kind=GridSettings, grid=GRID)
    assert {"spl": own_weights(settings), **grid_points(settings)} == POINTS
    tables = {
        (dataset, method, seed): per_image(shift + seed / 100, noise=0.1, draw=10 * i + seed)
        for dataset, shifts in SHIFTS.items()
        for i, (method, shift) in enumerate(zip(POINTS, shifts, strict=True))
        for seed in (1, 2)
    }
    write_evidence(tmp_path, tables)
    compare_grid(settings, results=tmp_path, out=tmp_path / "grid.csv")
    return pd.read_csv(tmp_path / "grid.csv").set_index(["dataset", "method"])


def test_every_point_with_its_weights_on_every_dataset(table):
    assert [*table.index.names, *table.columns] == COLUMNS
    assert list(table.index) == [(dataset, method) for dataset in SHIFTS for method in POINTS]
    for (_, method), row in table.iterrows():
        assert {weight: row[weight] for weight in WEIGHTS} == POINTS[method]
    assert set(table["split"]) == {"test"}


def test_points_are_ranked_by_psnr_within_their_dataset(table):
    assert table.loc["places2", "rank"].tolist() == [2, 3, 1]
    assert table.loc["paris", "rank"].tolist() == [1, 2, 3]


def test_a_point_is_compared_with_the_methods_own_weights_image_by_image(table):
    found = table.loc["places2", "spl_grid_02"]
    assert found["psnr_difference"] == pytest.approx(0.5, abs=0.1)
    assert 0 < found["psnr_difference_low"] < found["psnr_difference"] < found["psnr_difference_high"]
    assert found["mae_difference"] == pytest.approx(-0.0005, abs=1e-4)
    assert found["psnr"] - table.loc["places2", "spl"]["psnr"] == pytest.approx(found["psnr_difference"], abs=1e-5)
    assert np.isnan(table.loc["places2", "spl"]["psnr_difference"])


def test_without_a_grid_there_is_only_the_header(demo_params, tmp_path):
    compare_grid(GridSettings.of(demo_params), results=tmp_path, out=tmp_path / "grid.csv")
    assert (tmp_path / "grid.csv").read_text() == ",".join(COLUMNS) + "\n"
