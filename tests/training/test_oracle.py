"""An oracle's decoder sees a teacher's true features: what a method cannot see must help it, and is told apart."""

import pytest
import torch
import torch.nn.functional as F

from spl.teachers.oracle import Oracle
from spl.training.build import build_method
from spl.training.context import TrainingContext
from tests.training.conftest import CPU, FakeTeacher, tiny_run

STEPS = 60


def image_and_mask(number, count=4):
    """Images of squares in eight colours that nothing outside a square tells, and a hole in their middle."""
    squares = torch.rand(count, 3, 4, 4, generator=torch.Generator().manual_seed(number)).round()
    mask = torch.zeros(count, 1, 32, 32)
    mask[:, :, 8:24, 8:24] = 1
    return F.interpolate(squares, scale_factor=8, mode="nearest"), mask


def method_of(sight, seed=0):
    torch.manual_seed(seed)
    recipe = tiny_run("spl", lr=0.004, lr_discriminator=0.004).recipe
    losses = recipe.losses.model_copy(update={"lambda_prior": 0.0, "lambda_adv": 0.0})
    recipe = recipe.model_copy(update={"losses": losses, "oracle": sight})
    return build_method(recipe, TrainingContext(CPU, 32, 1, seed, FakeTeacher() if sight else None, None))


def train(sight, steps):
    method = method_of(sight)
    for step in range(steps):
        method.step(*image_and_mask(step), step=step)
    return method.networks["generator"].eval()


def hole_error(generator):
    image, mask = image_and_mask(1_000, 32)
    with torch.no_grad():
        output = generator(image, mask)[0]
    return ((output - image).abs() * mask).sum().item() / (3 * mask.sum().item())


def test_a_planted_effect_comes_out():
    """Half of the true features' channels help where nothing else can: a guess has an error of a half."""
    none, planted = (hole_error(train(sight, STEPS)) for sight in (None, "half"))
    assert none == pytest.approx(0.5, abs=0.05)
    assert planted < 0.9 * none


@pytest.mark.parametrize("sight", ["whole", "half", "pooled"])
def test_what_is_seen_inside_the_hole(sight):
    oracle = method_of(sight).networks["generator"]
    assert isinstance(oracle, Oracle)
    image, mask = image_and_mask(0)
    true, hole = F.avg_pool2d(image, 4), F.interpolate(mask, size=(8, 8)).bool().expand(4, 3, 8, 8)
    seen = oracle.see(image, mask)
    assert seen.shape[1] == (2 if sight == "half" else 4)
    true, seen, hole = (x[:, :2] for x in (true, seen, hole))
    torch.testing.assert_close(seen[~hole], true[~hole], atol=0.1, rtol=0)  # enlarging blurs
    inside = seen[hole].view(4, 2, -1)
    assert (inside.std(2).max().item() < 1e-6) == (sight == "pooled")
    torch.testing.assert_close(inside.mean(2), true[hole].view(4, 2, -1).mean(2), atol=0.05, rtol=0)
