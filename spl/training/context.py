"""Surroundings of a run, and the parts that the recipes' builders share."""

from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from spl.config.methods import TrainedMethod
from spl.models.build import build_generator
from spl.models.initialise import own_generator
from spl.teachers.frozen import FrozenTeacher
from spl.teachers.perception import FeatureExtractor
from spl.training.adam import Adam
from spl.training.distributed import World
from spl.training.parts import InParts
from spl.training.precision import Autocast, autocast


@dataclass(frozen=True)
class TrainingContext:
    """Surroundings of one run."""

    world: World
    image_size: int
    steps_per_epoch: int
    seed: int
    teacher: FrozenTeacher | None
    """The frozen pretext network of the semantic prior, if the recipe has one."""
    extract_features: FeatureExtractor | None
    """The features of perceptual and style losses, if the recipe has them."""
    parts: int = 1
    """Of a batch, one after the other."""

    @property
    def teacher_channels(self) -> int:
        """d, the teacher's channels; 1 without a teacher, where the prior is not supervised."""
        return self.teacher.channels if self.teacher else 1

    def steps(self, epochs: int | None) -> int | None:
        """Return how many steps some epochs have; None stays None."""
        return None if epochs is None else epochs * self.steps_per_epoch

    def generator(self, recipe: TrainedMethod) -> nn.Module:
        """Build the recipe's generator with fresh weights, placed."""
        with own_generator("generator"):
            network = build_generator(recipe, image_size=self.image_size, teacher_channels=self.teacher_channels)
        return self.place(network)

    def place(self, network: nn.Module) -> nn.Module:
        """Move a network to the device, ready to train; in channels-last it is up to a fifth faster, on CPUs too."""
        return network.to(self.world.device).to(memory_format=torch.channels_last).train()

    def in_parts(self, network: Any) -> Any:
        """Wrap a network, or features of one, so that the batch goes through in parts."""
        return InParts(network, self.parts) if self.parts > 1 else network

    def distribute(self, network: nn.Module) -> nn.Module:
        """Wrap a placed network as it is trained: its batch shared by all processes, and by them in parts."""
        return self.world.distribute(self.in_parts(network))

    def autocast(self, recipe: TrainedMethod) -> Autocast:
        """Return the context of the recipe's forward passes."""
        return autocast(recipe.training.precision, self.world.device)


def adam(recipe: TrainedMethod, network: nn.Module, lr: float) -> torch.optim.Optimizer:
    """Return the optimizer of a network's trainable parameters."""
    trained = [parameter for parameter in network.parameters() if parameter.requires_grad]
    return Adam(trained, lr=lr, betas=recipe.training.betas, fused=True)
