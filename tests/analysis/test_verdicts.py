"""A verdict follows from p, which is of images or of trainings; what an undecided one needs does decide it."""

import itertools

import numpy as np
import pytest
from scipy import stats

from spl.analysis.statistics import Draws, Estimate, Kind, estimate_mean
from spl.analysis.verdicts import Verdict, holm, judge, needed, p_value
from spl.config.experiment import Bootstrap
from tests.analysis.fabricate import sample_of

BOOTSTRAP = Bootstrap(samples=100, confidence=0.95, least_images=20)
WEIGHTS, METHOD = Kind.WEIGHTS, Kind.METHOD
MARGIN = 0.1


def world(mean, *, images, trainings, between=0.05):
    """Return the estimate of a lead in a planted world, with exactly this mean.

    Images differ by a standard deviation of 0.5, trainings by `between`.
    """

    def spread(count, deviation):
        values = np.linspace(-1, 1, count) if count > 1 else np.zeros(1)
        return values * deviation / (values.std(ddof=1) if count > 1 else 1)

    values = mean + spread(images, 0.5) + spread(trainings, between)[:, None]
    return estimate_mean(sample_of(values), Draws(BOOTSTRAP, seed=0, name="x"))


YES, NO, OPEN = Verdict.SUPPORTED, Verdict.NOT_SUPPORTED, Verdict.UNDECIDED


@pytest.mark.parametrize(
    # true lead, images, and then the verdicts: about the weights, and about the method with 1, 2, 3 and 8 trainings
    ("lead", "images", "margin", "weights", "one", "two", "three", "eight"),
    [
        (0.0, 400, 0, OPEN, OPEN, OPEN, OPEN, OPEN),
        (1.0, 400, 0, YES, OPEN, OPEN, YES, YES),
        (-1.0, 400, 0, NO, OPEN, OPEN, NO, NO),
        (0.1, 400, 0, YES, OPEN, OPEN, OPEN, YES),  # small: images decide it, three trainings do not
        (1.0, 24, 0, YES, OPEN, OPEN, YES, YES),
        (0.0, 24, 0, OPEN, OPEN, OPEN, OPEN, OPEN),
        (1.0, 19, 0, OPEN, OPEN, OPEN, OPEN, OPEN),  # too few images for any
        (0.0, 400, MARGIN, YES, OPEN, OPEN, OPEN, YES),  # equal is at least as good
        (1.0, 400, MARGIN, YES, OPEN, OPEN, YES, YES),
        (-MARGIN, 400, MARGIN, OPEN, OPEN, OPEN, OPEN, OPEN),  # tied at the margin
        (-0.05, 40_000, MARGIN, YES, OPEN, OPEN, OPEN, YES),  # worse, but by less than the margin
        (-1.0, 400, MARGIN, NO, OPEN, OPEN, NO, NO),
    ],
)  # fmt: skip
def test_planted_worlds_get_the_verdict_that_they_should(lead, images, margin, weights, one, two, three, eight):
    for trainings, method in {1: one, 2: two, 3: three, 8: eight}.items():
        found = world(lead, images=images, trainings=trainings)
        for kind, wanted in {WEIGHTS: weights, METHOD: method}.items():
            p = p_value(found, kind, margin=margin)
            assert judge(found.mean + margin, p, confidence=0.95) is wanted, (kind, trainings)


def test_without_a_difference_about_one_verdict_in_twenty_is_wrong():
    rng, wrong = np.random.default_rng(0), {WEIGHTS: 0, METHOD: 0}
    for trial, kind in itertools.product(range(1000), wrong):
        values = rng.normal(0, 1, (1, 40)) + rng.normal(0, 3.0 * (kind is METHOD), (3, 1))
        found = estimate_mean(sample_of(values), Draws(BOOTSTRAP, seed=trial, name="x"))
        wrong[kind] += judge(found.mean, p_value(found, kind, margin=0.0), confidence=0.95) is not OPEN
    assert all(30 <= count <= 70 for count in wrong.values()), wrong


def test_p_is_students():
    values = np.random.default_rng(1).normal(0.1, 1, (5, 60))
    found = estimate_mean(sample_of(values), Draws(BOOTSTRAP, seed=0, name="x"))
    assert p_value(found, WEIGHTS, margin=0.0) == pytest.approx(stats.ttest_1samp(values.mean(axis=0), 0).pvalue)
    assert p_value(found, WEIGHTS, margin=0.2) == pytest.approx(stats.ttest_1samp(values.mean(axis=0), -0.2).pvalue)
    alone = found._replace(se_images=0.0)
    assert p_value(alone, METHOD, margin=0.0) == pytest.approx(stats.ttest_1samp(values.mean(axis=1), 0).pvalue)


@pytest.mark.parametrize(("mean", "p"), [(0.0, 1.0), (0.1, 0.0)])
def test_values_without_any_spread_are_sure(mean, p):
    assert p_value(Estimate(mean, mean, mean, np.nan, np.nan, 30, 0.0, (mean,)), WEIGHTS, margin=0.0) == p


def test_without_images_there_is_nothing_to_test():
    assert judge(np.nan, np.nan, confidence=0.95) is Verdict.NOT_TESTABLE


@pytest.mark.parametrize(
    ("p", "adjusted"),
    [
        ([0.01, 0.04, 0.03], [0.03, 0.06, 0.06]),  # Holm 1979
        ([0.5, np.nan, 0.01], [0.5, np.nan, 0.02]),
        ([0.9, 0.8], [1.0, 1.0]),
        ([np.nan], [np.nan]),
        ([], []),
    ],
)
def test_p_is_adjusted_for_the_number_of_tests_that_were_made(p, adjusted):
    assert holm(p) == pytest.approx(adjusted, nan_ok=True)


def asked(found, kind, *, margin=0.0, tests=1):
    return needed(found, kind, BOOTSTRAP, margin=margin, power=0.8, tests=tests)


def power_of(count, effect, deviation, *, level=0.05, draws=4000):
    """Share of simulated t tests that find an effect."""
    values = np.random.default_rng(count).normal(effect, deviation, (draws, count))
    return np.mean(stats.ttest_1samp(values, 0, axis=1).pvalue < level)


@pytest.mark.parametrize(("lead", "margin", "tests"), [(0.1, 0.0, 1), (0.1, 0.0, 9), (-0.05, 0.2, 1)])
def test_as_many_images_as_are_needed_find_the_difference_four_times_in_five(lead, margin, tests):
    number = int(asked(world(lead, images=20, trainings=1), WEIGHTS, margin=margin, tests=tests).split()[1])
    assert power_of(number, lead + margin, 0.5, level=0.05 / tests) == pytest.approx(0.8, abs=0.025)


@pytest.mark.parametrize(("lead", "between"), [(0.35, 0.465), (0.23, 0.184), (0.33, 0.3)])  # as in docs/study.md
def test_as_many_trainings_as_are_needed_find_the_difference_and_fewer_do_not(lead, between):
    found = world(lead, images=20, trainings=3, between=between)._replace(se_images=1e-9)
    number = int(asked(found, METHOD).removeprefix("about ").removesuffix(" trainings"))
    assert power_of(number - 1, lead, between) - 0.02 < 0.8 < power_of(number, lead, between) + 0.02


@pytest.mark.parametrize("trainings", [1, 2])
@pytest.mark.parametrize("images", [5, 400])
def test_below_three_trainings_nothing_else_is_known_of_what_a_method_needs(trainings, images):
    assert asked(world(0.1, images=images, trainings=trainings), METHOD) == "at least three trainings"


@pytest.mark.parametrize(
    ("found", "kind", "answer"),
    [
        (world(0.0, images=100, trainings=1), WEIGHTS, "more than 1,000,000 images"),
        (world(0.0001, images=100, trainings=1), WEIGHTS, "more than 1,000,000 images"),
        (world(0.0, images=100, trainings=3), METHOD, "more than 1,000 trainings"),
        (world(0.05, images=20, trainings=3), METHOD, "more than 1,000 trainings"),  # the images leave too much
        (world(0.1, images=19, trainings=3), WEIGHTS, "at least 20 images"),
        (world(0.1, images=19, trainings=3), METHOD, "at least 20 images"),
    ],
)
def test_what_cannot_be_had_is_not_counted(found, kind, answer):
    assert asked(found, kind) == answer


def test_an_undecided_difference_needs_more_than_there_is():
    for tests, lead in itertools.product((1, 9, 27), (0.05, 0.08, 0.1, 0.12)):
        found = world(lead, images=100, trainings=1)
        if p_value(found, WEIGHTS, margin=0.0) >= 0.05 / tests:
            assert int(asked(found, WEIGHTS, tests=tests).split()[1].replace(",", "")) > 101
