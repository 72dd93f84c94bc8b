"""Images are chosen by rule: candidates only, none twice, the same however the table is sorted."""

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spl.common.errors import DataError
from spl.figures.choose import choose_images, describe_choice
from spl.steps.settings import FigureSettings
from tests.analysis.fabricate import table_settings

SETTINGS = table_settings(["places2"], ["spl"], kind=FigureSettings)
RULES = ("median", "seeded")


def settings(choice="median", min_hole_ratio=0.3, seed=1):
    rule = {"choice": choice, "min_hole_ratio": min_hole_ratio}
    return SETTINGS.model_copy(update={"seed": seed, "figures": SETTINGS.figures.model_copy(update=rule)})


def table(psnr, hole_ratio=0.5):
    names = [f"test/{i}.png" for i in range(len(psnr))]
    return pd.DataFrame({"image": names, "hole_ratio": hole_ratio, "psnr": psnr})


@st.composite
def tables(draw):
    count = draw(st.integers(1, 12))
    column = {"min_size": count, "max_size": count}
    psnr = draw(st.lists(st.floats(10, 50), **column))
    return table(psnr, draw(st.lists(st.floats(0, 0.6), **column)))


@given(tables(), st.sampled_from(RULES), st.integers(1, 4), st.randoms(use_true_random=False))
def test_the_chosen_are_distinct_candidates_whatever_the_order_of_the_table(found, rule, count, random):
    candidates = set(found["image"][found["hole_ratio"] >= 0.3])
    if len(candidates) < count:
        with pytest.raises(DataError, match=f"only {len(candidates)} can be taken"):
            choose_images(found, settings(rule), count)
        return
    chosen = choose_images(found, settings(rule), count)
    assert len(chosen) == len(set(chosen)) == count
    assert set(chosen) <= candidates
    order = random.sample(range(len(found)), len(found))
    assert choose_images(found.iloc[order], settings(rule), count) == chosen


def test_median_takes_those_closest_to_the_median_of_the_candidates():
    found = table([20.0, 30.0, 24.0, 25.0, 27.0, 1.0], [0.5, 0.5, 0.5, 0.5, 0.5, 0.1])
    assert choose_images(found, settings("median"), 2) == ["test/3.png", "test/2.png"]


def test_seeded_ignores_the_numbers_and_follows_the_seed():
    one, other = table(list(range(12))), table(list(range(12, 0, -1)))
    assert choose_images(one, settings("seeded"), 4) == choose_images(other, settings("seeded"), 4)
    assert len({tuple(choose_images(one, settings("seeded", seed=seed), 4)) for seed in range(5)}) > 1


@pytest.mark.parametrize("rule", RULES)
def test_favoured_images_come_first_if_there_are_any(rule):
    found = table([20.0, 30.0, 24.0, 25.0])
    assert choose_images(found, settings(rule), 1, favoured={"test/1.png", "elsewhere"}) == ["test/1.png"]
    assert choose_images(found, settings(rule), 1, favoured={"elsewhere"}) == choose_images(found, settings(rule), 1)


@pytest.mark.parametrize(("rule", "words"), [("median", "PSNR under SPL is closest"), ("seeded", "with the seed 1")])
def test_the_rule_is_described(rule, words):
    assert words in describe_choice(settings(rule), "spl")
