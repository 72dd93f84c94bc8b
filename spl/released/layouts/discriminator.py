"""The patch discriminator that SPL, RN and EdgeConnect release."""

import torch
from torch import nn

from spl.common.errors import CheckpointError
from spl.config.releases import Release
from spl.weights.files import State
from spl.weights.fit import Rules, fill_released

DISCRIMINATOR_RULES: Rules = tuple((rf"^convs\.{i}\.", f"conv{i + 1}.0.") for i in range(5))


def fill_discriminator(discriminator: nn.Module, state: State, *, source: str, release: Release) -> None:
    """Fill a discriminator. The authors registered the first layer twice; the copy, where there is one, must agree.

    Raises: CheckpointError if it does not, or if the state does not fit.
    """
    copies = {key: tensor for key, tensor in state.items() if key.startswith("features.0.")}
    for key, tensor in copies.items():
        original = state.get(key.replace("features.0.", "conv1.0."))
        if original is None or not torch.equal(original, tensor):
            raise CheckpointError(
                f"{source} contradicts itself: {key} is not equal to the discriminator's first layer."
            )
    rest = {key: tensor for key, tensor in state.items() if key not in copies}
    fill_released(discriminator, rest, DISCRIMINATOR_RULES, source=source, release=release)
