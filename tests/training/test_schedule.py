"""Learning rates over time, in the words of the papers."""

import pytest

from spl.config.methods import ConstantDecay, ExponentialDecay, LinearDecay, StepDecay
from spl.training.schedule import lr_factor


def factors(decay, *, epochs, steps_per_epoch=10):
    total = epochs * steps_per_epoch
    return [lr_factor(decay, step=step, steps_per_epoch=steps_per_epoch, total_steps=total) for step in range(total)]


def test_paris_decays_after_50_epochs_for_20_more():
    found = factors(StepDecay(kind="step", after_epoch=50, factor=0.1), epochs=70)
    assert found[:500] == [1.0] * 500
    assert found[500:] == [0.1] * 200


def test_rn_runs_two_epochs_at_the_base_rate_then_falls_by_a_fifth():
    found = factors(ExponentialDecay(kind="exponential", factor=0.8), epochs=4)[::10]
    assert found == pytest.approx([1, 1, 0.8, 0.64])


def test_linear_decay_ends_just_above_zero():
    found = factors(LinearDecay(kind="linear", start=0.5), epochs=2)
    assert found[:10] == [1.0] * 10
    assert found[10:] == pytest.approx([1 - i / 10 for i in range(10)])


def test_constant_stays():
    assert set(factors(ConstantDecay(kind="constant"), epochs=3)) == {1.0}
