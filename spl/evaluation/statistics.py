"""How sure a mean over images is: percentile bootstrap, paired where two methods saw the same images."""

import zlib
from typing import NamedTuple

import numpy as np

from spl.config import Bootstrap


class Interval(NamedTuple):
    """A mean and its bootstrap interval."""

    mean: float
    low: float
    high: float


def bootstrap_mean(values: np.ndarray, bootstrap: Bootstrap, *, seed: int, name: str) -> Interval:
    """Return the mean of `values` (n,) with its percentile interval over resampled images.

    The resampling depends on the seed and `name` alone, so a cell of a table never depends on its neighbours.
    """
    rng = np.random.default_rng([seed, zlib.crc32(name.encode())])
    # A few hundred resamples at a time bound the memory for the 36,500 images of Places2.
    step = max(1, 4_000_000 // len(values))
    means = np.concatenate(
        [
            values[rng.integers(len(values), size=(min(step, bootstrap.samples - start), len(values)))].mean(axis=1)
            for start in range(0, bootstrap.samples, step)
        ]
    )
    tail = (1 - bootstrap.confidence) / 2
    low, high = np.quantile(means, [tail, 1 - tail])
    return Interval(float(values.mean()), float(low), float(high))


def paired_difference(
    ours: np.ndarray, reference: np.ndarray, bootstrap: Bootstrap, *, seed: int, name: str
) -> Interval:
    """Return the mean per-image difference `ours - reference` with its interval; both (n,), same image order."""
    return bootstrap_mean(ours - reference, bootstrap, seed=seed, name=name)
