"""Uncertainty of a mean: over images, for these weights, and over trainings, for the method."""

import math
import zlib
from enum import StrEnum
from typing import NamedTuple

import numpy as np
from scipy.special import stdtrit

from spl.config.experiment import Bootstrap

NAN = float("nan")


class Kind(StrEnum):
    """What a statement is about."""

    WEIGHTS = "these weights"
    """Over images. One training suffices, because nothing is said about another one."""
    METHOD = "the method"
    """Over trainings."""


class Estimate(NamedTuple):
    """A mean over images and seeds with its uncertainty; NaN where that cannot be known."""

    mean: float
    low: float
    """Bootstrap interval over images of the mean over seeds: these weights."""
    high: float
    method_low: float
    """Student's interval over trainings, the images' variance added: the method."""
    method_high: float
    n_images: int
    se_images: float
    """Standard error due to the images."""
    seed_means: tuple[float, ...]
    """The mean of each seed; of a difference, of each pair of trainings."""

    @property
    def n_seeds(self) -> int:
        """The number of seeds."""
        return len(self.seed_means)

    @property
    def seed_sd(self) -> float:
        """Standard deviation over seeds; NaN with one."""
        return math.sqrt(_variance(np.array(self.seed_means))) if self.n_seeds > 1 else NAN

    def interval(self, kind: Kind) -> tuple[float, float]:
        """Return the interval that a statement of some kind rests on."""
        return (self.low, self.high) if kind is Kind.WEIGHTS else (self.method_low, self.method_high)

    def error(self, kind: Kind, count: int | None = None) -> tuple[float, int]:
        """Return standard error and degrees of freedom, as they are or with another number of images or trainings.

        The interaction of seeds and images counts in both parts of the method's error, so it is a little large.
        """
        if kind is Kind.WEIGHTS:
            n_images = count or self.n_images
            return self.se_images * math.sqrt(self.n_images / n_images), n_images - 1
        trainings = count or self.n_seeds
        return math.hypot(self.seed_sd / math.sqrt(trainings), self.se_images), trainings - 1

    def negated(self) -> "Estimate":
        """Return the same of the values with the other sign."""
        means, method = tuple(-mean for mean in self.seed_means), (-self.method_high, -self.method_low)
        return Estimate(-self.mean, -self.high, -self.low, *method, self.n_images, self.se_images, means)

    def columns(self) -> dict[str, float]:
        """Return the columns of a table that describe a mean; the interval is over images."""
        return {
            "value": self.mean, "low": self.low, "high": self.high,
            "n_images": self.n_images, "n_seeds": self.n_seeds, "seed_sd": self.seed_sd,
        }  # fmt: skip

    def difference_columns(self) -> dict[str, float]:
        """Return the columns of a table that describe a difference, with both of its intervals."""
        return {
            "difference": self.mean, "difference_low": self.low, "difference_high": self.high,
            "method_low": self.method_low, "method_high": self.method_high,
        }  # fmt: skip


class Draws(NamedTuple):
    """Resampling of images, which depends on seed and name alone: a cell of a table never depends on its neighbours."""

    bootstrap: Bootstrap
    seed: int
    name: str

    def means(self, rows: np.ndarray) -> np.ndarray:
        """Return the means of `rows` (k, n) over resampled images, (k, samples)."""
        rng, samples = np.random.default_rng([self.seed, zlib.crc32(self.name.encode())]), self.bootstrap.samples
        count = rows.shape[1]
        # A few hundred resamples at a time bound the memory for the 36,500 images of Places2.
        step = max(1, 4_000_000 // count)
        sizes = [min(step, samples - start) for start in range(0, samples, step)]
        return np.concatenate([rows[:, rng.integers(count, size=(size, count))].mean(axis=2) for size in sizes], axis=1)


def estimate_mean(values: np.ndarray, draws: Draws) -> Estimate:
    """Return the mean of `values` (seeds, n), all finite, over images and seeds; NaN where there are none."""
    n_images = values.shape[1]
    seed_means = values.mean(axis=1) if n_images else np.full(len(values), NAN)
    if n_images < draws.bootstrap.least_images:
        return _unknown(seed_means, n_images)
    over_seeds = values.mean(axis=0)
    se_images = math.sqrt(_variance(over_seeds) / n_images)
    return _with_intervals(over_seeds.mean(), draws.means(over_seeds[None])[0], se_images, seed_means, n_images, draws)


def paired(ours: np.ndarray, reference: np.ndarray) -> np.ndarray:
    """Return `ours - reference` (seeds, k) of the images on which both are finite; both (seeds, n), same image order.

    Seeds are paired by their order; where one side has a single one, it meets all of the other's.
    """
    kept = np.isfinite(ours).all(axis=0) & np.isfinite(reference).all(axis=0)
    return ours[:, kept] - reference[:, kept]


def estimate_ratio(sums: np.ndarray, counts: np.ndarray, draws: Draws) -> Estimate:
    """Return the mean over objects, where whole images are resampled: sum of `sums` over sum of `counts`.

    Shapes: both (n,), the sum over an image's objects and their number, at least one; of one seed.
    """
    ratio = np.array([sums.sum() / counts.sum() if len(sums) else NAN])
    if len(sums) < draws.bootstrap.least_images:
        return _unknown(ratio, len(sums))
    resampled = draws.means(np.stack([sums, counts]))
    # A ratio varies as its linearisation does (Cochran 1977, Sampling Techniques, section 2.11).
    se_images = math.sqrt(_variance(sums - ratio * counts) / len(sums)) / counts.mean()
    return _with_intervals(ratio.item(), resampled[0] / resampled[1], se_images, ratio, len(sums), draws)


def _with_intervals(
    mean: float, resampled: np.ndarray, se_images: float, seed_means: np.ndarray, n_images: int, draws: Draws
) -> Estimate:
    """Take the percentile interval of resampled means, and Student's over trainings if there are several."""
    tail = (1 - draws.bootstrap.confidence) / 2
    low, high = np.quantile(resampled, [tail, 1 - tail]).tolist()
    found = Estimate(float(mean), low, high, NAN, NAN, n_images, se_images, tuple(seed_means.tolist()))
    error, freedom = found.error(Kind.METHOD)
    half = float(stdtrit(freedom, 1 - tail)) * error
    return found._replace(method_low=found.mean - half, method_high=found.mean + half)


def _variance(values: np.ndarray) -> float:
    return float(values.var(ddof=1))


def _unknown(seed_means: np.ndarray, n_images: int) -> Estimate:
    """Return a mean without an interval."""
    return Estimate(float(seed_means.mean()), NAN, NAN, NAN, NAN, n_images, NAN, tuple(seed_means.tolist()))
