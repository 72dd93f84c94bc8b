"""Table 1 and its paired comparisons: a late, cheap aggregation of the per-image evidence that anyone can redo."""

from collections.abc import Iterable
from enum import StrEnum
from itertools import product

import numpy as np
import pandas as pd

from spl.analysis.evidence import MASK_RATIOS, Evidence
from spl.analysis.paper import Images, images_of, printed
from spl.analysis.statistics import Draws, Estimate, estimate_mean, paired_difference
from spl.common.metrics import PAPER_METRICS
from spl.config.experiment import Design
from spl.config.methods import NetworkMethod
from spl.steps.settings import TableSettings

COLUMNS = ["metric", "method", "dataset", "mask_ratio", "ours", "ours_low", "ours_high", "paper", "gap", "n_images",
           "n_infinite", "n_seeds", "seed_sd", "status", "origin"]  # fmt: skip

COMPARED = ["metric", "method", "reference", "dataset", "mask_ratio", "difference", "low", "high", "n_images",
            "n_seeds", "seed_sd", "combined_low", "combined_high"]  # fmt: skip

Cell = tuple[str, str, str, str]
"""Metric, method, dataset, mask ratio."""


class Origin(StrEnum):
    """Origin of a method's results on a dataset."""

    CLASSICAL = "classical fill"
    RELEASED = "released weights"
    TRAINED = "trained here"


def build_table(evidence: Evidence, settings: TableSettings) -> pd.DataFrame:
    """Aggregate to one row a cell, in the paper's words.

    Images with an infinite PSNR are counted and left out of the mean.
    """
    rows = []
    for cell in product(PAPER_METRICS, settings.table_methods, settings.datasets, MASK_RATIOS):
        metric, method, dataset, mask_ratio = cell
        values = evidence[dataset, method].select(metric, mask_ratio)
        ours, theirs, origin = summarise(evidence, settings, cell), printed(*cell), origin_of(settings, dataset, method)
        world = f" on the {Images.MINIATURE}" * (images_of(settings, dataset) is Images.MINIATURE)
        rows.append({
            "metric": metric, "method": method, "dataset": dataset, "mask_ratio": mask_ratio,
            "ours": ours.mean, "ours_low": ours.low, "ours_high": ours.high,
            "paper": theirs, "gap": None if theirs is None else ours.mean - theirs,
            "n_images": values.shape[1], "n_infinite": int(np.isinf(values).any(axis=0).sum()),
            "n_seeds": ours.n_seeds, "seed_sd": ours.seed_sd,
            "status": f"{origin}{world}" if values.size else "no images",
            "origin": origin,
        })  # fmt: skip
    return pd.DataFrame(rows, columns=COLUMNS)


def compare_methods(evidence: Evidence, settings: TableSettings, references: Iterable[str]) -> pd.DataFrame:
    """Compare every method with each reference on the same pairs: mean per-image difference with its intervals."""
    rows = []
    for metric, dataset, mask_ratio, method, reference in product(
        PAPER_METRICS, settings.datasets, MASK_RATIOS, settings.table_methods, references
    ):
        if method == reference:
            continue
        found = compare(evidence, settings, (metric, method, dataset, mask_ratio), reference)
        if found.n_images:
            rows.append((
                metric, method, reference, dataset, mask_ratio, found.mean, found.low, found.high, found.n_images,
                found.n_seeds, found.seed_sd, found.combined_low, found.combined_high,
            ))  # fmt: skip
    return pd.DataFrame(rows, columns=COMPARED)


def compare(evidence: Evidence, settings: TableSettings, cell: Cell, reference: str) -> Estimate:
    """Return by how much a cell lies above the same one of `reference`, image by image."""
    metric, method, dataset, mask_ratio = cell
    ours, theirs = (evidence[dataset, name].select(metric, mask_ratio) for name in (method, reference))
    return paired_difference(ours, theirs, draws_of(settings, f"{metric}/{method}-{reference}/{dataset}/{mask_ratio}"))


def summarise(evidence: Evidence, settings: TableSettings, cell: Cell) -> Estimate:
    """Return the mean of a cell over images and seeds."""
    metric, method, dataset, mask_ratio = cell
    return finite_mean(evidence[dataset, method].select(metric, mask_ratio), settings, "/".join(cell))


def finite_mean(values: np.ndarray, settings: TableSettings, name: str) -> Estimate:
    """Return the mean of `values` (seeds, n) over the images on which all seeds are finite."""
    finite = values[:, np.isfinite(values).all(axis=0)]
    found = estimate_mean(finite, draws_of(settings, name))
    if np.isinf(values).any() and not finite.size:
        return found._replace(mean=float("inf"))
    return found


def draws_of(settings: TableSettings, name: str) -> Draws:
    """Return the resampling of a table's cell; `name` is all that tells it from the other cells."""
    return Draws(settings.evaluation.bootstrap, settings.seed, name)


def origin_of(design: Design, dataset: str, method: str) -> Origin:
    """Return the origin of a method's results on a dataset."""
    recipe = design.methods[method]
    if not isinstance(recipe, NetworkMethod):
        return Origin.CLASSICAL
    return Origin.RELEASED if dataset in recipe.weights else Origin.TRAINED
