"""Intervals cover what they say, and pairing makes them tighter."""

import numpy as np

from spl.config import Bootstrap
from spl.evaluation.statistics import bootstrap_mean, paired_difference

BOOTSTRAP = Bootstrap(samples=400, confidence=0.95)


def test_interval_covers_the_true_mean_about_as_often_as_it_says():
    rng = np.random.default_rng(0)
    hits = 0
    for trial in range(300):
        interval = bootstrap_mean(rng.normal(5, 2, 60), BOOTSTRAP, seed=trial, name="x")
        hits += interval.low <= 5 <= interval.high
    assert 0.90 <= hits / 300 <= 0.98


def test_interval_agrees_with_the_normal_approximation():
    values = np.random.default_rng(1).normal(0, 1, 1000)
    interval = bootstrap_mean(values, Bootstrap(samples=4000, confidence=0.95), seed=0, name="x")
    half = 1.96 * values.std() / np.sqrt(1000)
    assert abs((interval.high - interval.low) / 2 - half) < 0.1 * half
    assert interval.mean == values.mean()


def test_pairing_removes_what_both_methods_share():
    rng = np.random.default_rng(2)
    difficulty = rng.normal(25, 5, 96)
    ours, reference = difficulty + 0.5 + rng.normal(0, 0.2, 96), difficulty + rng.normal(0, 0.2, 96)
    paired = paired_difference(ours, reference, BOOTSTRAP, seed=0, name="x")
    assert 0 < paired.low < 0.5 < paired.high + 0.1
    alone = bootstrap_mean(ours, BOOTSTRAP, seed=0, name="x")
    assert paired.high - paired.low < (alone.high - alone.low) / 5


def test_resampling_depends_on_seed_and_name_alone():
    values = np.arange(20.0)
    assert bootstrap_mean(values, BOOTSTRAP, seed=1, name="a") == bootstrap_mean(values, BOOTSTRAP, seed=1, name="a")
    assert bootstrap_mean(values, BOOTSTRAP, seed=1, name="a") != bootstrap_mean(values, BOOTSTRAP, seed=1, name="b")
    assert bootstrap_mean(values, BOOTSTRAP, seed=1, name="a") != bootstrap_mean(values, BOOTSTRAP, seed=2, name="a")
