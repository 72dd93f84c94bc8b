"""Pictures are chosen by rule: candidates only, none twice, the same however the table is sorted."""

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spl.common.errors import DataError
from spl.figures.choose import Choice, choose_pictures


def choice(rule="median", min_hole_ratio=0.3, seed=1):
    return Choice(seed=seed, choice=rule, min_hole_ratio=min_hole_ratio)


def table(psnr, hole_ratio=0.5):
    names = [f"test/{i}.png" for i in range(len(psnr))]
    return pd.DataFrame({"image": names, "hole_ratio": hole_ratio, "psnr": psnr})


@st.composite
def tables(draw):
    count = draw(st.integers(1, 12))
    column = {"min_size": count, "max_size": count}
    psnr = draw(st.lists(st.floats(10, 50), **column))
    return table(psnr, draw(st.lists(st.floats(0, 0.6), **column)))


RULES = st.sampled_from(["median", "seeded"])


@given(tables(), RULES, st.integers(1, 4), st.randoms(use_true_random=False))
def test_the_chosen_are_distinct_candidates_whatever_the_order_of_the_table(found, rule, count, random):
    candidates = set(found["image"][found["hole_ratio"] >= 0.3])
    if len(candidates) < count:
        with pytest.raises(DataError, match=f"only {len(candidates)} can be taken"):
            choose_pictures(found, choice(rule), count)
        return
    chosen = choose_pictures(found, choice(rule), count)
    assert len(chosen) == len(set(chosen)) == count
    assert set(chosen) <= candidates
    order = random.sample(range(len(found)), len(found))
    assert choose_pictures(found.iloc[order], choice(rule), count) == chosen


@given(tables(), RULES, st.sets(st.integers(0, 11)), st.sets(st.integers(0, 11)))
def test_only_what_may_be_shown_and_is_not_shown_yet(found, rule, may, shown):
    among, without = ({f"test/{i}.png" for i in numbers} for numbers in (may, shown))
    allowed = among - without & set(found["image"])
    allowed &= set(found["image"])
    if allowed:
        chosen = choose_pictures(found, choice(rule, 0.0), 1, among=among, without=without)
        assert set(chosen) <= allowed


def test_median_takes_those_closest_to_the_median_of_the_candidates():
    found = table([20.0, 30.0, 24.0, 25.0, 27.0, 1.0], [0.5, 0.5, 0.5, 0.5, 0.5, 0.1])
    assert choose_pictures(found, choice("median"), 2) == ["test/3.png", "test/2.png"]


def test_seeded_does_not_look_at_the_numbers_but_at_the_seed():
    one, other = table(list(range(12))), table(list(range(12, 0, -1)))
    assert choose_pictures(one, choice("seeded"), 4) == choose_pictures(other, choice("seeded"), 4)
    assert len({tuple(choose_pictures(one, choice("seeded", seed=seed), 4)) for seed in range(5)}) > 1


@pytest.mark.parametrize("rule", ["median", "seeded"])
def test_favoured_pictures_come_first_if_there_are_any(rule):
    found = table([20.0, 30.0, 24.0, 25.0])
    assert choose_pictures(found, choice(rule), 1, favoured={"test/1.png", "elsewhere"}) == ["test/1.png"]
    assert choose_pictures(found, choice(rule), 1, favoured={"elsewhere"}) == choose_pictures(found, choice(rule), 1)
