"""Intervals cover what they say, over images and over seeds, and pairing makes them tighter."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from spl.analysis import statistics
from spl.analysis.statistics import Draws, Kind, estimate_ratio
from spl.config.experiment import Bootstrap
from tests.analysis.fabricate import sample_of

DRAWS = Draws(Bootstrap(samples=400, confidence=0.95, least_images=12), seed=0, name="x")
FINE = DRAWS._replace(bootstrap=Bootstrap(samples=4000, confidence=0.95, least_images=12))


def estimate_mean(values, draws, **pairs):
    return statistics.estimate_mean(sample_of(values, **pairs), draws)


def paired(ours, reference):
    return statistics.paired(sample_of(ours), sample_of(reference)).values


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
    np.testing.assert_equal(one, same)
    assert one not in others


def test_several_seeds_are_averaged_image_by_image():
    values = np.random.default_rng(4).normal(20, 1, (3, 50))
    found = estimate_mean(values, DRAWS)
    alone = estimate_mean(values.mean(axis=0, keepdims=True), DRAWS)
    assert (found.low, found.high) == (alone.low, alone.high)
    assert found.mean == pytest.approx(values.mean())
    assert found.seed_means == pytest.approx(values.mean(axis=1))
    assert found.seed_sd == pytest.approx(np.std(values.mean(axis=1), ddof=1))


def trainings(count, rng, *, ratio, images=24):
    """Values (count, images) around 0; `ratio` is the variance of a training's mean over that due to the images."""
    over_images, between = rng.normal(0, 1, (1, images)), rng.normal(0, np.sqrt(ratio / images), (count, 1))
    return over_images + between + rng.normal(0, 0.5, (count, images))


@pytest.mark.parametrize("ratio", [0, 1, 10_000])
@pytest.mark.parametrize("count", [2, 3, 5, 8])
def test_the_methods_interval_covers_the_truth_at_least_as_often_as_it_says(count, ratio):
    rng, trials = np.random.default_rng([count, ratio]), 800
    quick = DRAWS._replace(bootstrap=Bootstrap(samples=100, confidence=0.95, least_images=12))
    found = [estimate_mean(trainings(count, rng, ratio=ratio), quick) for _ in range(trials)]
    covered = np.mean([interval.method_low <= 0 <= interval.method_high for interval in found])
    error = 3 * np.sqrt(0.95 * 0.05 / trials)
    assert 0.95 - error <= covered <= (0.95 + error if ratio == 10_000 else 1)  # conservative where images matter


def test_one_training_has_no_interval_over_trainings():
    found = estimate_mean(np.random.default_rng(3).normal(0, 1, (1, 50)), DRAWS)
    assert np.isnan([found.method_low, found.method_high, found.seed_sd]).all()
    assert found.low < found.mean < found.high


@given(values=st.lists(st.floats(-50, 50), min_size=60, max_size=60), count=st.sampled_from([2, 3, 5]))
def test_adding_variance_never_narrows_the_methods_interval(values, count):
    values = np.array(values).reshape(count, -1)
    found, seeds = estimate_mean(values, DRAWS), values.mean(axis=1)
    half = (found.method_high - found.method_low) / 2
    assert half >= stats.t.ppf(0.975, count - 1) * stats.sem(seeds) - 1e-9  # the trainings alone
    assert half >= stats.t.ppf(0.975, values.shape[1] - 1) * stats.sem(values.mean(axis=0)) - 1e-9  # the images alone


def test_the_methods_interval_is_students_with_both_variances():
    values = np.random.default_rng(5).normal(0, 1, (4, 30)) + np.random.default_rng(6).normal(0, 0.3, (4, 1))
    found = estimate_mean(values, DRAWS)
    half = stats.t.ppf(0.975, 3) * np.hypot(*(stats.sem(values.mean(axis=axis)) for axis in (0, 1)))
    assert found.interval(Kind.METHOD) == pytest.approx((values.mean() - half, values.mean() + half))
    assert found.interval(Kind.WEIGHTS) == (found.low, found.high)


def test_seeds_are_paired_by_their_order():
    shared = np.random.default_rng(9).normal(0, 3, (5, 1))  # what a seed does to both methods
    images = np.random.default_rng(10).normal(25, 1, (1, 40))
    found = estimate_mean(paired(images + shared + 1, images + shared), DRAWS)
    assert (found.mean, found.seed_sd) == (pytest.approx(1), pytest.approx(0, abs=1e-9))


def test_a_method_of_one_seed_meets_all_of_the_others():
    ours, fill = np.random.default_rng(11).normal(25, 1, (3, 40)), np.full((1, 40), 20.0)
    found, back = (estimate_mean(paired(*pair), DRAWS) for pair in ((ours, fill), (fill, ours)))
    assert found.seed_sd == pytest.approx(np.std(ours.mean(axis=1), ddof=1))
    assert back.mean == pytest.approx(-found.mean)
    assert back.method_low == pytest.approx(found.negated().method_low)


def test_images_on_which_a_seed_is_infinite_or_undefined_are_left_out():
    ours, theirs = np.random.default_rng(12).normal(25, 1, (2, 2, 10))
    ours[0, 3], theirs[1, 7] = np.inf, np.nan
    found = estimate_mean(paired(ours, theirs), DRAWS)
    assert found.n_images == 8
    assert found.mean == pytest.approx(np.delete(ours - theirs, [3, 7], axis=1).mean())


@pytest.mark.parametrize("count", [0, 1, 11])
def test_below_the_least_number_of_images_there_is_no_interval(count):
    values = np.linspace(1, 2, count)
    for found in (estimate_mean(np.stack([values, values + 1]), DRAWS), estimate_ratio(values, np.ones(count), DRAWS)):
        assert found.n_images == count
        assert np.isnan(found.mean) == (count == 0)
        assert np.isnan([*found.interval(Kind.WEIGHTS), *found.interval(Kind.METHOD), found.se_images]).all()
    assert np.isfinite(estimate_mean(np.linspace(1, 2, 12)[None], DRAWS).low)


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
    values=st.lists(st.floats(-50, 50), min_size=36, max_size=36),
    seeds=st.sampled_from([1, 2, 3]),
    shift=st.floats(-10, 10),
)
def test_an_estimate_moves_with_its_values(values, seeds, shift):
    values = np.array(values).reshape(seeds, -1)
    found, moved = (estimate_mean(v, DRAWS) for v in (values, values + shift))
    assert found.low - 1e-9 <= found.mean <= found.high + 1e-9
    numbers = [[e.mean, e.low, e.high, e.method_low, e.method_high] for e in (found, moved)]
    np.testing.assert_allclose(np.array(numbers[0]) + shift, numbers[1], atol=1e-6)
    np.testing.assert_equal(found.negated().negated(), found)


# --- Several masks per image, several images per mask -----------------------------------------------------------------


def crossed(rng, *, images, masks, rounds, image_sd, mask_sd, in_cell=1.0):
    """Values around 0 of images with some masks each, which they share; with a chance, a value is in the cell."""
    drawn = np.concatenate([rng.permutation(np.resize(np.arange(masks), images)) for _ in range(rounds)])
    shown = np.tile(np.arange(images), rounds)
    values = rng.normal(0, image_sd, images)[shown] + rng.normal(0, mask_sd, masks)[drawn]
    kept = rng.random(len(drawn)) < in_cell
    return (values + rng.normal(0, 1, len(drawn)))[None, kept], {"images": shown[kept], "masks": drawn[kept]}


@pytest.mark.parametrize(
    ("world", "naive"),
    [
        ({"rounds": 4, "masks": 480, "image_sd": 2, "mask_sd": 0}, "too narrow"),
        ({"rounds": 4, "masks": 480, "image_sd": 3, "mask_sd": 1, "in_cell": 0.6}, "too narrow"),
        ({"rounds": 1, "masks": 40, "image_sd": 1, "mask_sd": 2}, "too narrow"),
        ({"rounds": 4, "masks": 40, "image_sd": 1, "mask_sd": 1}, "too narrow"),
        ({"rounds": 1, "masks": 120, "image_sd": 1, "mask_sd": 1}, "right"),
        ({"rounds": 1, "masks": 30, "image_sd": 2, "mask_sd": 0}, "right"),
    ],
)
def test_intervals_cover_the_truth_where_images_have_several_masks_or_masks_serve_several_images(world, naive):
    rng, trials, covered = np.random.default_rng(15), 200, {"clustered": 0, "naive": 0}
    quick = DRAWS._replace(bootstrap=Bootstrap(samples=200, confidence=0.95, least_images=12))
    for _ in range(trials):
        values, pairs = crossed(rng, images=120, **world)
        for how, known in {"clustered": pairs, "naive": {}}.items():
            found = estimate_mean(values, quick, **known)
            covered[how] += found.low <= 0 <= found.high
    error = 3 * np.sqrt(0.95 * 0.05 / trials)
    assert covered["clustered"] / trials >= 0.94 - error  # percentile intervals are a little narrow
    assert (covered["naive"] / trials < 0.85) == (naive == "too narrow")


def test_an_image_with_several_masks_is_one_image():
    values, images = np.random.default_rng(16).normal(25, 1, (1, 40)), np.repeat(np.arange(20), 2)
    found, alone = estimate_mean(values, FINE, images=images), estimate_mean(values.reshape(1, 20, 2).mean(2), FINE)
    assert found.n_images == 20
    assert np.isnan(estimate_mean(values[:, :22], FINE, images=images[:22]).low)  # eleven images
    assert found.mean == pytest.approx(alone.mean)
    assert (found.low, found.high, found.se_images) == pytest.approx((alone.low, alone.high, alone.se_images))


def test_masks_of_one_image_alone_change_no_number_and_shared_ones_widen_every_interval():
    values = np.random.default_rng(17).normal(0, 0.1, (3, 60)) + np.repeat(
        np.random.default_rng(18).normal(0, 1, 15), 4
    )
    alone, named = estimate_mean(values, DRAWS), estimate_mean(values, DRAWS, masks=np.arange(60)[::-1])
    assert named == alone
    shared = estimate_mean(values, DRAWS, masks=np.repeat(np.arange(15), 4))
    factor = width(shared) / width(alone)
    assert 1.7 < factor < 2.3  # the standard error of 15 numbers, not of 60
    assert shared.se_images == pytest.approx(factor * alone.se_images)
    assert shared.method_low < alone.method_low
    assert shared.mean == alone.mean
