"""One training step of EdgeConnect, in three stages: edges, pictures from true edges, pictures from predicted edges."""

from contextlib import nullcontext
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from spl.config.methods import ECLossWeights
from spl.models.ec import gray
from spl.teachers.perception import FeatureExtractor
from spl.training.losses import adversarial_loss, discriminator_loss, perceptual_loss, style_loss
from spl.training.methods.adversarial import fool
from spl.training.precision import Autocast

LOSSES = ("edge_discriminator", "loss_edge_adv", "loss_matching", "inpaint_discriminator", "loss_img", "loss_adv",
          "loss_perceptual", "loss_style", "total")  # fmt: skip


class Stages(NamedTuple):
    """When the stages end, in steps; the last one lasts to the end."""

    edge: int
    canny: int


class ECMethod:
    """Train one generator and its discriminator in turn; which one, the step decides (Nazeri et al. 2019, section 4.2).

    Args:
        generator: the whole method, whose weights are the run's product.
        edge_generator, inpaint_generator: its parts; may be wrapped by DistributedDataParallel.
        edge_discriminator, inpaint_discriminator: for gray picture and edges, and for pictures.
        optimizers: one per generator part and discriminator, under their names.
        losses: weights of the losses.
        perceive: what perceptual and style losses compare.
        stages: when the stages end.
        autocast: makes the context of the forward passes.
    """

    def __init__(
        self,
        *,
        generator: nn.Module,
        edge_generator: nn.Module,
        inpaint_generator: nn.Module,
        edge_discriminator: nn.Module,
        inpaint_discriminator: nn.Module,
        optimizers: dict[str, Optimizer],
        losses: ECLossWeights,
        perceive: FeatureExtractor,
        stages: Stages,
        autocast: Autocast = nullcontext,
    ) -> None:
        self.networks = {
            "generator": generator,
            "edge_discriminator": edge_discriminator,
            "inpaint_discriminator": inpaint_discriminator,
        }
        self.edge_generator, self.inpaint_generator = edge_generator, inpaint_generator
        self.optimizers = optimizers
        self.losses = losses
        self.perceive = perceive
        self.stages = stages
        self.autocast = autocast

    def step(self, image: Tensor, mask: Tensor, edge: Tensor, *, step: int) -> dict[str, Tensor]:
        """Make one step of the stage that `step` belongs to; return all losses, detached, those of the others as 0.

        Shapes: image (B, 3, H, W) in [0, 1]; mask (B, 1, H, W), 1 = hole; edge (B, 1, H, W), the whole image's.
        """
        if step < self.stages.edge:
            return self._step_edges(gray(image), mask, edge)
        if step >= self.stages.canny:
            edge = self._predicted_edges(gray(image), mask, edge)
        return self._step_pictures(image, mask, edge)

    @torch.no_grad()
    def _predicted_edges(self, luma: Tensor, mask: Tensor, edge: Tensor) -> Tensor:
        """Return predicted edges in the hole and true edges around it; the spectral norms of a trained network rest."""
        was_training = self.edge_generator.training
        with self.autocast():
            predicted = self.edge_generator.eval()(luma, edge, mask)
        self.edge_generator.train(was_training)
        return predicted * mask + edge * (1 - mask)

    def _step_edges(self, luma: Tensor, mask: Tensor, edge: Tensor) -> dict[str, Tensor]:
        """Update the edge network with the adversarial and the feature matching loss."""
        with self.autocast():
            predicted = self.edge_generator(luma, edge, mask)  # (B, 1, H, W)
        verdict = self._judge("edge", torch.cat([luma, edge], dim=1), torch.cat([luma, predicted], dim=1))
        loss_matching = perceptual_loss(verdict.maps_fake, verdict.maps_real)
        total = self.losses.lambda_edge_adv * verdict.loss_adv + self.losses.lambda_feature_matching * loss_matching
        return self._update("edge", verdict, {"loss_edge_adv": verdict.loss_adv, "loss_matching": loss_matching}, total)

    def _step_pictures(self, image: Tensor, mask: Tensor, edge: Tensor) -> dict[str, Tensor]:
        """Update the inpainting network; style is compared inside the hole only."""
        with self.autocast():
            output = self.inpaint_generator(image, mask, edge)  # (B, 3, H, W)
            seen, seen_hole = self.perceive(output), self.perceive(output * mask)
            with torch.no_grad():
                truth, truth_hole = self.perceive(image), self.perceive(image * mask)
        verdict = self._judge("inpaint", image, output)
        losses = {
            "loss_img": (output - image).abs().mean() / mask.mean().clamp(min=1 / mask.numel()),
            "loss_adv": verdict.loss_adv,
            "loss_perceptual": perceptual_loss(seen.perceptual, truth.perceptual),
            "loss_style": style_loss(seen_hole.style, truth_hole.style),
        }
        total = (
            self.losses.lambda_img * losses["loss_img"]
            + self.losses.lambda_adv * losses["loss_adv"]
            + self.losses.lambda_perceptual * losses["loss_perceptual"]
            + self.losses.lambda_style * losses["loss_style"]
        )
        return self._update("inpaint", verdict, losses, total)

    def _judge(self, part: str, real: Tensor, fake: Tensor) -> "_Verdict":
        """Ask a part's discriminator about both, once for its own loss and once for the generator's."""
        discriminator = self.networks[f"{part}_discriminator"]
        with self.autocast():
            probabilities_real, maps_real = discriminator(real)
            probabilities_fake, _ = discriminator(fake.detach())
        loss_real = adversarial_loss(probabilities_real, real=True)
        loss_fake = adversarial_loss(probabilities_fake, real=False)
        loss_adv, maps_fake = fool(discriminator, fake, autocast=self.autocast)
        loss = discriminator_loss(loss_real, loss_fake, reduction="mean")
        return _Verdict(loss, loss_adv, [real.detach() for real in maps_real], maps_fake)

    def _update(self, part: str, verdict: "_Verdict", losses: dict[str, Tensor], total: Tensor) -> dict[str, Tensor]:
        """Update a part's generator, then its discriminator: both losses come from before either, as released."""
        for name, loss in (("generator", total), ("discriminator", verdict.loss_discriminator)):
            self.optimizers[f"{part}_{name}"].zero_grad()
            loss.backward()
            self.optimizers[f"{part}_{name}"].step()
        made = {f"{part}_discriminator": verdict.loss_discriminator, **losses, "total": total}
        resting = dict.fromkeys(LOSSES, torch.zeros((), device=total.device))
        return resting | {name: loss.detach() for name, loss in made.items()}


class _Verdict(NamedTuple):
    """What a discriminator said."""

    loss_discriminator: Tensor
    loss_adv: Tensor
    maps_real: list[Tensor]
    maps_fake: list[Tensor]
