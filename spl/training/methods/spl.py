"""One training step of SPL: paper section 3.4, in the order of the released loop."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from spl.config.methods import SPLLossWeights, SPLRecipe
from spl.models.discriminator import PatchDiscriminator
from spl.models.initialise import own_generator
from spl.models.spl import SPL
from spl.teachers.oracle import Oracle
from spl.training.context import TrainingContext
from spl.training.losses import image_loss, prior_loss
from spl.training.methods.adversarial import AdversarialMethod, with_discriminator
from spl.training.methods.base import update


@dataclass(kw_only=True, eq=False)
class SPLMethod(AdversarialMethod):
    """Train generator and discriminator in turn, the generator also towards the features of a frozen teacher.

    Args:
        networks: `generator`, (image, mask) -> (output, adapted_prior), and `discriminator`, image -> (probabilities,
            feature maps).
        optimizers: of the same names.
        losses: weights of the losses, in the paper's letters (Eqs. 5, 9, 11 and 12).
        teacher: image (B, 3, 2H, 2W) in [0, 1] -> features (B, d, H/4, W/4); `None` trains without prior ("w/o S").
        prior_steps: steps after which the prior loss counts no more (the released Paris recipe ends with ten epochs
            without it); `None` keeps it to the end.
    """

    losses: SPLLossWeights
    teacher: Callable[[Tensor], Tensor] | None
    prior_steps: int | None = None

    def step(self, image: Tensor, mask: Tensor, *, step: int) -> dict[str, Tensor]:
        """Update the discriminator, then the generator, and return all losses.

        Shapes: image (B, 3, H, W) in [0, 1]; mask (B, 1, H, W), 1 = hole. `step` counts from 0.
        """
        with self.autocast():
            output, adapted_prior = self.networks["generator"](image, mask)  # (B, 3, H, W), (B, d, H/4, W/4)
        discriminator_losses = self.step_discriminator(image, output, reduction=self.losses.discriminator)

        loss_img = image_loss(output, image, mask, delta=self.losses.delta)
        loss_adv, _ = self.generator_adversarial_loss("discriminator", output)
        target = self._teacher_features(image, adapted_prior)
        loss_prior = prior_loss(adapted_prior, target, mask, alpha=self.losses.alpha)
        lambda_prior = self.losses.lambda_prior if self.prior_steps is None or step < self.prior_steps else 0.0
        total = (
            self.losses.lambda_img * loss_img + self.losses.lambda_adv * loss_adv + lambda_prior * loss_prior
        )  # Eq. 12
        update(self.optimizers["generator"], total)
        losses = {"loss_img": loss_img, "loss_adv": loss_adv, "loss_prior": loss_prior, "total": total}
        return discriminator_losses | losses

    @torch.no_grad()
    def _teacher_features(self, image: Tensor, adapted_prior: Tensor) -> Tensor:
        """Show the teacher the complete image, enlarged twice (I' of section 3.2).

        Without a teacher the prior is its own target: the loss is 0 and so is its gradient, and yet every parameter
        stays in the graph, which DistributedDataParallel requires.
        """
        if self.teacher is None:
            return adapted_prior.detach()
        large_image = F.interpolate(image, scale_factor=2, mode="bilinear", align_corners=False)  # (B, 3, 2H, 2W)
        with self.autocast():
            return self.teacher(large_image)  # (B, d, H/4, W/4)


def build(recipe: SPLRecipe, context: TrainingContext) -> SPLMethod:
    """Build the method of a recipe."""
    with own_generator("discriminator"):
        discriminator = PatchDiscriminator(width=recipe.model.width)
    generator, teacher = context.generator(recipe), context.teacher
    if recipe.oracle and teacher:
        assert isinstance(generator, SPL)
        generator, teacher = context.place(Oracle(generator, teacher, recipe.oracle)), None
    return SPLMethod(
        teacher=teacher and context.in_parts(teacher),
        prior_steps=context.steps(recipe.training.prior_epochs),
        **with_discriminator(recipe, context, generator, discriminator),
    )
