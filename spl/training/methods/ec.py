"""One training step of EdgeConnect, in three stages: edges, images from true edges, images from predicted edges."""

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor, nn

from spl.config.methods import ECLossWeights, ECRecipe
from spl.models.discriminator import PatchDiscriminator
from spl.models.ec import gray
from spl.models.initialise import initialise_normal, own_generator
from spl.teachers.perception import FeatureExtractor
from spl.training.context import TrainingContext, adam
from spl.training.losses import hole_ratio, perceptual_loss, style_loss
from spl.training.methods.adversarial import AdversarialMethod
from spl.training.methods.base import update

LOSSES = ("edge_discriminator", "loss_edge_adv", "loss_matching", "inpaint_discriminator", "loss_img", "loss_adv",
          "loss_perceptual", "loss_style", "total")  # fmt: skip


class Stages(NamedTuple):
    """Ends of the first two stages, in steps; the third lasts to the end."""

    edge: int
    canny: int


@dataclass(kw_only=True, eq=False)
class ECMethod(AdversarialMethod):
    """Train one generator and its discriminator in turn; which one, the step decides (Nazeri et al. 2019, section 4.2).

    Args:
        networks: `generator`, the whole method, whose weights are the run's product; `edge_discriminator`, of gray
            image and edges; `inpaint_discriminator`, of images.
        parts: of the generator, `edge` and `inpaint`; may be wrapped by DistributedDataParallel.
        optimizers: `edge_generator`, `edge_discriminator`, `inpaint_generator` and `inpaint_discriminator`.
        losses: weights of the losses.
        extract_features: image -> the features that perceptual and style losses compare.
        stages: ends of the first two stages.
    """

    parts: dict[str, nn.Module]
    losses: ECLossWeights
    extract_features: FeatureExtractor
    stages: Stages

    def step(self, image: Tensor, mask: Tensor, edge: Tensor, *, step: int) -> dict[str, Tensor]:
        """Make one step of the stage that `step` belongs to; return all losses, those of the others as 0.

        Shapes: image (B, 3, H, W) in [0, 1]; mask (B, 1, H, W), 1 = hole; edge (B, 1, H, W), the whole image's.
        """
        if step < self.stages.edge:
            return self._step_edges(gray(image), mask, edge)
        if step >= self.stages.canny:
            edge = self._predicted_edges(gray(image), mask, edge)
        return self._step_images(image, mask, edge)

    @torch.no_grad()
    def _predicted_edges(self, luma: Tensor, mask: Tensor, edge: Tensor) -> Tensor:
        """Return predicted edges in the hole and true edges around it; the spectral norms of a trained network rest."""
        was_training = self.parts["edge"].training
        with self.autocast():
            predicted = self.parts["edge"].eval()(luma, edge, mask)
        self.parts["edge"].train(was_training)
        return predicted * mask + edge * (1 - mask)

    def _step_edges(self, luma: Tensor, mask: Tensor, edge: Tensor) -> dict[str, Tensor]:
        """Update the edge network with the adversarial and the feature matching loss."""
        with self.autocast():
            predicted = self.parts["edge"](luma, edge, mask)  # (B, 1, H, W)
        real, fake = torch.cat([luma, edge], dim=1), torch.cat([luma, predicted], dim=1)
        verdict = self.judge("edge_discriminator", real, fake, reduction="mean")
        loss_adv, maps_fake = self.generator_adversarial_loss("edge_discriminator", fake)
        loss_matching = perceptual_loss(maps_fake, verdict.maps_real)
        total = self.losses.lambda_edge_adv * loss_adv + self.losses.lambda_feature_matching * loss_matching
        losses = {"loss_edge_adv": loss_adv, "loss_matching": loss_matching, "total": total}
        return self._update("edge", verdict.loss, losses)

    def _step_images(self, image: Tensor, mask: Tensor, edge: Tensor) -> dict[str, Tensor]:
        """Update the inpainting network; style is compared inside the hole only."""
        with self.autocast():
            output = self.parts["inpaint"](image, mask, edge)  # (B, 3, H, W)
            seen, seen_hole = self.extract_features(output), self.extract_features(output * mask)
            with torch.no_grad():
                truth, truth_hole = self.extract_features(image), self.extract_features(image * mask)
        verdict = self.judge("inpaint_discriminator", image, output, reduction="mean")
        loss_adv, _ = self.generator_adversarial_loss("inpaint_discriminator", output)
        losses = {
            "loss_img": (output - image).abs().mean() / hole_ratio(mask),
            "loss_adv": loss_adv,
            "loss_perceptual": perceptual_loss(seen.perceptual, truth.perceptual),
            "loss_style": style_loss(seen_hole.style, truth_hole.style),
        }
        total = (
            self.losses.lambda_img * losses["loss_img"]
            + self.losses.lambda_adv * losses["loss_adv"]
            + self.losses.lambda_perceptual * losses["loss_perceptual"]
            + self.losses.lambda_style * losses["loss_style"]
        )
        return self._update("inpaint", verdict.loss, losses | {"total": total})

    def _update(self, part: str, loss_discriminator: Tensor, losses: dict[str, Tensor]) -> dict[str, Tensor]:
        """Update a part's generator, then its discriminator: both losses come from before either, as released."""
        update(self.optimizers[f"{part}_generator"], losses["total"])
        update(self.optimizers[f"{part}_discriminator"], loss_discriminator)
        resting = dict.fromkeys(LOSSES, torch.zeros((), device=loss_discriminator.device))
        return resting | {f"{part}_discriminator": loss_discriminator} | losses


def build(recipe: ECRecipe, context: TrainingContext) -> ECMethod:
    """Build the method of a recipe."""
    assert context.extract_features is not None
    training, distribute = recipe.training, context.distribute
    generator = context.generator(recipe)
    parts = {part: generator.get_submodule(f"{part}_generator") for part in ("edge", "inpaint")}
    discriminators: dict[str, nn.Module] = {}
    for name, channels in {"edge_discriminator": 2, "inpaint_discriminator": 3}.items():
        with own_generator(name):
            discriminators[name] = PatchDiscriminator(width=recipe.model.width, channels=channels)
            initialise_normal(discriminators[name])
        context.place(discriminators[name])
    optimizers = {f"{part}_generator": adam(recipe, network, training.lr) for part, network in parts.items()}
    optimizers |= {name: adam(recipe, network, training.lr_discriminator) for name, network in discriminators.items()}
    edge_steps = training.edge_epochs * context.steps_per_epoch
    return ECMethod(
        networks={"generator": generator} | {name: distribute(network) for name, network in discriminators.items()},
        parts={part: distribute(network) for part, network in parts.items()},
        optimizers=optimizers,
        losses=recipe.losses,
        extract_features=context.in_parts(context.extract_features),
        stages=Stages(edge=edge_steps, canny=edge_steps + training.canny_epochs * context.steps_per_epoch),
        autocast=context.autocast(recipe),
    )
