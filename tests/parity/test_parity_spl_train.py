"""Two steps of the released training loop, reproduced by `SPLMethod`."""

import numpy as np
import pytest
import torch

from spl.checkpoints import DISCRIMINATOR_RULES, SPL_RULES, load_released_spl, released_names
from spl.models.discriminator import PatchDiscriminator
from spl.models.spl import build_released_spl
from spl.training.methods.spl import SPLLosses, SPLMethod

LOSSES = {
    "discriminator_real": "discriminator_real",
    "discriminator_fake": "discriminator_fake",
    "discriminator": "discriminator",
    "loss_adv": "generator_adversarial",
    "loss_img": "generator_l1",
    "loss_prior": "generator_prior",
    "total": "generator",
}
RULES = {"generator": SPL_RULES, "discriminator": DISCRIMINATOR_RULES}


@pytest.fixture(scope="module")
def fixture(read_fixture):
    return read_fixture("spl_train")


@pytest.fixture(scope="module")
def trained(fixture, read_fixture):
    """Everything that the fixture describes, by running two steps once: losses, gradients, outputs, networks."""
    configuration = fixture.description["configuration"]
    generator, discriminator = build_released_spl().train(), PatchDiscriminator().train()
    weights = read_fixture(fixture.description["state"]).released_state(
        generator="generator", discriminator="discriminator"
    )
    load_released_spl(weights, generator=generator, discriminator=discriminator)
    features = torch.from_numpy(fixture.arrays["in/teacher"]).float() / 64
    method = SPLMethod(
        generator=generator,
        discriminator=discriminator,
        teacher=lambda large_image: features,
        optimizers={
            name: torch.optim.Adam(
                network.parameters(),
                lr=configuration["lr"],
                betas=tuple(configuration["betas"]),
                eps=configuration["eps"],
            )
            for name, network in (("generator", generator), ("discriminator", discriminator))
        },
        losses=SPLLosses(
            lambda_img=configuration["l1_weight"],
            lambda_adv=configuration["adversarial_weight"],
            lambda_prior=configuration["prior_weight"],
            alpha=configuration["prior_hole_extra"],
            delta=configuration["l1_hole_extra"],
            discriminator_reduction="mean",
        ),
    )
    image, mask = fixture.image(), fixture.mask()
    losses, gradients, outputs = {}, {}, {}
    for step in range(2):
        losses[f"step_{step + 1}"] = method.step(image, mask, step=step)
        if step == 0:
            gradients = {name: _gradients(network, RULES[name]) for name, network in method.networks.items()}
        generator.eval()
        with torch.no_grad():
            output, adapted_prior = generator(image, mask)
        generator.train()
        suffix = "after_1_step" if step == 0 else "after_2_steps"
        outputs |= {f"image_{suffix}": output, f"prior_{suffix}": adapted_prior}
    return losses, gradients, outputs, discriminator


def _gradients(network, rules):
    names = released_names(network, rules)
    return {names[name]: parameter.grad.clone() for name, parameter in network.named_parameters()}


@pytest.mark.parametrize("step", ["step_1", "step_2"])
def test_losses(fixture, trained, step):
    tolerance = fixture.tolerance(f"losses_{step}")
    ours = trained[0][step]
    theirs = {name: fixture.description["losses"][step][original] for name, original in LOSSES.items()}
    off = {name: abs(ours[name].item() / theirs[name] - 1) for name in theirs}
    print({name: f"{value:.1e}" for name, value in off.items()})
    assert max(off.values()) <= tolerance, (off, theirs)


def test_gradient_norms_and_sums(fixture, trained):
    skipped = set(fixture.description["null_gradient"])
    norm_tolerance, sum_tolerance = fixture.tolerance("gradient_norm"), fixture.tolerance("gradient_sum")
    worst = {"norm": 0.0, "sum": 0.0}
    for network, table in fixture.description["gradient_norm_and_sum"].items():
        for key, (norm, total) in table.items():
            if key in skipped or key not in trained[1][network]:
                assert key in skipped or key.startswith("features.0."), key
                continue
            gradient = trained[1][network][key].double()
            worst["norm"] = max(worst["norm"], abs(gradient.norm().item() / norm - 1))
            worst["sum"] = max(worst["sum"], abs(gradient.sum().item() - total) / (norm * gradient.numel() ** 0.5))
    print(worst)
    assert worst["norm"] <= norm_tolerance
    assert worst["sum"] <= sum_tolerance


def test_gradients_of_single_tensors(fixture, trained):
    off = {}
    for name in fixture.description["outputs"]:
        if name.startswith("gradient/"):
            _, network, key = name.split("/", 2)
            theirs = fixture.arrays[f"out/{name}"]
            off[name] = np.linalg.norm(trained[1][network][key].numpy() - theirs) / np.linalg.norm(theirs)
    print({name: f"{value:.1e}" for name, value in off.items()})
    assert off
    assert max(off.values()) <= fixture.tolerance("gradient"), off


@pytest.mark.parametrize("suffix", ["after_1_step", "after_2_steps"])
def test_outputs_after_the_steps(fixture, trained, suffix):
    for name in (f"image_{suffix}", f"prior_{suffix}"):
        difference = fixture.mean_difference(name, trained[2][name])
        print(name, f"{difference:.1e}")
        assert difference <= fixture.tolerance(name), name


def test_discriminator_after_two_steps(fixture, trained):
    discriminator = trained[3]
    names = released_names(discriminator, DISCRIMINATOR_RULES)
    norms = {names[name]: tensor.norm().item() for name, tensor in discriminator.state_dict().items()}
    expected = fixture.description["discriminator_norm_after_2_steps"]
    off = {key: abs(norm / expected[key] - 1) for key, norm in norms.items()}
    print({name: f"{value:.1e}" for name, value in off.items()})
    assert max(off.values()) <= fixture.tolerance("losses_step_2"), off
