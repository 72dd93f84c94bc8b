"""One training step of RFR: no discriminator, but perceptual, style and smoothness losses."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from spl.config.methods import RFRLossWeights, RFRRecipe
from spl.teachers.perception import FeatureExtractor
from spl.tensors.compositing import composite
from spl.training.context import TrainingContext, adam
from spl.training.losses import perceptual_loss, style_loss, total_variation
from spl.training.methods.base import TrainingMethod, update


@dataclass(kw_only=True, eq=False)
class RFRMethod(TrainingMethod):
    """Train the generator (Li et al. 2020, section 3.5).

    Args:
        networks: `generator`, (image, mask) -> output.
        optimizers: of the same name.
        losses: weights of the losses.
        extract_features: image -> the features that perceptual and style losses compare.
        norm_steps: steps after which batch norms keep their running statistics (the released fine-tuning); `None`
            never freezes them.
    """

    losses: RFRLossWeights
    extract_features: FeatureExtractor
    norm_steps: int | None = None

    def step(self, image: Tensor, mask: Tensor, *, step: int) -> dict[str, Tensor]:
        """Update the generator and return all losses.

        Shapes: image (B, 3, H, W) in [0, 1]; mask (B, 1, H, W), 1 = hole. `step` counts from 0.
        """
        generator = self.networks["generator"]
        if self.norm_steps is not None and step >= self.norm_steps:
            freeze_norms(generator)
        with self.autocast():
            output = generator(image, mask)  # (B, 3, H, W), not bounded
            composited = composite(output, image, mask)
            seen, seen_composited = self.extract_features(output), self.extract_features(composited)
            with torch.no_grad():
                truth = self.extract_features(image)
        difference = (output - image).abs()
        losses = {
            "loss_valid": (difference * (1 - mask)).mean(),
            "loss_hole": (difference * mask).mean(),
            "loss_perceptual": perceptual_loss(seen.perceptual, truth.perceptual)
            + perceptual_loss(seen_composited.perceptual, truth.perceptual),
            "loss_style": style_loss(seen.style, truth.style) + style_loss(seen_composited.style, truth.style),
            "loss_tv": total_variation(composited * mask),
        }
        total = (
            self.losses.lambda_valid * losses["loss_valid"]
            + self.losses.lambda_hole * losses["loss_hole"]
            + self.losses.lambda_perceptual * losses["loss_perceptual"]
            + self.losses.lambda_style * losses["loss_style"]
            + self.losses.lambda_tv * losses["loss_tv"]
        )
        update(self.optimizers["generator"], total)
        return losses | {"total": total}


def freeze_norms(network: nn.Module) -> None:
    """Make batch norms use their running statistics; their scales and shifts are still trained."""
    for layer in network.modules():
        if isinstance(layer, nn.BatchNorm2d):
            layer.eval()


def build(recipe: RFRRecipe, context: TrainingContext) -> RFRMethod:
    """Build the method of a recipe."""
    assert context.extract_features is not None
    generator = context.generator(recipe)
    return RFRMethod(
        networks={"generator": context.distribute(generator)},
        optimizers={"generator": adam(recipe, generator, recipe.training.lr)},
        losses=recipe.losses,
        extract_features=context.extract_features,
        norm_steps=context.steps(recipe.training.norm_epochs),
        autocast=context.autocast(recipe),
    )
