"""One training step of RN, in the order of its released loop."""

from contextlib import nullcontext

from torch import Tensor, nn
from torch.optim import Optimizer

from spl.config.methods import RNLossWeights
from spl.training.losses import hole_normalised_l1
from spl.training.methods.adversarial import fool, step_discriminator
from spl.training.precision import Autocast


class RNMethod:
    """Train generator and discriminator in turn; the arguments are those of `SPLMethod`.

    The image loss takes the composite, the discriminator the raw output.
    """

    def __init__(
        self,
        *,
        generator: nn.Module,
        discriminator: nn.Module,
        optimizers: dict[str, Optimizer],
        losses: RNLossWeights,
        autocast: Autocast = nullcontext,
    ) -> None:
        self.networks = {"generator": generator, "discriminator": discriminator}
        self.optimizers = optimizers
        self.losses = losses
        self.autocast = autocast

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
        loss_adv, _ = fool(discriminator, output, autocast=self.autocast)
        total = self.losses.lambda_img * loss_img + self.losses.lambda_adv * loss_adv
        self.optimizers["generator"].zero_grad()
        total.backward()
        self.optimizers["generator"].step()
        generator_losses = {"loss_img": loss_img, "loss_adv": loss_adv, "total": total}
        return discriminator_losses | {name: loss.detach() for name, loss in generator_losses.items()}
