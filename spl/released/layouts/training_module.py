"""What the released files of SPL and RN have in common: the state of the authors' whole training module."""

from torch import Tensor, nn

from spl.common.errors import CheckpointError
from spl.config.releases import RELEASES, Release
from spl.released.layouts.discriminator import fill_discriminator
from spl.weights.files import State
from spl.weights.fit import Rules, fill_released, listing, without_module

PARTS = ("generator", "discriminator", "tresnet_xL_hold", "adversarial_loss")

GENERATOR_RULES: Rules = (
    (r"^image_encoder\.conv(\d)\.", r"encoder_conv\1."),
    (r"^image_encoder\.norm(\d)\.hole_", r"encoder_in\1.foreground_"),
    (r"^image_encoder\.norm(\d)\.valid_", r"encoder_in\1.background_"),
    (r"^(image_decoder\.)?upsampling\.conv1\.", "decoder.0."),
    (r"^(image_decoder\.)?upsampling\.norm1\.", "decoder.2."),
    (r"^(image_decoder\.)?upsampling\.conv2\.", "decoder.4."),
    (r"^(image_decoder\.)?upsampling\.norm2\.", "decoder.6."),
    (r"^(image_decoder\.)?upsampling\.conv3\.", "decoder.9."),
    (r"^(decoder\.\d)\.region_conv\.", r"\1.sa.conv1."),
    (r"^(decoder\.\d)\.(gamma|beta)_conv\.", r"\1.sa.\2_conv."),
)


def fill_training_module(
    generator: nn.Module | None,
    state: State,
    *,
    recipe: str,
    rules: Rules,
    source: str = "the state dict",
    discriminator: nn.Module | None = None,
) -> None:
    """Fill networks from the content of such a file, or a generator from its plain state dict.

    Raises: CheckpointError if a network that was asked for is missing or does not fit, or if there are other parts.
    """
    release = RELEASES[recipe]
    parts = split_parts(state, source=source, release=release)
    if generator:
        fill_released(generator, parts["generator"], rules, source=source, release=release)
    if discriminator:
        fill_discriminator(discriminator, parts["discriminator"], source=source, release=release)


def split_parts(state: State, *, source: str, release: Release) -> dict[str, State]:
    """Split a released file by network; a network that is not in it has an empty state.

    The parts are generator, discriminator, two constants of the adversarial loss, and in SPL's file perhaps the
    teacher's trunk. A plain generator state dict will do as well.
    Raises: CheckpointError if the file has other parts.
    """
    state = {without_module(key): tensor for key, tensor in state.items()}
    if not any(key.startswith("generator.") for key in state):
        return {name: state if name == "generator" else {} for name in PARTS}
    parts: dict[str, dict[str, Tensor]] = {name: {} for name in PARTS}
    strange = []
    for key, tensor in state.items():
        name, _, rest = key.partition(".")
        if name in parts:
            parts[name][rest] = tensor
        else:
            strange.append(key)
    if strange:
        raise CheckpointError(
            f"{source} does not fit: expected {release.layout} layout with the parts {', '.join(PARTS)}.\n"
            + listing("unexpected", strange)
        )
    return dict(parts)
