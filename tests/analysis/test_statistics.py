"""Intervals cover what they say, over images and over trainings, and pairing makes them tighter."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from spl.analysis.statistics import (
    bootstrap_mean,
    difference_of_differences,
    estimate_mean,
    estimate_ratio,
    paired_difference,
)
from spl.config.experiment import Bootstrap

BOOTSTRAP = Bootstrap(samples=400, confidence=0.95)
FINE = Bootstrap(samples=4000, confidence=0.95)


def test_interval_covers_the_true_mean_about_as_often_as_it_says():
    rng = np.random.default_rng(0)
    hits = 0
    for trial in range(300):
        interval = bootstrap_mean(rng.normal(5, 2, 60), BOOTSTRAP, seed=trial, name="x")
        hits += interval.low <= 5 <= interval.high
    assert 0.90 <= hits / 300 <= 0.98


def test_interval_agrees_with_scipys_bootstrap():
    values = np.random.default_rng(1).gamma(2, 1, 80)
    ours = bootstrap_mean(values, FINE, seed=0, name="x")
    theirs = stats.bootstrap((values,), np.mean, n_resamples=4000, method="percentile", rng=2).confidence_interval
    width = theirs.high - theirs.low
    assert ours.low == pytest.approx(theirs.low, abs=0.05 * width)
    assert ours.high == pytest.approx(theirs.high, abs=0.05 * width)
    assert ours.mean == values.mean()


def test_pairing_removes_what_both_methods_share():
    rng = np.random.default_rng(2)
    difficulty = rng.normal(25, 5, 96)
    ours, reference = difficulty + 0.5 + rng.normal(0, 0.2, 96), difficulty + rng.normal(0, 0.2, 96)
    paired = paired_difference(ours[None], reference[None], BOOTSTRAP, seed=0, name="x")
    assert 0 < paired.low < 0.5 < paired.high + 0.1
    alone = bootstrap_mean(ours, BOOTSTRAP, seed=0, name="x")
    assert paired.high - paired.low < (alone.high - alone.low) / 5


def test_resampling_depends_on_seed_and_name_alone():
    values = np.arange(20.0)
    assert bootstrap_mean(values, BOOTSTRAP, seed=1, name="a") == bootstrap_mean(values, BOOTSTRAP, seed=1, name="a")
    assert bootstrap_mean(values, BOOTSTRAP, seed=1, name="a") != bootstrap_mean(values, BOOTSTRAP, seed=1, name="b")
    assert bootstrap_mean(values, BOOTSTRAP, seed=1, name="a") != bootstrap_mean(values, BOOTSTRAP, seed=2, name="a")


def test_one_training_has_the_interval_over_images_alone():
    found = estimate_mean(np.random.default_rng(3).normal(0, 1, (1, 50)), BOOTSTRAP, seed=0, name="x")
    assert (found.combined_low, found.combined_high) == (found.low, found.high)
    assert found.n_seeds == 1
    assert np.isnan(found.seed_sd)


def test_several_trainings_are_averaged_image_by_image():
    values = np.random.default_rng(4).normal(20, 1, (3, 50))
    found = estimate_mean(values, BOOTSTRAP, seed=0, name="x")
    assert (found.low, found.high) == bootstrap_mean(values.mean(axis=0), BOOTSTRAP, seed=0, name="x")[1:]
    assert found.mean == pytest.approx(values.mean())
    assert found.seed_means == pytest.approx(values.mean(axis=1))
    assert found.seed_sd == pytest.approx(np.std(values.mean(axis=1), ddof=1))


def welch_satterthwaite(variances, freedoms, confidence=0.95):
    """Half of an interval, straight from the formula."""
    total = sum(variances)
    freedom = total**2 / sum(v**2 / f for v, f in zip(variances, freedoms, strict=True))
    return stats.t.ppf((1 + confidence) / 2, freedom) * np.sqrt(total)


def test_the_combined_interval_is_welch_and_satterthwaites():
    values = np.random.default_rng(5).normal(0, 1, (4, 30)) + np.random.default_rng(6).normal(0, 0.3, (4, 1))
    found = estimate_mean(values, BOOTSTRAP, seed=0, name="x")
    variances = [stats.sem(values.mean(axis=0)) ** 2, stats.sem(values.mean(axis=1)) ** 2]
    half = welch_satterthwaite(variances, [29, 3])
    assert found.combined_low == pytest.approx(values.mean() - half)
    assert found.combined_high == pytest.approx(values.mean() + half)


def test_where_trainings_do_not_differ_the_combined_interval_is_students():
    values = np.tile(np.random.default_rng(7).normal(0, 1, 40), (3, 1))
    found = estimate_mean(values, BOOTSTRAP, seed=0, name="x")
    student = stats.t.interval(0.95, 39, loc=values[0].mean(), scale=stats.sem(values[0]))
    assert (found.combined_low, found.combined_high) == pytest.approx(student)


def test_the_combined_interval_covers_the_mean_over_images_and_trainings():
    """Images alone would miss it most of the time: here trainings differ more than images do."""
    rng = np.random.default_rng(8)
    alone = combined = 0
    for trial in range(300):
        values = 5 + rng.normal(0, 1, 60) + rng.normal(0, 0.5, (4, 1)) + rng.normal(0, 0.2, (4, 60))
        found = estimate_mean(values, Bootstrap(samples=100, confidence=0.95), seed=trial, name="x")
        alone += found.low <= 5 <= found.high
        combined += found.combined_low <= 5 <= found.combined_high
    assert 0.91 <= combined / 300 <= 0.99
    assert alone / 300 < 0.8


def test_trainings_are_paired_by_their_order():
    shared = np.random.default_rng(9).normal(0, 3, (5, 1))  # what a seed does to both methods
    images = np.random.default_rng(10).normal(25, 1, (1, 40))
    found = paired_difference(images + shared + 1, images + shared, BOOTSTRAP, seed=0, name="x")
    assert found.seed_sd == pytest.approx(0, abs=1e-9)
    assert found.mean == pytest.approx(1)


def test_a_method_without_trainings_meets_all_of_the_others():
    ours, fill = np.random.default_rng(11).normal(25, 1, (3, 40)), np.full((1, 40), 20.0)
    found = paired_difference(ours, fill, BOOTSTRAP, seed=0, name="x")
    assert found.seed_sd == pytest.approx(np.std(ours.mean(axis=1), ddof=1))
    back = paired_difference(fill, ours, BOOTSTRAP, seed=0, name="x")
    assert back.mean == pytest.approx(-found.mean)
    assert back.combined_low == pytest.approx(found.negated().combined_low)


def test_images_on_which_a_training_is_infinite_or_undefined_are_left_out():
    ours, theirs = np.random.default_rng(12).normal(25, 1, (2, 2, 10))
    ours[0, 3], theirs[1, 7] = np.inf, np.nan
    found = paired_difference(ours, theirs, BOOTSTRAP, seed=0, name="x")
    kept = [i for i in range(10) if i not in (3, 7)]
    assert found.n_images == 8
    assert found.mean == pytest.approx((ours - theirs)[:, kept].mean())


@pytest.mark.parametrize("count", [0, 1])
def test_no_interval_of_less_than_two_images(count):
    found = estimate_mean(np.full((2, count), 3.0), BOOTSTRAP, seed=0, name="x")
    assert (found.n_images, found.n_seeds) == (count, 2)
    assert found.mean == 3 if count else np.isnan(found.mean)
    assert np.isnan([found.low, found.high, found.combined_low, found.combined_high]).all()


def test_a_difference_of_differences_resamples_two_sets_of_images():
    rng = np.random.default_rng(13)
    base = [rng.normal(25, 5, (1, size)) for size in (70, 40)]
    gains = [rng.normal(mean, 1, (3, size)) for mean, size in ((2, 70), (0.5, 40))]
    first, second = ((b + g, b) for b, g in zip(base, gains, strict=True))
    found = difference_of_differences(first, second, FINE, seed=0, name="x")
    over_seeds = [gain.mean(axis=0) for gain in gains]
    assert found.mean == pytest.approx(over_seeds[0].mean() - over_seeds[1].mean())
    assert found.n_images == 110
    theirs = stats.bootstrap(
        over_seeds, lambda a, b, axis: a.mean(axis) - b.mean(axis), n_resamples=4000, method="percentile", rng=1
    ).confidence_interval
    width = theirs.high - theirs.low
    assert (found.low, found.high) == pytest.approx((theirs.low, theirs.high), abs=0.06 * width)
    seeds = gains[0].mean(axis=1) - gains[1].mean(axis=1)
    half = welch_satterthwaite([stats.sem(g) ** 2 for g in (*over_seeds, seeds)], [69, 39, 2])
    assert (found.combined_low, found.combined_high) == pytest.approx((found.mean - half, found.mean + half))


def test_the_two_sets_of_images_are_resampled_apart():
    pair = np.random.default_rng(15).normal(25, 1, (2, 1, 60))
    found = difference_of_differences(pair, pair, BOOTSTRAP, seed=0, name="x")
    assert found.low < -0.1
    assert found.high > 0.1


def test_a_difference_of_differences_needs_images_on_both_sides():
    some, none = np.ones((1, 5)), np.ones((1, 0))
    assert np.isnan(difference_of_differences((some, some), (none, none), BOOTSTRAP, seed=0, name="x").mean)


def test_a_ratio_resamples_whole_images():
    rng = np.random.default_rng(14)
    counts = rng.geometric(0.2, 90).astype(float)
    sums = counts * rng.normal(0.3, 0.4, 90)
    found = estimate_ratio(sums, counts, FINE, seed=0, name="x")
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
    stack = np.array(values).reshape(seeds, -1)
    found = estimate_mean(stack, Bootstrap(samples=100, confidence=0.9), seed=0, name="x")
    moved = estimate_mean(stack + shift, Bootstrap(samples=100, confidence=0.9), seed=0, name="x")
    assert found.combined_low <= found.mean + 1e-9
    assert found.mean <= found.combined_high + 1e-9
    numbers = [[e.mean, e.low, e.high, e.combined_low, e.combined_high] for e in (found, moved)]
    np.testing.assert_allclose(np.array(numbers[0]) + shift, numbers[1], atol=1e-6)
    assert found.negated().negated() == found
