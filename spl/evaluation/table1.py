"""Table 1: a late, cheap aggregation of the per-image evidence that anyone can redo."""

from importlib.resources import files
from pathlib import Path

import numpy as np
import pandas as pd

from spl.config import Params
from spl.data.masks import RATIO_BINS
from spl.data.tables import read_table
from spl.errors import DataError
from spl.evaluation.statistics import Interval, bootstrap_mean, paired_difference
from spl.recipes import NetworkMethod, Recipe
from spl.settings import TableSettings

METRICS = ("ssim", "psnr", "mae")
"""The paper's order."""

MASK_RATIOS = {"20-40": ("20-30", "30-40"), "40-60": ("40-50", "50-60"), "all": RATIO_BINS}
"""The columns of Table 1 and the bins each gathers."""

PAPER_NAMES = {"spl": "spl", "spl_released": "spl", "rn": "rn", "rfr": "rfr", "mfe": "mfe"}
"""Which row of the paper stands beside a method; both SPL variants are compared with its "Ours"."""

COLUMNS = ["metric", "method", "dataset", "mask_ratio", "ours", "ours_low", "ours_high", "paper", "gap", "n_images",
           "n_infinite", "status"]  # fmt: skip

Evidence = dict[tuple[str, str], pd.DataFrame]
"""Per-image results by (dataset, method)."""


def read_evidence(folder: Path, settings: TableSettings) -> Evidence:
    """Read every `per_image.csv` and check that all methods saw the same pairs.

    Raises: DataError if two methods' images or masks differ.
    """
    evidence: Evidence = {}
    for dataset in settings.datasets:
        pairs = None
        for method in settings.methods:
            path = folder / dataset / method / "per_image.csv"
            table = read_table(path)
            if pairs is not None and not table[["image", "mask"]].equals(pairs):
                raise DataError(f"{path} has other image-mask pairs than {settings.methods[0]}. Evaluate it again.")
            pairs = table[["image", "mask"]]
            evidence[dataset, method] = table
    return evidence


def paper_table() -> pd.DataFrame:
    """Return the paper's Table 1: metric, method, dataset, mask_ratio, value."""
    with (files("spl.evaluation") / "table1_paper.csv").open() as file:
        return pd.read_csv(file)


def build_table(
    evidence: Evidence, settings: TableSettings, statuses: dict[tuple[str, str], str], paper: pd.DataFrame
) -> pd.DataFrame:
    """Aggregate to one row a cell, in the paper's words.

    `statuses` says by (dataset, method) what stands behind a cell; `paper` has the columns metric, method, dataset,
    mask_ratio, value. Infinite PSNRs are counted and left out of the mean.
    """
    printed = paper.set_index(["metric", "method", "dataset", "mask_ratio"])["value"].to_dict()
    rows = []
    for metric in METRICS:
        for method in settings.methods:
            for dataset in settings.datasets:
                for mask_ratio, bins in MASK_RATIOS.items():
                    table = evidence[dataset, method]
                    values = table.loc[table["ratio_bin"].isin(bins), metric].to_numpy(float)
                    ours = _summarise(values, settings, f"{metric}/{method}/{dataset}/{mask_ratio}")
                    theirs = printed.get((metric, PAPER_NAMES.get(method), dataset, mask_ratio))
                    rows.append({
                        "metric": metric, "method": method, "dataset": dataset, "mask_ratio": mask_ratio,
                        "ours": ours.mean, "ours_low": ours.low, "ours_high": ours.high,
                        "paper": theirs, "gap": None if theirs is None else ours.mean - theirs,
                        "n_images": len(values), "n_infinite": int(np.isinf(values).sum()),
                        "status": statuses[dataset, method] if len(values) else "no images",
                    })  # fmt: skip
    return pd.DataFrame(rows, columns=COLUMNS)


def compare_methods(evidence: Evidence, settings: TableSettings, references: list[str]) -> pd.DataFrame:
    """Compare every method with each reference on the same pairs: mean per-image difference with its interval.

    Images on which either is infinite are left out of that comparison.
    """
    rows = []
    for metric in METRICS:
        for dataset in settings.datasets:
            for mask_ratio, bins in MASK_RATIOS.items():
                for method in settings.methods:
                    for reference in references:
                        if reference == method:
                            continue
                        ours, theirs = evidence[dataset, method], evidence[dataset, reference]
                        values = np.stack(
                            [t.loc[t["ratio_bin"].isin(bins), metric].to_numpy(float) for t in (ours, theirs)]
                        )
                        values = values[:, np.isfinite(values).all(axis=0)]
                        if not values.size:
                            continue
                        name = f"{metric}/{method}-{reference}/{dataset}/{mask_ratio}"
                        found = paired_difference(*values, settings.evaluation.bootstrap, seed=settings.seed, name=name)
                        rows.append((metric, method, reference, dataset, mask_ratio, *found, values.shape[1]))
    columns = ["metric", "method", "reference", "dataset", "mask_ratio", "difference", "low", "high", "n_images"]
    return pd.DataFrame(rows, columns=columns)


def cell_statuses(params: Params) -> dict[tuple[str, str], str]:
    """Say for every (dataset, method) what stands behind its cells."""
    return {
        (dataset, method): _origin(params.methods[method], dataset)
        + (" on the miniature world" if params.datasets[dataset].source.kind == "miniature" else "")
        for dataset in params.datasets
        for method in params.methods
    }


def _origin(recipe: Recipe, dataset: str) -> str:
    if not isinstance(recipe, NetworkMethod):
        return "classical fill"
    return "released weights" if dataset in recipe.weights else "trained here"


def _summarise(values: np.ndarray, settings: TableSettings, name: str) -> Interval:
    finite = values[np.isfinite(values)]
    if finite.size == 1:  # resampling one image would claim certainty
        return Interval(float(finite[0]), float("nan"), float("nan"))
    if finite.size:
        return bootstrap_mean(finite, settings.evaluation.bootstrap, seed=settings.seed, name=name)
    empty = float("inf") if values.size else float("nan")
    return Interval(empty, empty, empty)
