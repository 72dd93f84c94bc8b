"""One training step of RN, in the order of its released loop."""

from dataclasses import dataclass

from torch import Tensor

from spl.config.methods import RNLossWeights, RNRecipe
from spl.models.discriminator import PatchDiscriminator
from spl.models.initialise import own_generator
from spl.models.rn import initialise_rn
from spl.training.context import TrainingContext
from spl.training.losses import hole_normalised_l1
from spl.training.methods.adversarial import AdversarialMethod, with_discriminator
from spl.training.methods.base import update


@dataclass(kw_only=True, eq=False)
class RNMethod(AdversarialMethod):
    """Train generator and discriminator in turn; the arguments are those of `SPLMethod`.

    The image loss takes the composite, the discriminator the raw output.
    """

    losses: RNLossWeights

    def step(self, image: Tensor, mask: Tensor, *, step: int) -> dict[str, Tensor]:
        """Update the discriminator, then the generator, and return all losses.

        Shapes: image (B, 3, H, W) in [0, 1]; mask (B, 1, H, W), 1 = hole. The recipe does not change with `step`.
        """
        with self.autocast():
            output = self.networks["generator"](image, mask)  # (B, 3, H, W)
        discriminator_losses = self.step_discriminator(image, output, reduction="mean")

        loss_img = hole_normalised_l1(output, image, mask)
        loss_adv, _ = self.generator_adversarial_loss("discriminator", output)
        total = self.losses.lambda_img * loss_img + self.losses.lambda_adv * loss_adv
        update(self.optimizers["generator"], total)
        return discriminator_losses | {"loss_img": loss_img, "loss_adv": loss_adv, "total": total}


def build(recipe: RNRecipe, context: TrainingContext) -> RNMethod:
    """Build the method of a recipe."""
    with own_generator("discriminator"):
        discriminator = PatchDiscriminator(width=recipe.model.width)
        initialise_rn(discriminator)
    return RNMethod(**with_discriminator(recipe, context, context.generator(recipe), discriminator))
