"""Properties of the step of every recipe, and of SPL's alone."""

import copy
import math
from functools import partial

import numpy as np
import pytest
import skimage.transform
import torch
import torch.distributed as dist
from torch.nn.parallel import DistributedDataParallel

from spl.training.distributed import unwrap
from tests.training.conftest import LOSSES

METHODS = ["spl", "rn", "rfr", "mfe", "ec"]

DISCRIMINATOR = ["discriminator_real", "discriminator_fake", "discriminator"]
WEIGHTS = {
    recipe: {
        name.replace("lambda_", "loss_").replace("feature_", ""): weight
        for name, weight in losses
        if name.startswith("lambda_")
    }
    for recipe, losses in LOSSES.items()
}
DISCRIMINATORS = {
    "spl": DISCRIMINATOR,
    "rn": DISCRIMINATOR,
    "rfr": [],
    "mfe": ["global_discriminator", "local_discriminator"],
    "ec": ["edge_discriminator", "inpaint_discriminator"],
}
"""Names of the losses of the discriminators."""

IN_EVERY_STAGE = [(recipe, 0) for recipe in METHODS] + [("ec", 1), ("ec", 2)]


def run(method, batch, steps):
    return [method.step(*batch, step=step) for step in range(steps)]


def gradients(network):
    return [parameter.grad.clone() for parameter in network.parameters() if parameter.grad is not None]


@pytest.mark.parametrize(("recipe", "step"), IN_EVERY_STAGE)
def test_losses_are_named_and_weighted(recipe, step, build, batches):
    losses = build(recipe).step(*batches[recipe], step=step)
    assert losses.keys() == {*DISCRIMINATORS[recipe], *WEIGHTS[recipe], "total"}
    assert all(loss.shape == () and loss.isfinite() for loss in losses.values())
    expected = math.fsum(weight * losses[name].item() for name, weight in WEIGHTS[recipe].items())
    assert losses["total"].item() == pytest.approx(expected, rel=1e-5)
    resting = set()
    if recipe == "ec":
        edges = {"edge_discriminator", "loss_edge_adv", "loss_matching"}
        resting = losses.keys() - edges - {"total"} if step == 0 else edges
    assert {name for name, loss in losses.items() if loss == 0} == resting


def test_the_terms_of_a_discriminator_are_summed_by_spl_and_averaged_by_rn(build, batches):
    for recipe, divisor in (("spl", 1), ("rn", 2)):
        losses = build(recipe).step(*batches[recipe], step=0)
        joined = (losses["discriminator_real"] + losses["discriminator_fake"]) / divisor
        torch.testing.assert_close(losses["discriminator"], joined)


@pytest.mark.parametrize(("recipe", "step"), [case for case in IN_EVERY_STAGE if case[0] != "rfr"])
def test_no_gradient_of_the_generators_loss_reaches_a_discriminator(recipe, step, build, batches):
    methods = [build(recipe, scale=scale) for scale in (1, 1000)]
    for method in methods:
        method.step(*batches[recipe], step=step)
    one, other = (method.networks for method in methods)
    for name in one:
        pairs = list(zip(gradients(one[name]), gradients(other[name]), strict=True))
        if name == "generator":
            assert not any(torch.equal(*pair) for pair in pairs if pair[0].any())
        else:
            assert all(torch.equal(*pair) for pair in pairs)
            assert all(parameter.requires_grad for parameter in one[name].parameters())


@pytest.mark.parametrize("recipe", ["spl", "rn"])
def test_a_step_makes_three_power_iterations(recipe, build, batches):
    method = build(recipe)
    calls = []
    method.networks["discriminator"].register_forward_hook(lambda *args: calls.append(1))
    method.step(*batches[recipe], step=0)
    assert len(calls) == 3


def test_the_teacher_sees_the_whole_image_enlarged_bilinearly(build, batches):
    seen = []
    method = build("spl")
    method.teacher.register_forward_pre_hook(lambda teacher, inputs: seen.extend(inputs))
    method.step(*batches["spl"], step=0)
    expected = skimage.transform.resize(batches["spl"][0].numpy(), (2, 3, 64, 64), order=1, mode="edge")
    np.testing.assert_allclose(seen[0].numpy(), expected, atol=1e-6)


def test_without_a_teacher_the_prior_loss_is_zero_and_every_parameter_has_a_gradient(build, batches):
    method = build("spl", teacher=None)
    losses = method.step(*batches["spl"], step=0)
    assert losses["loss_prior"] == 0
    adapter = method.networks["generator"].semantic_learner.adapter
    assert torch.equal(adapter.weight.grad, torch.zeros_like(adapter.weight))


def test_the_prior_loss_ends_after_prior_steps(build, batches):
    losses = run(build("spl", prior_steps=1), batches["spl"], 2)
    torch.testing.assert_close(
        losses[0]["total"] - losses[0]["loss_prior"], 10 * losses[0]["loss_img"] + losses[0]["loss_adv"]
    )
    torch.testing.assert_close(losses[1]["total"], 10 * losses[1]["loss_img"] + losses[1]["loss_adv"])


@pytest.mark.parametrize("recipe", METHODS)
def test_steps_in_bfloat16_are_finite(recipe, build, batches, bfloat16):
    losses = run(build(recipe, autocast=bfloat16), batches[recipe], 3)
    exact = run(build(recipe), batches[recipe], 3)
    for ours, theirs in zip(losses, exact, strict=True):
        assert all(loss.isfinite() and loss.dtype == torch.float32 for loss in ours.values())
        torch.testing.assert_close(ours, theirs, rtol=0.2, atol=0.05)


@pytest.fixture
def process_group(tmp_path):
    dist.init_process_group("gloo", init_method=f"file://{tmp_path / 'store'}", rank=0, world_size=1)
    yield
    dist.destroy_process_group()


@pytest.mark.filterwarnings("ignore:`broadcast_buffers` is deprecated")
@pytest.mark.parametrize(
    ("recipe", "options"),
    [("spl", {}), ("spl", {"teacher": None}), ("rn", {}), ("rfr", {"norm_steps": 2}), ("mfe", {}), ("ec", {})],
)
def test_distributed_wrappers_change_nothing(recipe, options, build, batches, process_group):
    plain = build(recipe, **options)
    wrapped = build(recipe, wrap=partial(DistributedDataParallel, broadcast_buffers=False), **options)
    expected, actual = run(plain, batches[recipe], 3), run(wrapped, batches[recipe], 3)
    for ours, theirs in zip(actual, expected, strict=True):
        torch.testing.assert_close(ours, theirs)
    for name, network in plain.networks.items():  # parameters and buffers
        states = (copy.deepcopy(unwrap(each).state_dict()) for each in (network, wrapped.networks[name]))
        torch.testing.assert_close(*states)
