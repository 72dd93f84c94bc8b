"""The gap between a cell of Table 1 and the paper's number: its interval, and what that says about these weights."""

import math
from collections.abc import Sequence
from enum import StrEnum
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy.special import stdtrit

from spl.analysis.paper import Images, differences, images_of, printed
from spl.analysis.statistics import NAN, Estimate, Kind, Sample
from spl.common.metrics import METRICS
from spl.common.printed import count
from spl.steps.settings import ReportSettings, TableSettings


class GapVerdict(StrEnum):
    """Verdict on the gap of a cell to the paper's number."""

    REPRODUCED = "reproduced within δ"
    DIFFERS = "differs"
    UNDECIDED = "undecided"
    NOT_COMPARABLE = "not comparable"


class GapInterval(StrEnum):
    """What the interval of a gap rests on."""

    MASKS = "several masks per image"
    CONSERVATIVE = "conservative"
    """One mask per image: the images' own spread stands for what another mask would change."""


class Gap(NamedTuple):
    """The paper's number, and our mean less it."""

    paper: float | None = None
    gap: float | None = None
    gap_low: float = NAN
    gap_high: float = NAN
    gap_interval: GapInterval | None = None
    gap_verdict: GapVerdict = GapVerdict.NOT_COMPARABLE
    gap_reason: str = ""
    """Why it is not comparable."""


def measure_gap(settings: TableSettings, cell: Sequence[str], ours: Estimate, sample: Sample, rounds: int) -> Gap:
    """Judge the gap of a cell (metric, method, dataset, mask ratio) that was measured with `rounds` masks per image.

    Its interval is that of drawing the pairing anew, ours and the paper's, on the same images: none is resampled.
    """
    metric, method, dataset, mask_ratio = cell
    theirs, bootstrap = printed(settings, metric, method, dataset, mask_ratio), settings.evaluation.bootstrap
    reason = _obstacle(settings, dataset, ours.n_images)
    if theirs is None:
        return Gap(gap_reason=reason or "no such row in the paper's table")
    gap = ours.mean - theirs
    if reason:
        return Gap(theirs, gap, gap_reason=reason)
    error, freedom = pairing_error(sample.finite(), rounds)
    half = float(stdtrit(freedom, (1 + bootstrap.confidence) / 2)) * error
    basis = GapInterval.MASKS if rounds > 1 else GapInterval.CONSERVATIVE
    verdict = judge_gap(gap - half, gap + half, getattr(settings.verdicts.deltas, metric))
    return Gap(theirs, gap, gap - half, gap + half, basis, verdict)


def judge_gap(low: float, high: float, delta: float) -> GapVerdict:
    """Judge an interval by whether it lies inside or outside of ±`delta`.

    >>> [str(judge_gap(*ends, 0.3)) for ends in ((-0.1, 0.2), (0.4, 1.0), (-0.1, 0.4))]
    ['reproduced within δ', 'differs', 'undecided']
    """
    if -delta <= low and high <= delta:
        return GapVerdict.REPRODUCED
    return GapVerdict.DIFFERS if low > delta or high < -delta else GapVerdict.UNDECIDED


def pairing_error(sample: Sample, rounds: int) -> tuple[float, int]:
    """Return the standard error of a cell's mean less that of another pairing of the same images, with its freedom.

    Ours has `rounds` masks for every image, the other one a single mask, as the paper's. `sample` has the rows in the
    cell, all finite. A row's residual is its value less the cell's mean, and 0 outside of the cell; its variance over
    the masks of an image, summed over images, is that of the sum over a pairing. With one mask per image that is not
    known: the spread between the images in the cell takes its place, which contains it, so it is conservative. That a
    hard mask counts as chance is conservative too: pairings that use all masks about equally often share it.
    """
    residuals, images = sample.values.mean(axis=0), pd.factorize(sample.images)[0]
    residuals = residuals - residuals.mean()
    n_cell = len(residuals) / rounds  # of images, by one pairing
    if rounds == 1:
        return math.sqrt(2 * residuals.var(ddof=1) / n_cell), len(residuals) - 1
    squares, sums = np.bincount(images, residuals**2), np.bincount(images, residuals)
    variance = float((squares - sums**2 / rounds).sum()) / (rounds - 1)
    return math.sqrt(variance * (1 + 1 / rounds)) / n_cell, len(squares) * (rounds - 1)


def describe_gaps(table: pd.DataFrame, settings: TableSettings | ReportSettings) -> str:
    """Count the verdicts of Table 1's cells that have a number of the paper's, with what keeps some from comparison.

    Nothing is said where none has.
    """
    compared, bootstrap = table[table["paper"].notna()], settings.evaluation.bootstrap
    if compared.empty:
        return ""
    found = compared["gap_verdict"].value_counts()
    deltas = ", ".join(f"{METRICS[name].label} {value:g}" for name, value in settings.verdicts.deltas)
    text = f"Of {count(len(compared), 'cell')} with a number of the paper's, about {Kind.WEIGHTS}: "
    text += ", ".join(f"{verdict} {found.get(verdict, 0)}" for verdict in GapVerdict)
    reasons = compared.loc[compared["gap_reason"] != "", "gap_reason"].value_counts().to_dict()
    text += f" ({'; '.join(f'{reason}: {cells}' for reason, cells in reasons.items())})." if reasons else "."
    if set(found.index) <= {GapVerdict.NOT_COMPARABLE}:
        return text
    masks = settings.evaluation.masks_per_image
    basis = f"from {masks} masks per image" if masks > 1 else "conservative, from one mask per image"
    return (
        f"{text} δ: {deltas}. The {bootstrap.confidence:.0%} interval of a gap is that of pairing the same images with "
        f"masks anew ({basis}), not adjusted for the number of cells."
    )


def _obstacle(settings: TableSettings, dataset: str, n_images: int) -> str:
    """Say why a cell cannot be compared with the paper's number; empty if it can."""
    if (images := images_of(settings, dataset)) is Images.MINIATURE:
        return str(images)
    if images is Images.OTHER:
        return f"another {', '.join(differences(settings, dataset))}"
    least = settings.evaluation.bootstrap.least_images
    return ("no images", f"fewer than {least} images")[n_images > 0] if n_images < least else ""
