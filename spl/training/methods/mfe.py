"""One training step of MFE: two relativistic discriminators, and auxiliary images of structure and texture."""

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from spl.config.methods import MFELossWeights, MFERecipe
from spl.models.initialise import own_generator
from spl.models.mfe import MFEDiscriminator
from spl.teachers.perception import FeatureExtractor
from spl.training.context import TrainingContext, adam
from spl.training.losses import perceptual_loss, relativistic_loss, style_loss
from spl.training.methods.adversarial import frozen
from spl.training.methods.base import TrainingMethod, update

DISCRIMINATORS = ("global_discriminator", "local_discriminator")


@dataclass(kw_only=True, eq=False)
class MFEMethod(TrainingMethod):
    """Train discriminators and generator in turn (Liu et al. 2020, section 3.4).

    Images are in [-1, 1] inside a step, since the losses are weighted for that.

    Args:
        networks: `generator`, (image, mask) -> (output, structure_head, texture_head), and the `DISCRIMINATORS`, of
            whole images and of crops of a quarter of their side.
        optimizers: one under `generator`, one for both discriminators under `discriminators`.
        losses: weights of the losses.
        extract_features: image -> the features that perceptual and style losses compare.
        seed: of the crops.
    """

    losses: MFELossWeights
    extract_features: FeatureExtractor
    seed: int

    def step(self, image: Tensor, mask: Tensor, structure: Tensor, *, step: int) -> dict[str, Tensor]:
        """Update the discriminators, then the generator, and return all losses.

        Shapes: image and structure (B, 3, H, W) in [0, 1], the latter smoothed; mask (B, 1, H, W), 1 = hole. The
        local crop is a function of `step`.
        """
        with self.autocast():
            output, structure_head, texture_head = self.networks["generator"](image, mask)
        signed, signed_output = 2 * image - 1, 2 * output - 1
        views = self._views(signed, signed_output, step)
        discriminator_losses = self._step_discriminators(views)

        loss_adv = torch.stack([self._adversarial_loss(name, *views[name]) for name in DISCRIMINATORS]).sum()
        with self.autocast():
            seen = self.extract_features(output)
            with torch.no_grad():
                truth = self.extract_features(image)
        losses = {
            "loss_img": (signed_output - signed).abs().mean(),
            "loss_adv": loss_adv,
            "loss_perceptual": perceptual_loss(seen.perceptual, truth.perceptual),
            "loss_style": style_loss(seen.style, truth.style),
            "loss_auxiliary": auxiliary_loss(structure_head, texture_head, 2 * structure - 1, signed),
        }
        total = (
            self.losses.lambda_img * losses["loss_img"]
            + self.losses.lambda_adv * losses["loss_adv"]
            + self.losses.lambda_perceptual * losses["loss_perceptual"]
            + self.losses.lambda_style * losses["loss_style"]
            + self.losses.lambda_auxiliary * losses["loss_auxiliary"]
        )
        update(self.optimizers["generator"], total)
        return discriminator_losses | losses | {"total": total}

    def _views(self, image: Tensor, output: Tensor, step: int) -> dict[str, tuple[Tensor, Tensor]]:
        """Return what each discriminator sees of image and output: everything, or the same random crop of both."""
        size = image.shape[-1]
        crop = max(size // 4, 32)  # the smallest that five halvings leave something of
        y, x = np.random.default_rng([self.seed, step]).integers(0, max(size - crop, 1), 2)
        window = (..., slice(y, y + crop), slice(x, x + crop))
        return dict(zip(DISCRIMINATORS, ((image, output), (image[window], output[window])), strict=True))

    def _step_discriminators(self, views: dict[str, tuple[Tensor, Tensor]]) -> dict[str, Tensor]:
        losses = {}
        for name, (image, output) in views.items():
            with self.autocast():
                real, fake = self.networks[name](image), self.networks[name](output.detach())
            losses[name] = relativistic_loss(better=real, worse=fake)
        update(self.optimizers["discriminators"], torch.stack(list(losses.values())).sum())
        return losses

    def _adversarial_loss(self, name: str, image: Tensor, output: Tensor) -> Tensor:
        """Return a discriminator's part of the generator's loss; the discriminator gets no gradient from it."""
        with frozen(self.networks[name]) as discriminator, self.autocast():
            return relativistic_loss(better=discriminator(output), worse=discriminator(image))


def auxiliary_loss(structure_head: Tensor, texture_head: Tensor, structure: Tensor, image: Tensor) -> Tensor:
    """Compare the images that the equalised features make with the smoothed image and with the image.

    Shapes: heads (B, 3, h, w); structure, image (B, 3, H, W), shrunk here bilinearly; all in [-1, 1]; returns ().
    """
    size = structure_head.shape[2:]
    targets = [F.interpolate(target, size, mode="bilinear", align_corners=False) for target in (structure, image)]
    return (structure_head - targets[0]).abs().mean() + (texture_head - targets[1]).abs().mean()


def build(recipe: MFERecipe, context: TrainingContext) -> MFEMethod:
    """Build the method of a recipe."""
    assert context.extract_features is not None
    generator = context.generator(recipe)
    discriminators = nn.ModuleDict()
    for name in DISCRIMINATORS:
        with own_generator(name):
            discriminators[name] = MFEDiscriminator(width=recipe.model.width)
    context.place(discriminators)
    networks = {"generator": generator, **discriminators}
    return MFEMethod(
        networks={name: context.distribute(network) for name, network in networks.items()},
        optimizers={
            "generator": adam(recipe, generator, recipe.training.lr),
            "discriminators": adam(recipe, discriminators, recipe.training.lr_discriminator),
        },
        losses=recipe.losses,
        extract_features=context.in_parts(context.extract_features),
        seed=context.seed,
        autocast=context.autocast(recipe),
    )
