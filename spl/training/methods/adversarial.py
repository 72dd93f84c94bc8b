"""The half of a training step that methods with one patch discriminator share."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from torch import Tensor, nn
from torch.optim import Optimizer

from spl.config.methods import RNRecipe, SPLRecipe
from spl.training.context import TrainingContext, adam
from spl.training.distributed import unwrap
from spl.training.losses import Reduction, adversarial_loss, discriminator_loss
from spl.training.precision import Autocast


def step_discriminator(
    discriminator: nn.Module,
    optimizer: Optimizer,
    image: Tensor,
    output: Tensor,
    *,
    reduction: Reduction,
    autocast: Autocast,
) -> dict[str, Tensor]:
    """Update the discriminator on images and on raw outputs (not composites), and return its losses, detached.

    Two forward passes, hence two power iterations of the spectral norms, as in the released code.
    """
    with autocast():
        probabilities_real, _ = discriminator(image)
        probabilities_fake, _ = discriminator(output.detach())
    loss_real = adversarial_loss(probabilities_real, real=True)
    loss_fake = adversarial_loss(probabilities_fake, real=False)
    loss = discriminator_loss(loss_real, loss_fake, reduction=reduction)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return {
        "discriminator_real": loss_real.detach(),
        "discriminator_fake": loss_fake.detach(),
        "discriminator": loss.detach(),
    }


def generator_adversarial_loss(
    discriminator: nn.Module, output: Tensor, *, autocast: Autocast
) -> tuple[Tensor, list[Tensor]]:
    """Return the generator's adversarial loss -log D(output) and D's feature maps; D itself gets no gradient."""
    with frozen(discriminator) as bare, autocast():
        probabilities, maps = bare(output)
    return adversarial_loss(probabilities, real=True), maps


def with_discriminator(
    recipe: SPLRecipe | RNRecipe, context: TrainingContext, generator: nn.Module, discriminator: nn.Module
) -> dict[str, Any]:
    """Return the arguments that methods with one patch discriminator share."""
    context.place(discriminator)
    return {
        "networks": {
            "generator": context.world.distribute(generator),
            "discriminator": context.world.distribute(discriminator),
        },
        "optimizers": {
            "generator": adam(recipe, generator, recipe.training.lr),
            "discriminator": adam(recipe, discriminator, recipe.training.lr_discriminator),
        },
        "losses": recipe.losses,
        "autocast": context.autocast(recipe),
    }


@contextmanager
def frozen(discriminator: nn.Module) -> Iterator[nn.Module]:
    """Yield a discriminator whose parameters get no gradient.

    A DistributedDataParallel wrapper is left aside: it would wait for gradients that never come.
    """
    bare = unwrap(discriminator)
    bare.requires_grad_(False)
    try:
        yield bare
    finally:
        bare.requires_grad_(True)
