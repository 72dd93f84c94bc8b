"""Per-image evidence, read with all its trainings: one stack of numbers for every dataset, method and metric."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from spl.common.errors import DataError, again
from spl.common.tables import read_table
from spl.config.experiment import Design
from spl.data.masks import RATIO_BINS

MASK_RATIOS = {"20-40": ("20-30", "30-40"), "40-60": ("40-50", "50-60"), "all": RATIO_BINS}
"""The columns of Table 1 and the bins each gathers."""

HIGHER_IS_BETTER = {"ssim": True, "psnr": True, "mae": False}
"""Table 1's metrics, in the paper's order."""

METRICS = tuple(HIGHER_IS_BETTER)

PAIR = ["image", "mask"]

NO_METRICS = (*PAIR, "hole_ratio", "ratio_bin", "composited_sha256")
"""The other columns of per_image.csv."""


class Measured(NamedTuple):
    """What the trainings of a method reach on the images of a dataset."""

    pairs: pd.DataFrame
    """image, mask, ratio_bin of the n images."""
    metrics: dict[str, np.ndarray]
    """By name, (trainings, n); NaN where a metric is not defined, such as a hole that vanished by resizing."""

    def select(self, metric: str, mask_ratio: str) -> np.ndarray:
        """Return a metric on the images of a column of Table 1, (trainings, k)."""
        return self.metrics[metric][:, self.pairs["ratio_bin"].isin(MASK_RATIOS[mask_ratio]).to_numpy()]


Evidence = dict[tuple[str, str], Measured]
"""By dataset and method."""

Seeds = Mapping[str, Mapping[str, tuple[int, ...]]]
"""Of every dataset and method."""


def seeds_of(design: Design, methods: Iterable[str] | None = None) -> Seeds:
    """Return the seeds of some methods on every dataset, or of all that are run on it."""
    return {d: {m: design.seeds_of(d, m) for m in methods or design.methods_of(d)} for d in design.datasets}


def evidence_files(results: Path, seeds: Seeds) -> list[Path]:
    """Return per_image.csv of all datasets, methods and seeds."""
    return [
        results / f"eval/{dataset}/{method}/seed{seed}/per_image.csv"
        for dataset, methods in seeds.items()
        for method, trainings in methods.items()
        for seed in trainings
    ]


def read_evidence(results: Path, seeds: Seeds) -> Evidence:
    """Read per_image.csv of all datasets, methods and seeds.

    Raises: DataError if two evaluations on a dataset saw other images or masks.
    """
    evidence: Evidence = {}
    for dataset, methods in seeds.items():
        first: tuple[Path, pd.DataFrame] | None = None
        for method, trainings in methods.items():
            paths = evidence_files(results, {dataset: {method: trainings}})
            tables = [read_table(path) for path in paths]
            first = first or (paths[0], tables[0])
            for path, table in zip(paths, tables, strict=True):
                require_same_rows(path, table, *first, columns=PAIR)
            evidence[dataset, method] = _stack(tables)
    return evidence


def require_same_rows(path: Path, table: pd.DataFrame, other: Path, known: pd.DataFrame, *, columns: list[str]) -> None:
    """Refuse two evaluations of different pairs.

    Raises: DataError naming the two files.
    """
    if not table[columns].equals(known[columns]):
        raise DataError(f"{path} has other image-mask pairs than {other}. Evaluate both: {again(path, other)}")


def as_numbers(column: pd.Series) -> np.ndarray:
    """Return a column (n,) as numbers; empty cells are NaN."""
    return pd.to_numeric(column.replace("", np.nan)).to_numpy(float)


def _stack(tables: list[pd.DataFrame]) -> Measured:
    """Put the trainings of a method on top of each other."""
    names = [name for name in tables[0].columns if name not in NO_METRICS]
    metrics = {name: np.stack([as_numbers(table[name]) for table in tables]) for name in names}
    return Measured(tables[0][[*PAIR, "ratio_bin"]], metrics)
