"""A verdict follows from the interval; what an undecided one needs does decide it."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spl.analysis.statistics import Draws, Estimate, estimate_mean
from spl.analysis.verdicts import Verdict, judge, needed
from spl.config.experiment import Bootstrap

DRAWS = Draws(Bootstrap(samples=100, confidence=0.95, least_images=20), seed=0, name="x")


def interval(low, high, mean=0.2):
    return Estimate(mean, 0.1, 0.3, low, high, 96, (high - low) / 4, (mean,))


@pytest.mark.parametrize(
    ("found", "verdict"),
    [
        (interval(0.1, 0.5), Verdict.SUPPORTED),
        (interval(-0.5, -0.1), Verdict.NOT_SUPPORTED),
        (interval(-0.1, 0.5), Verdict.UNDECIDED),
        (interval(0.0, 0.5), Verdict.UNDECIDED),
        (interval(-0.5, 0.0), Verdict.UNDECIDED),
        (interval(np.nan, np.nan), Verdict.UNDECIDED),
        (interval(np.nan, np.nan, mean=np.nan), Verdict.NOT_TESTABLE),
    ],
)
def test_only_an_interval_over_images_and_seeds_wholly_on_one_side_decides(found, verdict):
    assert judge(found) is verdict


def estimate(mean, *, images, between_images, between_seeds=0.0):
    """Return the estimate of values whose means and standard deviations over images and over seeds are exactly these.

    There are three seeds, or one if they do not differ.
    """
    image, seed = np.linspace(-1, 1, images), np.array([-1.0, 0, 1])[: 3 if between_seeds else 1]
    image *= between_images / image.std(ddof=1)
    return estimate_mean(mean + image + seed[:, None] * between_seeds, DRAWS)


def test_images_are_needed_where_they_leave_more():
    # (1.96 / 0.1)^2 images, a little more by Student's t.
    assert needed(estimate(0.1, images=50, between_images=1), 0.95) == "about 387 images"


def test_seeds_are_needed_where_they_leave_more():
    found = estimate(0.1, images=10_000, between_images=0.1, between_seeds=0.2)
    assert judge(found) is Verdict.UNDECIDED
    number = int(needed(found, 0.95).removeprefix("about ").removesuffix(" seeds"))
    assert 15.4 < number <= 20  # (1.96 x 0.2 / 0.1)^2 and a little more


@given(mean=st.floats(0.05, 2), images=st.integers(5, 200), between=st.floats(0.5, 3))
def test_as_many_images_as_are_needed_do_decide_and_fewer_do_not(mean, images, between):
    number = int(needed(estimate(mean, images=images, between_images=between), 0.95).split()[1].replace(",", ""))

    def decided(count):
        found = estimate(mean, images=count, between_images=between, between_seeds=1e-9)
        return judge(found) is Verdict.SUPPORTED

    assert number > images
    assert decided(number)
    assert number == images + 1 or not decided(number - 1)


@pytest.mark.parametrize(
    ("mean", "between_images", "between_seeds", "answer"),
    [
        (0.0, 1, 0.0, "more than 1,000,000 images"),
        (1e-5, 1, 0.0, "more than 1,000,000 images"),
        (1e-4, 1e-6, 1.0, "more than 1,000 seeds"),
        (0.02, 0.5, 0.2, "more images and more seeds"),
    ],
)
def test_what_cannot_be_had_is_not_counted(mean, between_images, between_seeds, answer):
    found = estimate(mean, images=100, between_images=between_images, between_seeds=between_seeds)
    assert needed(found, 0.95) == answer


def test_without_an_interval_more_images_are_needed():
    assert needed(estimate_mean(np.ones((3, 1)), DRAWS), 0.95) == "more images"
