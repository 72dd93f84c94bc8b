"""Table 1 and its paired comparisons: a late, cheap aggregation of the per-image evidence that anyone can redo."""

from collections.abc import Iterable
from enum import StrEnum
from itertools import product, starmap
from typing import NamedTuple

import numpy as np
import pandas as pd

from spl.analysis.evidence import MASK_RATIOS, Evidence
from spl.analysis.gap import Gap, measure_gap
from spl.analysis.paper import Images, images_of, printed
from spl.analysis.statistics import Draws, Estimate, Sample, estimate_mean, paired
from spl.common.metrics import PAPER_METRICS
from spl.config.experiment import Design
from spl.config.methods import ExternalFill, NetworkMethod, ReferenceRecipe
from spl.steps.settings import TableSettings

COMPARED = ["metric", "method", "reference", "dataset", "mask_ratio", "difference", "low", "high", "n_images",
            "n_seeds", "seed_sd", "method_low", "method_high"]  # fmt: skip

NO_IMAGES = "no images"
"""Status of a cell whose hole ratios no test image has."""


class Cell(NamedTuple):
    """A cell of Table 1."""

    metric: str
    method: str
    dataset: str
    mask_ratio: str

    def sample(self, evidence: Evidence) -> Sample:
        """Return the metric on the cell's images."""
        return evidence[self.dataset, self.method].select(self.metric, self.mask_ratio)


class Origin(StrEnum):
    """Origin of a method's results on a dataset."""

    CLASSICAL = "classical fill"
    RELEASED = "released weights"
    TRAINED = "trained here"
    REFERENCE = ReferenceRecipe.apart
    """Released weights of a method that stands for itself: no claim is about it."""
    EXTERNAL = ExternalFill.apart
    """Filled by another program; the same holds."""


def build_table(evidence: Evidence, settings: TableSettings, metrics: Iterable[str] = PAPER_METRICS) -> pd.DataFrame:
    """Aggregate to one row a cell, in the paper's words.

    Images with an infinite PSNR are counted and left out of the mean. The cells of a run that is left out are empty,
    and its `status` is the reason.
    """
    rows = []
    datasets = dict.fromkeys([*settings.datasets, *(name for name in settings.left_out if "/" not in name)])
    for cell in starmap(Cell, product(metrics, settings.table_methods, datasets, MASK_RATIOS)):
        if why := settings.absent(cell.dataset, cell.method):
            gap = Gap(printed(settings, *cell), gap_reason=why.partition(":")[0])
            rows.append({**cell._asdict(), **gap._asdict(), "n_images": 0, "n_infinite": 0, "status": why})
            continue
        sample, ours = cell.sample(evidence), summarise(evidence, settings, cell)
        gap = measure_gap(settings, cell, ours, sample, evidence[cell.dataset, cell.method].masks_per_image)
        origin = origin_of(settings, cell.dataset, cell.method)
        world = f" on the {Images.MINIATURE}" * (images_of(settings, cell.dataset) is Images.MINIATURE)
        rows.append({
            **cell._asdict(), "ours": ours.mean, "ours_low": ours.low, "ours_high": ours.high,
            **gap._asdict(),
            "n_images": sample.n_images, "n_infinite": int(np.isinf(sample.values).any(axis=0).sum()),
            "n_seeds": ours.n_seeds, "seed_sd": ours.seed_sd,
            "status": f"{origin}{world}" if sample.n_images else NO_IMAGES, "origin": origin,
        })  # fmt: skip
    return pd.DataFrame(rows)


def compare_methods(evidence: Evidence, settings: TableSettings, references: Iterable[str]) -> pd.DataFrame:
    """Compare every method with each reference on the same pairs: mean per-image difference with its intervals.

    Pairs with a method that the paper does not have come last.

    `low`, `high`: of these weights, over images. `method_low`, `method_high`: of the method, over trainings.
    """
    rows, pairs = [], product(settings.table_methods, references)
    pairs = sorted(pairs, key=lambda pair: any(map(settings.apart, pair)))
    for metric, dataset, mask_ratio, (method, reference) in product(
        PAPER_METRICS, settings.datasets, MASK_RATIOS, pairs
    ):
        if method == reference or any(settings.absent(dataset, name) for name in (method, reference)):
            continue
        cell = Cell(metric, method, dataset, mask_ratio)
        found = compare(evidence, settings, cell, reference)
        if found.n_images:
            rows.append(cell._asdict() | {"reference": reference} | found.columns() | found.difference_columns())
    return pd.DataFrame(rows, columns=COMPARED)


def compare(evidence: Evidence, settings: TableSettings, cell: Cell, reference: str) -> Estimate:
    """Return by how much a cell lies above the same one of `reference`, image by image.

    It is computed in the order of params.yaml; the other way round it is the negation, to the last digit.
    """
    order = list(settings.methods)
    if order.index(reference) < order.index(cell.method):
        return compare(evidence, settings, cell._replace(method=reference), cell.method).negated()
    name = "/".join(cell._replace(method=f"{cell.method}-{reference}"))
    return estimate_mean(paired_differences(evidence, settings, cell, reference), draws_of(settings, name))


def paired_differences(evidence: Evidence, settings: TableSettings, cell: Cell, reference: str) -> Sample:
    """Return a cell minus the same one of `reference`, of K seeds, on the images where both are finite.

    K is the number of paired trainings. A classical fill meets every training of the other side; a network that was
    trained once, such as a released one, meets their mean, for nothing is known about another training of it.
    """
    cells = cell, cell._replace(method=reference)
    ours, theirs = (shown.sample(evidence) for shown in cells)
    is_network = [origin_of(settings, shown.dataset, shown.method) is not Origin.CLASSICAL for shown in cells]
    if len(ours.values) != len(theirs.values) and all(is_network):
        ours, theirs = (side._replace(values=side.values.mean(axis=0, keepdims=True)) for side in (ours, theirs))
    return paired(ours, theirs)


def summarise(evidence: Evidence, settings: TableSettings, cell: Cell) -> Estimate:
    """Return the mean of a cell over images and seeds."""
    return finite_mean(cell.sample(evidence), settings, "/".join(cell))


def finite_mean(sample: Sample, settings: TableSettings, name: str) -> Estimate:
    """Return the mean over the images on which all seeds are finite."""
    found = estimate_mean(sample.finite(), draws_of(settings, name))
    if np.isinf(sample.values).any() and not found.n_images:
        return found._replace(mean=float("inf"))
    return found


def draws_of(settings: TableSettings, name: str) -> Draws:
    """Return the resampling of a table's cell; `name` is all that tells it from the other cells."""
    return Draws(settings.evaluation.bootstrap, settings.seed, name)


def origin_of(design: Design, dataset: str, method: str) -> Origin:
    """Return the origin of a method's results on a dataset."""
    recipe = design.methods[method]
    if apart := design.apart(method):
        return Origin(apart)
    if not isinstance(recipe, NetworkMethod):
        return Origin.CLASSICAL
    return Origin.RELEASED if dataset in recipe.weights else Origin.TRAINED
