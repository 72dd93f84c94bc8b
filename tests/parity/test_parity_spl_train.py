"""Two steps of the released training loop, reproduced by `SPLMethod`.

The first step is compared in float32. What comes after it is compared in float64, as the fixtures' README proposes:
Adam without momentum moves every weight by +-lr, whatever the size of its gradient, and the learned regions are cut
sharply, so that float32 rounding of another summation order (ours is smaller than the original's) flips single pixels.
"""

from typing import NamedTuple

import numpy as np
import pytest
import torch

from spl.config.methods import SPLLossWeights
from spl.models.discriminator import PatchDiscriminator
from spl.models.spl import build_released_spl
from spl.released.layouts.discriminator import DISCRIMINATOR_RULES
from spl.released.layouts.spl import SPL_RULES
from spl.training.methods.spl import SPLMethod
from spl.weights.fit import released_names
from spl.weights.layouts import Layout

LOSSES = {
    "discriminator_real": "discriminator_real",
    "discriminator_fake": "discriminator_fake",
    "discriminator": "discriminator",
    "loss_adv": "generator_adversarial",
    "loss_img": "generator_l1",
    "loss_prior": "generator_prior",
    "total": "generator",
}
SUFFIXES = ("after_1_step", "after_2_steps")
RULES = {"generator": SPL_RULES, "discriminator": DISCRIMINATOR_RULES}


class Run(NamedTuple):
    losses: dict
    gradients: dict
    outputs: dict
    discriminator: torch.nn.Module


@pytest.fixture(scope="module")
def first_step(fixture, read_fixture):
    return run(fixture, read_fixture, torch.float32, steps=1)


@pytest.fixture(scope="module")
def both_steps(fixture, read_fixture):
    return run(fixture, read_fixture, torch.float64, steps=2)


def run(fixture, read_fixture, dtype, steps):
    """Load the fixture's weights through the released layout and train."""
    weights = read_fixture(fixture.description["state"])
    generator = weights.fill(build_released_spl(), Layout.SPL, "generator").to(dtype).train()
    discriminator = weights.fill(PatchDiscriminator(), Layout.DISCRIMINATOR, "discriminator").to(dtype).train()
    method = build_method(fixture, generator, discriminator, dtype)
    image, mask = fixture.image().to(dtype), fixture.mask().to(dtype)
    losses, gradients, outputs = {}, {}, {}
    for step in range(steps):
        losses[f"step_{step + 1}"] = method.step(image, mask, step=step)
        if step == 0:
            gradients = {name: released_gradients(network, RULES[name]) for name, network in method.networks.items()}
        generator.eval()
        with torch.no_grad():
            output, adapted_prior = generator(image, mask)
        generator.train()
        outputs |= {f"image_{SUFFIXES[step]}": output, f"prior_{SUFFIXES[step]}": adapted_prior}
    return Run(losses, gradients, outputs, discriminator)


def build_method(fixture, generator, discriminator, dtype):
    configuration = fixture.description["configuration"]
    adam = {name: configuration[name] for name in ("lr", "betas", "eps")}
    features = torch.from_numpy(fixture.arrays["in/teacher"]).to(dtype) / 64
    return SPLMethod(
        networks={"generator": generator, "discriminator": discriminator},
        teacher=lambda large_image: features,
        optimizers={
            "generator": torch.optim.Adam(generator.parameters(), **adam),
            "discriminator": torch.optim.Adam(discriminator.parameters(), **adam),
        },
        losses=SPLLossWeights(
            lambda_img=configuration["l1_weight"],
            lambda_adv=configuration["adversarial_weight"],
            lambda_prior=configuration["prior_weight"],
            alpha=configuration["prior_hole_extra"],
            delta=configuration["l1_hole_extra"],
            discriminator="mean",
        ),
    )


def released_gradients(network, rules):
    names = released_names(network, rules)
    return {names[name]: parameter.grad.clone() for name, parameter in network.named_parameters()}


@pytest.mark.parametrize(
    ("precision", "step"), [("first_step", "step_1"), ("both_steps", "step_1"), ("both_steps", "step_2")]
)
def test_losses(fixture, request, precision, step):
    tolerance = fixture.tolerance(f"losses_{step}")
    ours = request.getfixturevalue(precision).losses[step]
    theirs = {name: fixture.description["losses"][step][original] for name, original in LOSSES.items()}
    off = {name: abs(ours[name].item() / theirs[name] - 1) for name in theirs}
    print({name: f"{value:.1e}" for name, value in off.items()})
    assert max(off.values()) <= tolerance, (off, theirs)


def test_gradient_norms_and_sums(fixture, first_step):
    skipped = set(fixture.description["null_gradient"])
    norm_tolerance, sum_tolerance = fixture.tolerance("gradient_norm"), fixture.tolerance("gradient_sum")
    worst = {"norm": 0.0, "sum": 0.0}
    for network, table in fixture.description["gradient_norm_and_sum"].items():
        for key, (norm, total) in table.items():
            if key in skipped or key not in first_step.gradients[network]:
                assert key in skipped or key.startswith("features.0."), key
                continue
            gradient = first_step.gradients[network][key].double()
            worst["norm"] = max(worst["norm"], abs(gradient.norm().item() / norm - 1))
            worst["sum"] = max(worst["sum"], abs(gradient.sum().item() - total) / (norm * gradient.numel() ** 0.5))
    print(worst)
    assert worst["norm"] <= norm_tolerance
    assert worst["sum"] <= sum_tolerance


def test_gradients_of_single_tensors(fixture, first_step):
    off = {}
    for name in fixture.description["outputs"]:
        if name.startswith("gradient/"):
            _, network, key = name.split("/", 2)
            theirs = fixture.arrays[f"out/{name}"]
            off[name] = np.linalg.norm(first_step.gradients[network][key].numpy() - theirs) / np.linalg.norm(theirs)
    print({name: f"{value:.1e}" for name, value in off.items()})
    assert off
    assert max(off.values()) <= fixture.tolerance("gradient"), off


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_outputs_after_the_steps(fixture, both_steps, suffix):
    for name in (f"image_{suffix}", f"prior_{suffix}"):
        difference = fixture.pixels(name, both_steps.outputs[name].numpy()).mean()
        print(name, f"{difference:.1e}")
        assert difference <= fixture.tolerance(name), name


def test_discriminator_after_two_steps(fixture, both_steps):
    discriminator = both_steps.discriminator
    names = released_names(discriminator, DISCRIMINATOR_RULES)
    norms = {names[name]: tensor.norm().item() for name, tensor in discriminator.state_dict().items()}
    expected = fixture.description["discriminator_norm_after_2_steps"]
    off = {key: abs(norm / expected[key] - 1) for key, norm in norms.items()}
    print({name: f"{value:.1e}" for name, value in off.items()})
    assert max(off.values()) <= fixture.tolerance("losses_step_2"), off
