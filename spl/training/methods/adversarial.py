"""The half of a step that methods with patch discriminators share."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, NamedTuple

from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from spl.config.methods import RNRecipe, SPLRecipe
from spl.training.context import TrainingContext, adam
from spl.training.losses import Reduction, adversarial_loss, discriminator_loss
from spl.training.methods.base import TrainingMethod, update


class Verdict(NamedTuple):
    """Losses of a discriminator, and its feature maps of the real input, detached."""

    loss_real: Tensor
    loss_fake: Tensor
    loss: Tensor
    maps_real: list[Tensor]


@dataclass(kw_only=True, eq=False)
class AdversarialMethod(TrainingMethod):
    """A method with patch discriminators."""

    def judge(self, name: str, real: Tensor, fake: Tensor, *, reduction: Reduction) -> Verdict:
        """Show a discriminator images and raw outputs (not composites); no gradient reaches the generator.

        Two forward passes, hence two power iterations of the spectral norms, as in the released code.
        """
        with self.autocast():
            probabilities_real, maps_real = self.networks[name](real)
            probabilities_fake, _ = self.networks[name](fake.detach())
        loss_real = adversarial_loss(probabilities_real, real=True)
        loss_fake = adversarial_loss(probabilities_fake, real=False)
        loss = discriminator_loss(loss_real, loss_fake, reduction=reduction)
        return Verdict(loss_real, loss_fake, loss, [x.detach() for x in maps_real])

    def step_discriminator(self, image: Tensor, output: Tensor, *, reduction: Reduction) -> dict[str, Tensor]:
        """Update the one discriminator on images and on raw outputs, and return its losses."""
        verdict = self.judge("discriminator", image, output, reduction=reduction)
        update(self.optimizers["discriminator"], verdict.loss)
        names = ("discriminator_real", "discriminator_fake", "discriminator")
        return dict(zip(names, verdict[:3], strict=True))

    def generator_adversarial_loss(self, name: str, output: Tensor) -> tuple[Tensor, list[Tensor]]:
        """Return the generator's adversarial loss -log D(output) and D's feature maps; D itself gets no gradient."""
        with frozen(self.networks[name]) as bare, self.autocast():
            probabilities, maps = bare(output)
        return adversarial_loss(probabilities, real=True), maps


def with_discriminator(
    recipe: SPLRecipe | RNRecipe, context: TrainingContext, generator: nn.Module, discriminator: nn.Module
) -> dict[str, Any]:
    """Return the arguments that methods with one patch discriminator share."""
    networks = {"generator": generator, "discriminator": context.place(discriminator)}
    rates = {"generator": recipe.training.lr, "discriminator": recipe.training.lr_discriminator}
    return {
        "networks": {name: context.distribute(network) for name, network in networks.items()},
        "optimizers": {name: adam(recipe, network, rates[name]) for name, network in networks.items()},
        "losses": recipe.losses,
        "autocast": context.autocast(recipe),
    }


@contextmanager
def frozen(discriminator: nn.Module) -> Iterator[nn.Module]:
    """Yield a discriminator whose parameters get no gradient.

    A DistributedDataParallel wrapper is left aside: it would wait for gradients that never come.
    """
    bare = discriminator.module if isinstance(discriminator, DistributedDataParallel) else discriminator
    bare.requires_grad_(False)
    try:
        yield bare
    finally:
        bare.requires_grad_(True)
