"""The released RN file."""

from torch import nn

from spl.weights.files import State
from spl.weights.fit import Rules, fill_released
from spl.weights.layouts.discriminator import fill_discriminator
from spl.weights.layouts.training_module import GENERATOR_RULES, split_parts
from spl.weights.releases import RELEASES

RN_RULES: Rules = (
    *GENERATOR_RULES,
    (r"^blocks\.(\d)\.conv1\.", r"middle.\1.conv_block.1."),
    (r"^blocks\.(\d)\.norm1\.", r"middle.\1.conv_block.2."),
    (r"^blocks\.(\d)\.conv2\.", r"middle.\1.conv_block.5."),
    (r"^blocks\.(\d)\.norm2\.", r"middle.\1.conv_block.6."),
    (r"^(middle\..*)\.region_conv\.", r"\1.sa.conv1."),
    (r"^(middle\..*)\.(gamma|beta)_conv\.", r"\1.sa.\2_conv."),
)


def fill_released_rn(
    state: State,
    *,
    source: str = "the state dict",
    generator: nn.Module | None = None,
    discriminator: nn.Module | None = None,
) -> None:
    """Fill networks from the content of a released RN file, or from a plain generator state dict.

    Raises: CheckpointError if a network that was asked for is missing or does not fit, or if there are other parts.
    """
    release = RELEASES["rn"]
    parts = split_parts(state, source=source, release=release)
    if generator:
        fill_released(generator, parts["generator"], RN_RULES, source=source, release=release)
    if discriminator:
        fill_discriminator(discriminator, parts["discriminator"], source=source, release=release)
