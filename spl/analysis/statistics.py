"""Uncertainty of a mean: over images, for these weights, and over trainings, for the method."""

import math
import zlib
from enum import StrEnum
from typing import NamedTuple

import numpy as np
import pandas as pd

from spl.config.experiment import Bootstrap

NAN = float("nan")


class Kind(StrEnum):
    """What a statement is about."""

    WEIGHTS = "these weights"
    """Over images. One training suffices, because nothing is said about another one."""
    METHOD = "the method"
    """Over trainings."""


class Sample(NamedTuple):
    """A metric, or a difference of one, on n pairs of image and mask."""

    values: np.ndarray
    """(seeds, n)."""
    images: np.ndarray
    """(n,), of equal names where an image has several masks."""
    masks: np.ndarray
    """(n,), of equal names where a mask serves several images."""

    @property
    def n_images(self) -> int:
        """The number of different images."""
        return len(np.unique(self.images))

    def finite(self) -> "Sample":
        """Return the pairs on which all seeds are finite."""
        return self._keep(np.logical_and.reduce(np.isfinite(self.values)))

    def of(self, images: np.ndarray) -> "Sample":
        """Return the pairs of some images."""
        return self._keep(pd.Index(self.images).isin(images))

    def _keep(self, kept: np.ndarray) -> "Sample":
        return Sample(self.values[:, kept], self.images[kept], self.masks[kept])


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


def estimate_mean(sample: Sample, draws: Draws) -> Estimate:
    """Return the mean over pairs, all finite, and seeds, where whole images are resampled; NaN where there are none.

    Masks that several images share widen the interval.
    """
    values = sample.values
    seed_means = values.mean(axis=1) if values.size else np.full(len(values), NAN)
    over_seeds, images = values.mean(axis=0), pd.factorize(sample.images)[0]
    stretch = _stretch(over_seeds - over_seeds.mean(), images, pd.factorize(sample.masks)[0]) if values.size else 1.0
    return _estimate(np.bincount(images, over_seeds), np.bincount(images), seed_means, draws, stretch)


def paired(ours: Sample, reference: Sample) -> Sample:
    """Return `ours - reference` on the images of both, where both are finite.

    An image has the same masks on both sides, and images the same order. Seeds are paired by their order; where one
    side has a single one, it meets all of the other's.
    """
    if not np.array_equal(ours.images, reference.images):
        ours, reference = ours.of(reference.images), reference.of(ours.images)
    with np.errstate(invalid="ignore"):  # infinite minus infinite
        return ours._replace(values=ours.values - reference.values).finite()


def estimate_ratio(sums: np.ndarray, counts: np.ndarray, draws: Draws) -> Estimate:
    """Return the mean over objects, where whole images are resampled: sum of `sums` over sum of `counts`.

    Shapes: both (n,), the sum over an image's objects and their number, at least one; of one seed.
    """
    return _estimate(sums, counts, np.array([sums.sum() / counts.sum() if len(sums) else NAN]), draws)


def _estimate(
    sums: np.ndarray, counts: np.ndarray, seed_means: np.ndarray, draws: Draws, stretch: float = 1.0
) -> Estimate:
    """Take the percentile interval over images, and Student's over trainings if there are several."""
    if len(sums) < draws.bootstrap.least_images:
        return Estimate(float(seed_means.mean()), NAN, NAN, NAN, NAN, len(sums), NAN, tuple(seed_means.tolist()))
    mean, tail = sums.sum() / counts.sum(), (1 - draws.bootstrap.confidence) / 2
    several = counts.max() > 1
    resampled = draws.means(np.stack([sums, counts]) if several else sums[None])
    low, high = np.quantile(resampled[0] / resampled[1] if several else resampled[0], [tail, 1 - tail])
    if stretch > 1:
        low, high = mean + stretch * (low - mean), mean + stretch * (high - mean)
    # A ratio varies as its linearisation does (Cochran 1977, Sampling Techniques, section 2.11).
    se_images = stretch * math.sqrt(_variance(sums - mean * counts) / len(sums)) / counts.mean()
    found = Estimate(
        float(mean), float(low), float(high), NAN, NAN, len(sums), float(se_images), tuple(seed_means.tolist())
    )
    error, freedom = found.error(Kind.METHOD)
    from scipy.special import stdtrit  # takes longer than all else that an evaluation reads from here

    half = float(stdtrit(freedom, 1 - tail)) * error
    return found._replace(method_low=found.mean - half, method_high=found.mean + half)


def _stretch(errors: np.ndarray, images: np.ndarray, masks: np.ndarray) -> float:
    """Return by what factor, at least 1, shared masks widen the interval of a mean over images.

    Its variance by image and by mask is that by image plus that by mask less that by both (Cameron, Gelbach and Miller
    2011, Robust inference with multiway clustering). Shapes: (n,) each, images and masks as numbers.
    """
    by_image = _clustered(errors, images)
    both = _clustered(errors, masks) - _clustered(errors, pd.factorize(images * len(masks) + masks)[0])
    return math.sqrt(max(1.0, 1 + both / by_image)) if by_image else 1.0


def _clustered(errors: np.ndarray, clusters: np.ndarray) -> float:
    """Return the variance of the sum of errors that are independent between clusters only."""
    sums = np.bincount(clusters, errors)
    return float(np.square(sums).sum()) * len(sums) / max(1, len(sums) - 1)


def _variance(values: np.ndarray) -> float:
    return float(values.var(ddof=1))
