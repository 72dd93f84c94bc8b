"""One training step of RN, in the order of its released loop."""

from contextlib import nullcontext
from dataclasses import dataclass

from torch import Tensor, nn
from torch.optim import Optimizer

from spl.config.methods import RNLossWeights, RNRecipe
from spl.models.discriminator import PatchDiscriminator
from spl.models.rn import initialise_rn
from spl.training.context import TrainingContext
from spl.training.losses import hole_normalised_l1
from spl.training.methods.adversarial import generator_adversarial_loss, step_discriminator, with_discriminator
from spl.training.precision import Autocast


@dataclass(kw_only=True, eq=False)
class RNMethod:
    """Train generator and discriminator in turn; the arguments are those of `SPLMethod`.

    The image loss takes the composite, the discriminator the raw output.
    """

    networks: dict[str, nn.Module]
    optimizers: dict[str, Optimizer]
    losses: RNLossWeights
    autocast: Autocast = nullcontext

    def step(self, image: Tensor, mask: Tensor, *, step: int) -> dict[str, Tensor]:
        """Update the discriminator, then the generator, and return all losses, detached.

        Shapes: image (B, 3, H, W) in [0, 1]; mask (B, 1, H, W), 1 = hole. The recipe does not change with `step`.
        """
        generator, discriminator = self.networks["generator"], self.networks["discriminator"]
        with self.autocast():
            output = generator(image, mask)  # (B, 3, H, W)
        discriminator_losses = step_discriminator(
            discriminator,
            self.optimizers["discriminator"],
            image,
            output,
            reduction="mean",
            autocast=self.autocast,
        )

        loss_img = hole_normalised_l1(output, image, mask)
        loss_adv, _ = generator_adversarial_loss(discriminator, output, autocast=self.autocast)
        total = self.losses.lambda_img * loss_img + self.losses.lambda_adv * loss_adv
        self.optimizers["generator"].zero_grad()
        total.backward()
        self.optimizers["generator"].step()
        generator_losses = {"loss_img": loss_img, "loss_adv": loss_adv, "total": total}
        return discriminator_losses | {name: loss.detach() for name, loss in generator_losses.items()}


def build(recipe: RNRecipe, context: TrainingContext) -> RNMethod:
    """Build the method of a recipe."""
    generator, discriminator = context.generator(recipe), PatchDiscriminator(width=recipe.model.width)
    initialise_rn(discriminator)
    return RNMethod(**with_discriminator(recipe, context, generator, discriminator))
