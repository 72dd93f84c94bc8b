"""Per-image evidence, read with all its seeds: one stack of numbers for every dataset, method and metric."""

from collections.abc import Iterable, Mapping
from itertools import chain
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from spl.analysis.statistics import Sample
from spl.common.errors import DataError, again
from spl.common.metrics import METRICS, Group
from spl.common.tables import as_numbers, read_table
from spl.config.experiment import Design
from spl.data.masks import RATIO_BINS
from spl.data.pair_masks import limit_pairs

MASK_RATIOS = {"20-40": ("20-30", "30-40"), "40-60": ("40-50", "50-60"), "all": (*RATIO_BINS, "")}
"""Columns of Table 1 and the bins that each gathers; "" is above 60 %, which published pairs have not."""

PAIR = ["image", "image_sha256", "mask", "mask_sha256"]

NO_METRICS = (*PAIR, "hole_ratio", "ratio_bin", "composited_sha256")
"""The other columns of per_image.csv."""

DECLARED = tuple(name for name, metric in METRICS.items() if metric.group in (Group.TABLE_1, Group.PER_IMAGE))
"""Metrics that every per_image.csv has."""


class Measured(NamedTuple):
    """Results of a method, with all its seeds, on the images of a dataset."""

    pairs: pd.DataFrame
    """image, mask, their hashes, and ratio_bin of the n rows: an image has as many as masks, a limited fill fewer."""
    metrics: dict[str, np.ndarray]
    """By name, (seeds, n); NaN where a metric is not defined, such as a hole that vanished by resizing."""

    @property
    def masks_per_image(self) -> int:
        """How many masks every image has."""
        return len(self.pairs) // max(1, self.pairs["image"].nunique())

    def select(self, metric: str, mask_ratio: str) -> Sample:
        """Return a metric on the images of a column of Table 1."""
        rows = self.pairs["ratio_bin"].isin(MASK_RATIOS[mask_ratio]).to_numpy()
        return Sample(self.metrics[metric][:, rows], *(self.pairs[name].to_numpy()[rows] for name in ("image", "mask")))


Evidence = dict[tuple[str, str], Measured]
"""By dataset and method."""

Seeds = Mapping[str, Mapping[str, tuple[int, ...]]]
"""Of every dataset and method."""


def seeds_of(design: Design, methods: Iterable[str] | None = None) -> Seeds:
    """Return the seeds of some methods on every dataset, or of all that are run on it."""
    return {d: {m: design.seeds_of(d, m) for m in design.methods_of(d, methods)} for d in design.datasets}


def evidence_files(results: Path, seeds: Seeds) -> list[Path]:
    """Return per_image.csv of all datasets, methods and seeds."""
    return [
        results / f"eval/{dataset}/{method}/seed{seed}/per_image.csv"
        for dataset, methods in seeds.items()
        for method, of_method in methods.items()
        for seed in of_method
    ]


def run_files(results: Path, seeds: Seeds) -> dict[tuple[str, str], Path]:
    """Return run.json of every method's first seed, by dataset and method; a classical fill has none."""
    runs = {(d, m): results / f"weights/{d}/{m}/seed{own[0]}/run.json" for d in seeds for m, own in seeds[d].items()}
    return {cell: path for cell, path in runs.items() if path.is_file()}


def read_evidence(results: Path, seeds: Seeds) -> Evidence:
    """Read per_image.csv of all datasets, methods and seeds.

    A limited fill has the rows that its number of images chooses, and no others.
    Raises: DataError if a file lacks a metric, or if two evaluations on a dataset saw other images or masks.
    """
    tables = {path: read_table(path) for path in evidence_files(results, seeds)}
    metrics = _require_metrics(tables)
    evidence: Evidence = {}
    for dataset, methods in seeds.items():
        whole = max(evidence_files(results, {dataset: methods}), key=lambda path: len(tables[path]))
        for method, of_method in methods.items():
            paths = evidence_files(results, {dataset: {method: of_method}})
            for path in paths:
                known = limit_pairs(tables[whole], tables[path]["image"].nunique())
                require_same_rows(path, tables[path], whole, known, columns=PAIR)
            stacks = {name: np.stack([as_numbers(tables[path][name]) for path in paths]) for name in metrics}
            evidence[dataset, method] = Measured(tables[paths[0]][[*PAIR, "ratio_bin"]], stacks)
    return evidence


def require_same_rows(path: Path, table: pd.DataFrame, other: Path, known: pd.DataFrame, *, columns: list[str]) -> None:
    """Refuse two evaluations of different pairs.

    Raises: DataError naming the two files.
    """
    if not table[columns].equals(known[columns]):
        raise DataError(f"{path} has other image-mask pairs than {other}. Evaluate both: {again(path, other)}")


def _require_metrics(tables: Mapping[Path, pd.DataFrame]) -> list[str]:
    """Return the metrics that the tables have: those declared, and any other that one of them has.

    Raises: DataError naming the tables that lack one, or what tells the pairs, such as those from before it was added.
    """
    columns = [str(name) for name in dict.fromkeys([*PAIR, *DECLARED, *chain(*tables.values())])]
    if lacking := {path: old for path, table in tables.items() if (old := [c for c in columns if c not in table])}:
        names = ", ".join(dict.fromkeys(chain(*lacking.values())))
        raise DataError(
            f"{', '.join(map(str, lacking))}: no column {names}, so another version of spl has written this. "
            f"Evaluate again: {again(*lacking)}"
        )
    return [name for name in columns if name not in NO_METRICS]
