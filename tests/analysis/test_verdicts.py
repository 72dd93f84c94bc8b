"""A verdict follows from the interval; what an undecided one needs does decide it."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spl.analysis.statistics import Estimate, estimate_mean
from spl.analysis.verdicts import judge, needed
from spl.config.experiment import Bootstrap


def interval(low, high):
    return Estimate((low + high) / 2, low, high, low, high, 96, (high - low) / 4, ((low + high) / 2,))


@pytest.mark.parametrize(
    ("low", "high", "verdict"),
    [
        (0.1, 0.5, "supported"),
        (-0.5, -0.1, "not supported"),
        (-0.1, 0.5, "undecided"),
        (0.0, 0.5, "undecided"),
        (-0.5, 0.0, "undecided"),
        (np.nan, np.nan, "undecided"),
    ],
)
def test_only_an_interval_wholly_on_one_side_decides(low, high, verdict):
    assert judge(interval(low, high)) == verdict


def test_the_interval_that_counts_is_over_images_and_trainings():
    assert judge(interval(0.1, 0.5)._replace(combined_low=-0.1)) == "undecided"


def stack(mean, *, images, between_images, between_trainings):
    """Values (3, images) with exactly these means and standard deviations over images and over trainings."""
    image, training = np.linspace(-1, 1, images), np.array([-1.0, 0, 1])
    image *= between_images / image.std(ddof=1)
    return mean + image + (training * between_trainings)[:, None]


BOOTSTRAP = Bootstrap(samples=100, confidence=0.95)


def test_images_are_needed_where_they_leave_more():
    found = estimate_mean(np.tile(stack(0.1, images=50, between_images=1, between_trainings=0)[:1], 1), BOOTSTRAP,
                          seed=0, name="x")  # fmt: skip
    # (1.96 / 0.1)^2 images, a little more by Student's t.
    assert needed(found, 0.95) == "about 387 images"


def test_trainings_are_needed_where_they_leave_more():
    found = estimate_mean(
        stack(0.1, images=10_000, between_images=0.1, between_trainings=0.2), BOOTSTRAP, seed=0, name="x"
    )
    assert judge(found) == "undecided"
    number = int(needed(found, 0.95).removeprefix("about ").removesuffix(" trainings"))
    assert 15.4 < number <= 20  # (1.96 x 0.2 / 0.1)^2 and a little more


@given(mean=st.floats(0.05, 2), images=st.integers(5, 200), between=st.floats(0.5, 3))
def test_as_many_images_as_are_needed_do_decide_and_fewer_do_not(mean, images, between):
    found = estimate_mean(stack(mean, images=images, between_images=between, between_trainings=0)[:1], BOOTSTRAP,
                          seed=0, name="x")  # fmt: skip
    number = int(needed(found, 0.95).split()[1].replace(",", ""))

    def decided(count):
        values = stack(mean, images=count, between_images=between, between_trainings=0)  # three equal trainings
        return judge(estimate_mean(values, BOOTSTRAP, seed=0, name="x")) == "supported"

    assert number > images
    assert decided(number)
    assert number == images + 1 or not decided(number - 1)


@pytest.mark.parametrize(
    ("mean", "between_images", "between_trainings", "answer"),
    [
        (0.0, 1, 0.0, "more than 1,000,000 images"),
        (1e-5, 1, 0.0, "more than 1,000,000 images"),
        (1e-4, 1e-6, 1.0, "more than 1,000 trainings"),
        (0.02, 0.5, 0.2, "more images and more trainings"),
    ],
)
def test_what_cannot_be_had_is_not_counted(mean, between_images, between_trainings, answer):
    values = stack(mean, images=100, between_images=between_images, between_trainings=between_trainings)
    values = values if between_trainings else values[:1]
    assert needed(estimate_mean(values, BOOTSTRAP, seed=0, name="x"), 0.95) == answer


def test_without_an_interval_more_images_are_needed():
    assert needed(estimate_mean(np.ones((3, 1)), BOOTSTRAP, seed=0, name="x"), 0.95) == "more images"
