"""Learning rates over time, in the words of the papers."""

import numpy as np
import pytest

from spl.config.load import load_params
from spl.config.registry import load_registry
from spl.config.training import ConstantDecay, ExponentialDecay, LinearDecay, StepDecay
from spl.tensors.loaders import SampleStream
from spl.training.schedule import lr_factor
from tests.conftest import REPOSITORY


def factors(decay, *, epochs, steps_per_epoch=10):
    total = epochs * steps_per_epoch
    return [lr_factor(decay, step=step, steps_per_epoch=steps_per_epoch, total_steps=total) for step in range(total)]


def test_paris_decays_after_50_epochs_for_20_more():
    found = factors(StepDecay(kind="step", after_epoch=50, factor=0.1), epochs=70)
    assert found[:500] == [1.0] * 500
    assert found[500:] == [0.1] * 200


@pytest.mark.parametrize("every", [1, 7])
def test_rn_runs_two_periods_at_the_base_rate_then_falls_by_a_fifth(every):
    found = factors(ExponentialDecay(kind="exponential", factor=0.8, every=every), epochs=4 * every)
    assert found == pytest.approx(np.repeat([1, 1, 0.8, 0.64], 10 * every))


def test_linear_decay_ends_just_above_zero():
    found = factors(LinearDecay(kind="linear", start=0.5), epochs=2)
    assert found[:10] == [1.0] * 10
    assert found[10:] == pytest.approx([1 - i / 10 for i in range(10)])


def test_constant_stays():
    assert set(factors(ConstantDecay(kind="constant"), epochs=3)) == {1.0}


PAPER = load_params(REPOSITORY / "presets/paper.yaml")


def images_seen(dataset, method):
    """Images that a training of the paper's preset sees, as the loop counts them, even where weights are released."""
    training = PAPER.methods[method].training.resolve(dataset)
    count = load_registry()[PAPER.datasets[dataset].source.name].images["train"]
    stream = SampleStream(count, batch_size=training.batch_size, seed=1, name="")
    return training.epochs * stream.steps_per_epoch * training.batch_size


@pytest.mark.parametrize(("dataset", "seen"), [("places2", 72.1e6), ("celeba", 6.51e6), ("paris", 1.043e6)])
@pytest.mark.parametrize("method", PAPER.network_methods)
def test_every_method_of_the_papers_preset_sees_as_many_images_as_spl(dataset, seen, method):
    assert images_seen(dataset, method) == pytest.approx(seen, rel=0.005)


@pytest.mark.parametrize(("dataset", "epochs"), [("celeba", 40), ("paris", 70)])
def test_rns_schedule_is_that_of_its_script_stretched(dataset, epochs):
    own = factors(ExponentialDecay(kind="exponential", factor=0.8, every=1), epochs=10, steps_per_epoch=1)
    training = PAPER.methods["rn"].training.resolve(dataset)
    assert factors(training.decay, epochs=epochs, steps_per_epoch=1) == pytest.approx(np.repeat(own, epochs // 10))
