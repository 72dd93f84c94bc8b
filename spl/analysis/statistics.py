"""Uncertainty of a mean: bootstrap over images, variance over seeds, and a combined interval."""

import math
import zlib
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from scipy.special import stdtrit

from spl.config.experiment import Bootstrap

NAN = float("nan")


class Estimate(NamedTuple):
    """A mean over images and seeds with its uncertainty; NaN where that cannot be known."""

    mean: float
    low: float
    """Bootstrap interval over images of the mean over seeds."""
    high: float
    combined_low: float
    """Interval over images and seeds; with one seed, that over images."""
    combined_high: float
    n_images: int
    se_images: float
    """Standard error due to the images."""
    seed_means: tuple[float, ...]
    """The mean of each seed."""

    @property
    def n_seeds(self) -> int:
        """The number of seeds."""
        return len(self.seed_means)

    @property
    def seed_sd(self) -> float:
        """Standard deviation over seeds; NaN with one."""
        return math.sqrt(_variance(np.array(self.seed_means))) if self.n_seeds > 1 else NAN

    def negated(self) -> "Estimate":
        """Return the same of the values with the other sign."""
        means = tuple(-mean for mean in self.seed_means)
        combined = -self.combined_high, -self.combined_low
        return Estimate(-self.mean, -self.high, -self.low, *combined, self.n_images, self.se_images, means)

    def columns(self) -> dict[str, float]:
        """Return the columns of a table that describe a mean; the interval is over images."""
        return {
            "value": self.mean, "low": self.low, "high": self.high,
            "n_images": self.n_images, "n_seeds": self.n_seeds, "seed_sd": self.seed_sd,
        }  # fmt: skip

    def difference_columns(self) -> dict[str, float]:
        """Return the columns of a table that describe a difference; the interval is over images and seeds."""
        return {"difference": self.mean, "difference_low": self.combined_low, "difference_high": self.combined_high}


class Part(NamedTuple):
    """The part of a mean's variance that is due to one source, with its degrees of freedom."""

    variance: float
    freedom: int


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
    if n_images < 2:  # resampling one image would claim certainty
        return _unknown(seed_means, n_images)
    over_seeds = values.mean(axis=0)
    part = Part(_variance(over_seeds) / n_images, n_images - 1)
    return _combine(over_seeds.mean(), draws.means(over_seeds[None])[0], [part], seed_means, n_images, draws)


def paired_difference(ours: np.ndarray, reference: np.ndarray, draws: Draws) -> Estimate:
    """Return the mean difference `ours - reference`; both (seeds, n), same image order.

    Seeds are paired by their order; where one side has a single one, it meets all of the other's. Images on which
    either is not finite are left out.
    """
    return estimate_mean(_differences(ours, reference), draws)


def difference_of_differences(
    first: tuple[np.ndarray, np.ndarray], second: tuple[np.ndarray, np.ndarray], draws: Draws
) -> Estimate:
    """Return by how much more `ours` and `reference` differ on the first images than on the second.

    Shapes: two pairs (ours, reference) of (seeds, n), over two sets of images that are resampled independently.
    """
    groups = [_differences(*pair) for pair in (first, second)]
    sizes = [group.shape[1] for group in groups]
    seed_means = groups[0].mean(axis=1) - groups[1].mean(axis=1) if min(sizes) else np.full(len(groups[0]), NAN)
    if min(sizes) < 2:
        return _unknown(seed_means, sum(sizes))
    over_seeds = [group.mean(axis=0) for group in groups]
    means = [draws._replace(name=f"{draws.name}/{i}").means(v[None])[0] for i, v in enumerate(over_seeds)]
    parts = [Part(_variance(values) / len(values), len(values) - 1) for values in over_seeds]
    return _combine(seed_means.mean(), means[0] - means[1], parts, seed_means, sum(sizes), draws)


def estimate_ratio(sums: np.ndarray, counts: np.ndarray, draws: Draws) -> Estimate:
    """Return the mean over objects, where whole images are resampled: sum of `sums` over sum of `counts`.

    Shapes: both (n,), the sum over an image's objects and their number, at least one; of one seed.
    """
    ratio = np.array([sums.sum() / counts.sum() if len(sums) else NAN])
    if len(sums) < 2:
        return _unknown(ratio, len(sums))
    resampled = draws.means(np.stack([sums, counts]))
    # A ratio varies as its linearisation does (Cochran 1977, Sampling Techniques, section 2.11).
    variance = _variance(sums - ratio * counts) / (len(sums) * counts.mean() ** 2)
    part = Part(variance, len(sums) - 1)
    return _combine(ratio.item(), resampled[0] / resampled[1], [part], ratio, len(sums), draws)


def half_width(parts: Sequence[Part], confidence: float) -> float:
    """Return half the width of the interval around a mean whose variance comes from several sources.

    The variances add up, and Student's t has the degrees of freedom of Welch and Satterthwaite.
    """
    total = sum(part.variance for part in parts)
    if total == 0:
        return 0.0
    freedom = total**2 / sum(part.variance**2 / part.freedom for part in parts)
    return float(stdtrit(freedom, (1 + confidence) / 2)) * math.sqrt(total)


def _combine(
    mean: float, resampled: np.ndarray, images: list[Part], seed_means: np.ndarray, n_images: int, draws: Draws
) -> Estimate:
    """Take the percentile interval of resampled means, and add the variance over seeds to that due to the images.

    The interaction of seeds and images counts in both, so the combined interval is a little wide.
    """
    se_images = math.sqrt(sum(part.variance for part in images))
    tail = (1 - draws.bootstrap.confidence) / 2
    low, high = np.quantile(resampled, [tail, 1 - tail]).tolist()
    both = low, high
    if len(seed_means) > 1:
        parts = [*images, Part(_variance(seed_means) / len(seed_means), len(seed_means) - 1)]
        half = half_width(parts, draws.bootstrap.confidence)
        both = mean - half, mean + half
    return Estimate(float(mean), low, high, *both, n_images, se_images, tuple(seed_means.tolist()))


def _differences(ours: np.ndarray, reference: np.ndarray) -> np.ndarray:
    """Return `ours - reference` (seeds, n) of the images on which both are finite."""
    kept = np.isfinite(ours).all(axis=0) & np.isfinite(reference).all(axis=0)
    return ours[:, kept] - reference[:, kept]


def _variance(values: np.ndarray) -> float:
    return float(values.var(ddof=1))


def _unknown(seed_means: np.ndarray, n_images: int) -> Estimate:
    """Return a mean without an interval."""
    return Estimate(float(seed_means.mean()), NAN, NAN, NAN, NAN, n_images, NAN, tuple(seed_means.tolist()))
