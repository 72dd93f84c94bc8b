"""One training step of the pretext network: multi-label classification with the asymmetric loss."""

from torch import Tensor, nn
from torch.optim import Optimizer

from spl.config.teachers import AsymmetricLossSettings
from spl.teachers.asl import asymmetric_loss
from spl.training.methods.base import update


class TeacherMethod:
    """Train a classifier; the networks have to be in training mode when `step` is called."""

    def __init__(self, classifier: nn.Module, optimizer: Optimizer, loss: AsymmetricLossSettings) -> None:
        self.networks = {"classifier": classifier}
        self.optimizers = {"classifier": optimizer}
        self._loss = loss

    def step(self, image: Tensor, targets: Tensor, *, step: int) -> dict[str, Tensor]:
        """Update the classifier. Shapes: image (B, 3, H, W) in [0, 1]; targets (B, L) in {0, 1}."""
        loss = asymmetric_loss(
            self.networks["classifier"](image),
            targets,
            gamma_positive=self._loss.gamma_positive,
            gamma_negative=self._loss.gamma_negative,
            margin=self._loss.clip,
        )
        update(self.optimizers["classifier"], loss)
        return {"loss": loss}
