"""Verdict on a claim by a measured difference, and the evidence that would decide an undecided one."""

import math
from bisect import bisect_left
from enum import StrEnum

from spl.analysis.statistics import Estimate, Part, half_width

MOST_IMAGES, MOST_SEEDS = 1_000_000, 1_000
"""Beyond these a number only says that the difference is all but nothing."""


class Verdict(StrEnum):
    """Verdict on one comparison."""

    SUPPORTED = "supported"
    NOT_SUPPORTED = "not supported"
    UNDECIDED = "undecided"
    NOT_TESTABLE = "not testable"


def judge(estimate: Estimate) -> Verdict:
    """Judge a difference that the claim says is positive, by its interval over images and seeds."""
    if math.isnan(estimate.mean):
        return Verdict.NOT_TESTABLE
    if estimate.combined_low > 0:
        return Verdict.SUPPORTED
    return Verdict.NOT_SUPPORTED if estimate.combined_high < 0 else Verdict.UNDECIDED


def needed(estimate: Estimate, confidence: float) -> str:
    """Say how many images or seeds an undecided difference needs, if it stays as it is.

    They are counted until the half-width of the interval falls below the difference: the images' part of its variance
    falls with their number, the seeds' part with theirs. The larger part is the one to shrink.
    """
    if math.isnan(estimate.se_images):
        return "more images"
    images = estimate.se_images**2 * estimate.n_images
    seeds = estimate.seed_sd**2 if estimate.n_seeds > 1 else 0.0

    def decided(n_images: int, n_seeds: int) -> bool:
        parts = [Part(images / n_images, n_images - 1)]
        parts += [Part(seeds / n_seeds, n_seeds - 1)] if seeds else []
        return half_width(parts, confidence) < abs(estimate.mean)

    if seeds / estimate.n_seeds > images / estimate.n_images:
        counts, noun = range(estimate.n_seeds + 1, MOST_SEEDS + 1), "seeds"
        found = bisect_left(counts, True, key=lambda count: decided(estimate.n_images, count))
    else:
        counts, noun = range(estimate.n_images + 1, MOST_IMAGES + 1), "images"
        found = bisect_left(counts, True, key=lambda count: decided(count, estimate.n_seeds))
    if found < len(counts):
        return f"about {counts[found]:,} {noun}"
    if seeds and decided(MOST_IMAGES, MOST_SEEDS):
        return "more images and more seeds"
    return f"more than {counts.stop - 1:,} {noun}"
