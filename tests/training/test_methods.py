import copy
from contextlib import nullcontext
from functools import partial

import pytest
import torch
import torch.distributed as dist
from torch.nn.parallel import DistributedDataParallel

from spl.models.discriminator import PatchDiscriminator
from spl.models.rn import build_rn
from spl.models.spl import build_spl
from spl.recipes import RNLossWeights, SPLLossWeights
from spl.training.methods.rn import RNMethod
from spl.training.methods.spl import SPLMethod

LOSSES = SPLLossWeights(lambda_img=10, lambda_adv=1, lambda_prior=1, alpha=3, delta=5, discriminator="sum")


def fake_teacher(large_image):
    """Four channels from the enlarged picture: a stand-in with the teacher's shapes."""
    pooled = torch.nn.functional.avg_pool2d(large_image, 8)
    return torch.cat([pooled, pooled.mean(1, keepdim=True)], dim=1)


def build(recipe, wrap=lambda network: network, teacher=fake_teacher, autocast=nullcontext, **options):
    torch.manual_seed(0)
    discriminator = PatchDiscriminator(width=8)
    if recipe == "rn":
        generator = build_rn(width=8, blocks=1)
    else:
        generator = build_spl(
            semantic_body="residual", semantic_blocks=1, gamma="gamma", width=8, teacher_channels=4, spade_blocks=1
        )
    adam = partial(torch.optim.Adam, lr=1e-3, betas=(0.0, 0.9))
    shared = {
        "generator": wrap(generator),
        "discriminator": wrap(discriminator),
        "optimizers": {"generator": adam(generator.parameters()), "discriminator": adam(discriminator.parameters())},
        "autocast": autocast,
    }
    if recipe == "rn":
        return RNMethod(losses=RNLossWeights(lambda_img=1, lambda_adv=0.1), **shared)
    return SPLMethod(**{"teacher": teacher, "losses": LOSSES} | shared | options)


def run(method, batch, steps):
    return [method.step(*batch, step=step) for step in range(steps)]


@pytest.fixture
def batch():
    generator = torch.Generator().manual_seed(1)
    mask = torch.zeros(2, 1, 32, 32)
    mask[0, :, 8:24, 8:24] = 1
    mask[1, :, :, 20:] = 1
    return torch.rand(2, 3, 8, 8, generator=generator).repeat_interleave(4, 2).repeat_interleave(4, 3), mask


@pytest.mark.parametrize("recipe", ["spl", "rn"])
def test_a_few_steps_learn_two_pictures(recipe, batch):
    losses = run(build(recipe), batch, 25)
    assert losses[-1]["loss_img"] < 0.7 * losses[0]["loss_img"]


def test_losses_are_named_detached_and_weighted(batch):
    losses = build("spl").step(*batch, step=0)
    names = ["discriminator_real", "discriminator_fake", "discriminator", "loss_img", "loss_adv", "loss_prior", "total"]
    assert list(losses) == names
    assert all(loss.shape == () and not loss.requires_grad for loss in losses.values())
    torch.testing.assert_close(losses["discriminator"], losses["discriminator_real"] + losses["discriminator_fake"])
    torch.testing.assert_close(losses["total"], 10 * losses["loss_img"] + losses["loss_adv"] + losses["loss_prior"])


def test_rn_losses_are_weighted(batch):
    losses = build("rn").step(*batch, step=0)
    torch.testing.assert_close(losses["total"], losses["loss_img"] + 0.1 * losses["loss_adv"])
    torch.testing.assert_close(2 * losses["discriminator"], losses["discriminator_real"] + losses["discriminator_fake"])


@pytest.mark.parametrize("recipe", ["spl", "rn"])
def test_a_step_makes_three_power_iterations_and_leaves_the_generator_gradient_to_itself(recipe, batch):
    method = build(recipe)
    discriminator = method.networks["discriminator"]
    calls = []
    handle = discriminator.register_forward_hook(lambda *args: calls.append(1))
    method.step(*batch, step=0)
    handle.remove()
    assert len(calls) == 3
    assert all(parameter.requires_grad for parameter in discriminator.parameters())

    gradients = [parameter.grad.clone() for parameter in discriminator.parameters()]
    before = [parameter.clone() for parameter in discriminator.parameters()]
    output = method.networks["generator"](*batch)
    output = output[0] if recipe == "spl" else output
    from spl.training.methods.adversarial import fool

    fool(discriminator, output, autocast=nullcontext)[0].backward()
    assert all(torch.equal(p.grad, g) for p, g in zip(discriminator.parameters(), gradients, strict=True))
    assert all(torch.equal(p, b) for p, b in zip(discriminator.parameters(), before, strict=True))


def test_the_teacher_sees_the_whole_picture_enlarged_bilinearly(batch):
    seen = []

    def teacher(large_image):
        seen.append(large_image)
        return fake_teacher(large_image)

    build("spl", teacher=teacher).step(*batch, step=0)
    assert seen[0].shape == (2, 3, 64, 64)
    torch.testing.assert_close(
        torch.nn.functional.avg_pool2d(seen[0], 2)[..., 1:-1, 1:-1].mean(),
        batch[0][..., 1:-1, 1:-1].mean(),
        rtol=0.02,
        atol=0,
    )


def test_without_a_teacher_the_prior_loss_is_zero_and_every_parameter_has_a_gradient(batch):
    method = build("spl", teacher=None)
    losses = method.step(*batch, step=0)
    assert losses["loss_prior"] == 0
    adapter = method.networks["generator"].semantic_learner.adapter
    assert torch.equal(adapter.weight.grad, torch.zeros_like(adapter.weight))


def test_the_prior_loss_ends_after_prior_steps(batch):
    losses = run(build("spl", prior_steps=1), batch, 2)
    torch.testing.assert_close(
        losses[0]["total"] - losses[0]["loss_prior"], 10 * losses[0]["loss_img"] + losses[0]["loss_adv"]
    )
    torch.testing.assert_close(losses[1]["total"], 10 * losses[1]["loss_img"] + losses[1]["loss_adv"])


@pytest.mark.parametrize("recipe", ["spl", "rn"])
def test_steps_in_bfloat16_are_finite(recipe, batch):
    autocast = partial(torch.autocast, "cpu", dtype=torch.bfloat16)
    losses = run(build(recipe, autocast=autocast), batch, 2)
    assert all(loss.isfinite() and loss.dtype == torch.float32 for loss in losses[-1].values())


@pytest.fixture
def process_group(tmp_path):
    dist.init_process_group("gloo", init_method=f"file://{tmp_path / 'store'}", rank=0, world_size=1)
    yield
    dist.destroy_process_group()


@pytest.mark.parametrize("teacher", [fake_teacher, None])
@pytest.mark.parametrize("recipe", ["spl", "rn"])
def test_distributed_wrappers_change_nothing(recipe, teacher, batch, process_group):
    plain = build(recipe, teacher=teacher)
    wrapped = build(recipe, partial(DistributedDataParallel, broadcast_buffers=False), teacher=teacher)
    expected, actual = run(plain, batch, 3), run(wrapped, batch, 3)
    for ours, theirs in zip(actual, expected, strict=True):
        torch.testing.assert_close(ours, theirs)
    states = (copy.deepcopy(method.networks["discriminator"].state_dict()) for method in (plain, wrapped))
    first, second = ({key.removeprefix("module."): value for key, value in state.items()} for state in states)
    torch.testing.assert_close(first, second)
