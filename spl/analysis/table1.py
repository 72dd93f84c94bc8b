"""Table 1: a late, cheap aggregation of the per-image evidence that anyone can redo."""

from collections.abc import Mapping
from functools import cache
from importlib.resources import files

import numpy as np
import pandas as pd

from spl.analysis.evidence import MASK_RATIOS, METRICS, Evidence
from spl.analysis.statistics import Estimate, estimate_mean, paired_difference
from spl.config.experiment import Design
from spl.config.methods import NetworkMethod, Recipe
from spl.steps.settings import TableSettings

PAPER_NAMES = {"spl": "spl", "spl_released": "spl", "rn": "rn", "rfr": "rfr", "mfe": "mfe"}
"""Which row of the paper stands beside a method; both SPL variants are compared with its "Ours"."""

COLUMNS = ["metric", "method", "dataset", "mask_ratio", "ours", "ours_low", "ours_high", "paper", "gap", "n_images",
           "n_infinite", "n_seeds", "seed_sd", "status"]  # fmt: skip

COMPARED = ["metric", "method", "reference", "dataset", "mask_ratio", "difference", "low", "high", "n_images",
            "n_seeds", "seed_sd", "combined_low", "combined_high"]  # fmt: skip

Cell = tuple[str, str, str, str]
"""Metric, method, dataset, mask ratio."""


def paper_table() -> pd.DataFrame:
    """Return the paper's Table 1: metric, method, dataset, mask_ratio, value."""
    with (files("spl.analysis") / "table1_paper.csv").open() as file:
        return pd.read_csv(file)


@cache
def paper_cells() -> Mapping[Cell, float]:
    """Return the paper's Table 1 by cell."""
    rows = paper_table().to_dict("records")
    return {(row["metric"], row["method"], row["dataset"], row["mask_ratio"]): row["value"] for row in rows}


def build_table(evidence: Evidence, settings: TableSettings, statuses: dict[tuple[str, str], str]) -> pd.DataFrame:
    """Aggregate to one row a cell, in the paper's words.

    `statuses` says by (dataset, method) what stands behind a cell. Images with an infinite PSNR are counted and left
    out of the mean.
    """
    printed = paper_cells()
    rows = []
    for metric in METRICS:
        for method in settings.table_methods:
            for dataset in settings.datasets:
                for mask_ratio in MASK_RATIOS:
                    values = evidence[dataset, method].select(metric, mask_ratio)
                    ours = summarise(values, settings, f"{metric}/{method}/{dataset}/{mask_ratio}")
                    theirs = printed.get((metric, PAPER_NAMES.get(method, ""), dataset, mask_ratio))
                    rows.append({
                        "metric": metric, "method": method, "dataset": dataset, "mask_ratio": mask_ratio,
                        "ours": ours.mean, "ours_low": ours.low, "ours_high": ours.high,
                        "paper": theirs, "gap": None if theirs is None else ours.mean - theirs,
                        "n_images": values.shape[1], "n_infinite": int(np.isinf(values).any(axis=0).sum()),
                        "n_seeds": ours.n_seeds, "seed_sd": ours.seed_sd,
                        "status": statuses[dataset, method] if values.size else "no images",
                    })  # fmt: skip
    return pd.DataFrame(rows, columns=COLUMNS)


def compare_methods(evidence: Evidence, settings: TableSettings, references: list[str]) -> pd.DataFrame:
    """Compare every method with each reference on the same pairs: mean per-image difference with its intervals."""
    rows = []
    for metric in METRICS:
        for dataset in settings.datasets:
            for mask_ratio in MASK_RATIOS:
                for method in settings.table_methods:
                    for reference in references:
                        if reference == method:
                            continue
                        cell = (metric, method, dataset, mask_ratio)
                        found = compare(evidence, settings, cell, reference)
                        if found.n_images:
                            rows.append((metric, method, reference, dataset, mask_ratio, found.mean, found.low,
                                         found.high, found.n_images, found.n_seeds, found.seed_sd,
                                         found.combined_low, found.combined_high))  # fmt: skip
    return pd.DataFrame(rows, columns=COMPARED)


def compare(evidence: Evidence, settings: TableSettings, cell: Cell, reference: str) -> Estimate:
    """Return by how much a cell lies above the same one of `reference`, image by image."""
    metric, method, dataset, mask_ratio = cell
    return paired_difference(
        evidence[dataset, method].select(metric, mask_ratio),
        evidence[dataset, reference].select(metric, mask_ratio),
        settings.evaluation.bootstrap,
        seed=settings.seed,
        name=f"{metric}/{method}-{reference}/{dataset}/{mask_ratio}",
    )


def summarise(values: np.ndarray, settings: TableSettings, name: str) -> Estimate:
    """Return the mean of `values` (trainings, n) over the images on which all trainings are finite."""
    finite = values[:, np.isfinite(values).all(axis=0)]
    found = estimate_mean(finite, settings.evaluation.bootstrap, seed=settings.seed, name=name)
    if np.isinf(values).any() and not finite.size:
        return found._replace(mean=float("inf"))
    return found


def cell_statuses(design: Design) -> dict[tuple[str, str], str]:
    """Say for every (dataset, method) what stands behind its cells."""
    return {
        (dataset, method): _origin(design.methods[method], dataset)
        + (" on the miniature world" if design.datasets[dataset].source.kind == "miniature" else "")
        for dataset in design.datasets
        for method in design.methods
    }


def _origin(recipe: Recipe, dataset: str) -> str:
    if not isinstance(recipe, NetworkMethod):
        return "classical fill"
    return "released weights" if dataset in recipe.weights else "trained here"
