"""The result of the grid search (paper section 3.4): what every point reaches, and against the method's own weights."""

from pathlib import Path
from typing import get_args

import pandas as pd

from spl.analysis.evidence import METRICS, read_evidence
from spl.analysis.table1 import compare, summarise
from spl.common.files import atomic
from spl.config.experiment import LossWeight
from spl.steps.report_slices import GridSettings

WEIGHTS = get_args(LossWeight)

COLUMNS = ["dataset", "method", *WEIGHTS, "split", "rank",
           *(f"{metric}{part}" for metric in METRICS
             for part in ("", "_low", "_high", "_difference", "_difference_low", "_difference_high")),
           "n_images", "n_seeds"]  # fmt: skip


def write_grid(settings: GridSettings, evidence: Path, out: Path) -> None:
    """Write one row for every dataset and point, the method's own weights first; without a grid, the header.

    A difference is the point minus the method's own weights, image by image, with its interval over images and
    trainings; `rank` orders a dataset's points by PSNR, the best first.
    Raises: DataError if the points were not evaluated on the same pairs.
    """
    table, found = settings.table, read_evidence(evidence, settings.table.seeds)
    rows = []
    for dataset in table.datasets:
        for method in table.methods:
            row = {"dataset": dataset, "method": method, **settings.points[method], "split": table.evaluation.split}
            for metric in METRICS:
                cell = (metric, method, dataset, "all")
                value = summarise(found[dataset, method].select(metric, "all"), table, "/".join(cell))
                row |= {metric: value.mean, f"{metric}_low": value.low, f"{metric}_high": value.high}
                row |= {"n_images": value.n_images, "n_seeds": value.n_seeds}
                if method != (own := table.methods[0]):
                    difference = compare(found, table, cell, own)
                    row |= {
                        f"{metric}_difference": difference.mean,
                        f"{metric}_difference_low": difference.combined_low,
                        f"{metric}_difference_high": difference.combined_high,
                    }
            rows.append(row)
    grid = pd.DataFrame(rows, columns=COLUMNS)
    grid["rank"] = grid.groupby("dataset")["psnr"].rank(ascending=False, method="min").astype(int)
    with atomic(out) as temporary:
        grid.round(6).to_csv(temporary, index=False)
