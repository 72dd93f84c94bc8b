"""Verdict on a claim by a measured difference, and the evidence that would decide an undecided one."""

import math
from bisect import bisect_left
from collections.abc import Sequence
from enum import StrEnum

import numpy as np
from scipy.special import nctdtr, stdtr, stdtrit

from spl.analysis.statistics import NAN, Estimate, Kind
from spl.config.experiment import Bootstrap

LEAST_TRAININGS = 3
MORE_TRAININGS = "at least three trainings"
"""What every verdict on a method needs."""

MOST = {Kind.WEIGHTS: (1_000_000, "images"), Kind.METHOD: (1_000, "trainings")}
"""Beyond these a number only says that the difference is all but nothing."""


class Verdict(StrEnum):
    """Verdict on one comparison."""

    SUPPORTED = "supported"
    NOT_SUPPORTED = "not supported"
    UNDECIDED = "undecided"
    NOT_TESTABLE = "not testable"


def p_value(estimate: Estimate, kind: Kind, *, margin: float) -> float:
    """Return the two-sided p, by Student's t, of the hypothesis that the difference is -`margin`.

    NaN below the least number of images, and of a method below three trainings.
    """
    error, freedom = estimate.error(kind)
    if math.isnan(error) or (kind is Kind.METHOD and estimate.n_seeds < LEAST_TRAININGS):
        return NAN
    distance = abs(estimate.mean + margin)
    return float(2 * stdtr(freedom, -distance / error)) if error else float(distance == 0)


def holm(p_values: Sequence[float]) -> list[float]:
    """Return p adjusted for the number of tests (Holm 1979); one that is NaN was not made."""
    p = np.array(p_values, float)
    order, made = np.argsort(p), np.isfinite(p).sum()  # NaN last
    p[order[:made]] = np.maximum.accumulate(p[order[:made]] * np.arange(made, 0, -1)).clip(max=1)
    return p.tolist()


def judge(difference: float, p: float, *, confidence: float) -> Verdict:
    """Judge a difference that the claim says is positive, by its adjusted p; a margin is added to it before."""
    if math.isnan(difference):
        return Verdict.NOT_TESTABLE
    if not p < 1 - confidence:
        return Verdict.UNDECIDED
    return Verdict.SUPPORTED if difference > 0 else Verdict.NOT_SUPPORTED


def needed(estimate: Estimate, kind: Kind, bootstrap: Bootstrap, *, margin: float, power: float, tests: int) -> str:
    """Say how many images or trainings would decide a difference with some power, if it stays as it is.

    The test is two-sided and passes as one of `tests` together, by Bonferroni, which Holm's never asks more than. Of
    the method, trainings are counted and the images stay.
    """
    if kind is Kind.METHOD and estimate.n_seeds < LEAST_TRAININGS:
        return MORE_TRAININGS
    if math.isnan(estimate.se_images):
        return f"at least {bootstrap.least_images} images"
    most, noun = MOST[kind]
    counts = range((estimate.n_images if kind is Kind.WEIGHTS else estimate.n_seeds) + 1, most + 1)

    def suffices(count: int) -> bool:
        error, freedom = estimate.error(kind, count)
        threshold = stdtrit(freedom, 1 - (1 - bootstrap.confidence) / tests / 2)
        return error > 0 and bool(1 - nctdtr(freedom, abs(estimate.mean + margin) / error, threshold) >= power)

    found = bisect_left(counts, True, key=suffices)
    return f"about {counts[found]:,} {noun}" if found < len(counts) else f"more than {most:,} {noun}"
