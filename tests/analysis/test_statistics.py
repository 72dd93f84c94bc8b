"""Intervals cover what they say, over images and over seeds, and pairing makes them tighter."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from spl.analysis.statistics import (
    Draws,
    difference_of_differences,
    estimate_mean,
    estimate_ratio,
    paired_difference,
)
from spl.config.experiment import Bootstrap

DRAWS = Draws(Bootstrap(samples=400, confidence=0.95, least_images=20), seed=0, name="x")
FINE = DRAWS._replace(bootstrap=Bootstrap(samples=4000, confidence=0.95, least_images=20))


def width(found):
    return found.high - found.low


def test_interval_covers_the_true_mean_about_as_often_as_it_says():
    rng = np.random.default_rng(0)
    found = [estimate_mean(rng.normal(5, 2, (1, 60)), DRAWS._replace(seed=trial)) for trial in range(300)]
    assert 0.90 <= np.mean([interval.low <= 5 <= interval.high for interval in found]) <= 0.98


def test_interval_agrees_with_scipys_bootstrap():
    values = np.random.default_rng(1).gamma(2, 1, 80)
    ours = estimate_mean(values[None], FINE)
    theirs = stats.bootstrap((values,), np.mean, n_resamples=4000, method="percentile", rng=2).confidence_interval
    assert (ours.low, ours.high) == pytest.approx((theirs.low, theirs.high), abs=0.05 * width(theirs))
    assert ours.mean == values.mean()


def test_resampling_depends_on_seed_and_name_alone():
    one, same, *others = (
        estimate_mean(np.arange(20.0)[None], DRAWS._replace(seed=seed, name=name))
        for seed, name in ((1, "a"), (1, "a"), (1, "b"), (2, "a"))
    )
    assert one == same
    assert one not in others


def test_one_seed_has_the_interval_over_images_alone():
    found = estimate_mean(np.random.default_rng(3).normal(0, 1, (1, 50)), DRAWS)
    assert (found.combined_low, found.combined_high) == (found.low, found.high)
    assert found.n_seeds == 1
    assert np.isnan(found.seed_sd)


def test_several_seeds_are_averaged_image_by_image():
    values = np.random.default_rng(4).normal(20, 1, (3, 50))
    found = estimate_mean(values, DRAWS)
    alone = estimate_mean(values.mean(axis=0, keepdims=True), DRAWS)
    assert (found.low, found.high) == (alone.low, alone.high)
    assert found.mean == pytest.approx(values.mean())
    assert found.seed_means == pytest.approx(values.mean(axis=1))
    assert found.seed_sd == pytest.approx(np.std(values.mean(axis=1), ddof=1))


def welch_satterthwaite(variances, freedoms, confidence=0.95, least_images=20):
    """Half of an interval, straight from the formula."""
    total = sum(variances)
    freedom = total**2 / sum(v**2 / f for v, f in zip(variances, freedoms, strict=True))
    return stats.t.ppf((1 + confidence) / 2, freedom) * np.sqrt(total)


def test_the_combined_interval_is_welch_and_satterthwaites():
    values = np.random.default_rng(5).normal(0, 1, (4, 30)) + np.random.default_rng(6).normal(0, 0.3, (4, 1))
    found = estimate_mean(values, DRAWS)
    half = welch_satterthwaite([stats.sem(values.mean(axis=axis)) ** 2 for axis in (0, 1)], [29, 3])
    assert (found.combined_low, found.combined_high) == pytest.approx((values.mean() - half, values.mean() + half))


def test_seeds_are_paired_by_their_order():
    shared = np.random.default_rng(9).normal(0, 3, (5, 1))  # what a seed does to both methods
    images = np.random.default_rng(10).normal(25, 1, (1, 40))
    found = paired_difference(images + shared + 1, images + shared, DRAWS)
    assert (found.mean, found.seed_sd) == (pytest.approx(1), pytest.approx(0, abs=1e-9))


def test_a_method_of_one_seed_meets_all_of_the_others():
    ours, fill = np.random.default_rng(11).normal(25, 1, (3, 40)), np.full((1, 40), 20.0)
    found, back = paired_difference(ours, fill, DRAWS), paired_difference(fill, ours, DRAWS)
    assert found.seed_sd == pytest.approx(np.std(ours.mean(axis=1), ddof=1))
    assert back.mean == pytest.approx(-found.mean)
    assert back.combined_low == pytest.approx(found.negated().combined_low)


def test_images_on_which_a_seed_is_infinite_or_undefined_are_left_out():
    ours, theirs = np.random.default_rng(12).normal(25, 1, (2, 2, 10))
    ours[0, 3], theirs[1, 7] = np.inf, np.nan
    found = paired_difference(ours, theirs, DRAWS)
    assert found.n_images == 8
    assert found.mean == pytest.approx(np.delete(ours - theirs, [3, 7], axis=1).mean())


@pytest.mark.parametrize("count", [0, 1])
def test_no_interval_of_less_than_two_images(count):
    found = estimate_mean(np.full((2, count), 3.0), DRAWS)
    assert (found.n_images, found.n_seeds) == (count, 2)
    assert found.mean == pytest.approx(3 if count else np.nan, nan_ok=True)
    assert np.isnan([found.low, found.high, found.combined_low, found.combined_high]).all()


def test_a_difference_of_differences_resamples_two_sets_of_images():
    rng = np.random.default_rng(13)
    base = [rng.normal(25, 5, (1, size)) for size in (70, 40)]
    gains = [rng.normal(mean, 1, (3, size)) for mean, size in ((2, 70), (0.5, 40))]
    first, second = ((b + g, b) for b, g in zip(base, gains, strict=True))
    found = difference_of_differences(first, second, FINE)
    over_seeds = [gain.mean(axis=0) for gain in gains]
    assert found.mean == pytest.approx(over_seeds[0].mean() - over_seeds[1].mean())
    assert found.n_images == 110
    theirs = stats.bootstrap(
        over_seeds, lambda a, b, axis: a.mean(axis) - b.mean(axis), n_resamples=4000, method="percentile", rng=1
    ).confidence_interval
    assert (found.low, found.high) == pytest.approx((theirs.low, theirs.high), abs=0.06 * width(theirs))
    seeds = gains[0].mean(axis=1) - gains[1].mean(axis=1)
    half = welch_satterthwaite([stats.sem(g) ** 2 for g in (*over_seeds, seeds)], [69, 39, 2])
    assert (found.combined_low, found.combined_high) == pytest.approx((found.mean - half, found.mean + half))


def test_the_two_sets_of_images_are_resampled_apart_and_neither_may_be_empty():
    pair = np.random.default_rng(15).normal(25, 1, (2, 1, 60))
    found = difference_of_differences(pair, pair, DRAWS)
    assert found.low < -0.1 < 0.1 < found.high
    assert np.isnan(difference_of_differences(pair, pair[..., :0], DRAWS).mean)


def test_a_ratio_resamples_whole_images():
    rng = np.random.default_rng(14)
    counts = rng.geometric(0.2, 90).astype(float)
    sums = counts * rng.normal(0.3, 0.4, 90)
    found = estimate_ratio(sums, counts, FINE)
    theirs = stats.bootstrap(
        (sums, counts), lambda s, c, axis: s.sum(axis) / c.sum(axis),
        paired=True, n_resamples=4000, method="percentile", rng=1,
    )  # fmt: skip
    low, high = theirs.confidence_interval
    assert found.mean == pytest.approx(sums.sum() / counts.sum())
    assert (found.low, found.high) == pytest.approx((low, high), abs=0.06 * (high - low))
    assert found.se_images == pytest.approx(theirs.standard_error, rel=0.06)


@given(
    values=st.lists(st.floats(-50, 50), min_size=12, max_size=12),
    seeds=st.sampled_from([1, 2, 3]),
    shift=st.floats(-10, 10),
)
def test_an_estimate_moves_with_its_values(values, seeds, shift):
    values = np.array(values).reshape(seeds, -1)
    found, moved = (estimate_mean(v, DRAWS) for v in (values, values + shift))
    assert found.combined_low - 1e-9 <= found.mean <= found.combined_high + 1e-9
    numbers = [[e.mean, e.low, e.high, e.combined_low, e.combined_high] for e in (found, moved)]
    np.testing.assert_allclose(np.array(numbers[0]) + shift, numbers[1], atol=1e-6)
    assert found.negated().negated() == found
