"""The result of the grid search (paper section 3.4): every point, and its difference to the method's own weights."""

from pathlib import Path
from typing import get_args

import pandas as pd

from spl.analysis.evidence import evidence_files, read_evidence, seeds_of
from spl.analysis.signature import sign, write_signed
from spl.analysis.table1 import Cell, compare, summarise
from spl.common.metrics import PAPER_METRICS
from spl.config.experiment import LossWeight
from spl.config.grid import grid_points, own_weights
from spl.steps.records import take_all, write_record
from spl.steps.settings import GridSettings

WEIGHTS = get_args(LossWeight)

COLUMNS = ["dataset", "method", *WEIGHTS, "split", "rank",
           *(f"{metric}{part}" for metric in PAPER_METRICS
             for part in ("", "_low", "_high", "_difference", "_difference_low", "_difference_high")),
           "n_images", "n_seeds", "signature"]  # fmt: skip


def compare_grid(settings: GridSettings, *, results: Path, out: Path) -> None:
    """Write one row for every dataset and point, the method's own weights first; without a grid, the header.

    A difference is the point minus the method's own loss weights, image by image, with its interval over images: it is
    about these trainings only. `rank` orders a dataset's points by PSNR, the best first.
    Raises: DataError if the points were not evaluated on the same pairs.
    """
    grid, rows = settings.grid, []
    points = {grid.method: own_weights(settings), **grid_points(settings)} if grid else {}
    seeds = seeds_of(settings, points) if grid else {}
    inputs, found = take_all(evidence_files(results, seeds)), read_evidence(results, seeds)
    for dataset in seeds:
        for method in points:
            row = {"dataset": dataset, "method": method, **points[method], "split": settings.evaluation.split}
            for metric in PAPER_METRICS:
                cell = Cell(metric, method, dataset, "all")
                value = summarise(found, settings, cell)
                row |= {metric: value.mean, f"{metric}_low": value.low, f"{metric}_high": value.high}
                row |= {"n_images": value.n_images, "n_seeds": value.n_seeds}
                if method != (own := next(iter(points))):
                    difference = compare(found, settings, cell, own).difference_columns()
                    row |= {f"{metric}_{name}": number for name, number in difference.items()}
            rows.append(row)
    table = pd.DataFrame(rows, columns=COLUMNS)
    table["rank"] = table.groupby("dataset")["psnr"].rank(ascending=False, method="min").astype(int)
    write_signed(out, table, sign(settings, results, seeds, found))
    write_record(out.with_suffix(".json"), settings, inputs, {"grid": out})
