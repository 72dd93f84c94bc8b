"""What a measured difference says about a claim, and how much more evidence would decide it."""

import math
from bisect import bisect_left
from typing import Literal

from spl.analysis.statistics import Estimate, Part, half_width

Verdict = Literal["supported", "not supported", "undecided", "not testable"]

MOST_IMAGES, MOST_TRAININGS = 1_000_000, 1_000
"""Beyond these a number only says that the difference is all but nothing."""


def judge(estimate: Estimate) -> Verdict:
    """Judge a difference that the claim says is positive, by its interval over images and trainings."""
    if estimate.combined_low > 0:
        return "supported"
    if estimate.combined_high < 0:
        return "not supported"
    return "undecided"


def needed(estimate: Estimate, confidence: float) -> str:
    """Say how many images or trainings an undecided difference needs, if it stays as it is.

    They are counted until the half-width of the interval falls below the difference: the images' part of its variance
    falls with their number, the trainings' part with theirs. The larger part is the one to shrink.
    """
    if math.isnan(estimate.se_images):
        return "more images"
    images = estimate.se_images**2 * estimate.n_images
    trainings = estimate.seed_sd**2 if estimate.n_seeds > 1 else 0.0

    def decided(n_images: int, n_trainings: int) -> bool:
        parts = [Part(images / n_images, n_images - 1)]
        if trainings:
            parts.append(Part(trainings / n_trainings, n_trainings - 1))
        return half_width(parts, confidence) < abs(estimate.mean)

    if trainings / estimate.n_seeds > images / estimate.n_images:
        counts = range(estimate.n_seeds + 1, MOST_TRAININGS + 1)
        found = bisect_left(counts, True, key=lambda count: decided(estimate.n_images, count))
        what = "trainings"
    else:
        counts = range(estimate.n_images + 1, MOST_IMAGES + 1)
        found = bisect_left(counts, True, key=lambda count: decided(count, estimate.n_seeds))
        what = "images"
    if found < len(counts):
        return f"about {counts[found]:,} {what}"
    if trainings and decided(MOST_IMAGES, MOST_TRAININGS):
        return "more images and more trainings"
    return f"more than {counts.stop - 1:,} {what}"
