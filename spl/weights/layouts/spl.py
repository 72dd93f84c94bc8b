"""The released SPL file."""

from torch import nn

from spl.weights.files import State
from spl.weights.fit import Rules, fill_released
from spl.weights.layouts.discriminator import fill_discriminator
from spl.weights.layouts.training_module import GENERATOR_RULES, split_parts
from spl.weights.layouts.tresnet import fill_tresnet
from spl.weights.releases import RELEASES

SPL_RULES: Rules = (
    *GENERATOR_RULES,
    (r"^semantic_learner\.conv(\d)\.", r"encoder_conv\1_sm."),
    (r"^semantic_learner\.body\.conv\.", "encoder_sm_out."),
    (r"^semantic_learner\.body\.dense_blocks\.(\d+)\.convs\.(\d)\.", r"rdbs.\1.layers.\2.conv."),
    (r"^semantic_learner\.body\.dense_blocks\.(\d+)\.fusion\.", r"rdbs.\1.lff."),
    (r"^semantic_learner\.body\.fusion\.", "gff."),
    (r"^semantic_learner\.body\.residual_blocks\.(\d)\.conv1\.", r"feature_recon.\1.conv_block.1."),
    (r"^semantic_learner\.body\.residual_blocks\.(\d)\.conv2\.", r"feature_recon.\1.conv_block.4."),
    (r"^semantic_learner\.adapter\.", "feature_mapping."),
    (r"^image_decoder\.fusion\.blocks\.(\d)\.norm1\.", r"middle.\1.conv_block.0."),
    (r"^image_decoder\.fusion\.blocks\.(\d)\.conv1\.", r"middle.\1.conv_block.3."),
    (r"^image_decoder\.fusion\.blocks\.(\d)\.norm2\.", r"middle.\1.conv_block.4."),
    (r"^image_decoder\.fusion\.blocks\.(\d)\.conv2\.", r"middle.\1.conv_block.7."),
    (r"^(middle\..*)\.shared_conv\.", r"\1.mlp_shared.0."),
    (r"^(middle\..*)\.(gamma|beta)_conv\.", r"\1.mlp_\2."),
)


def fill_released_spl(
    state: State,
    *,
    source: str = "the state dict",
    generator: nn.Module | None = None,
    discriminator: nn.Module | None = None,
    teacher: nn.Module | None = None,
) -> None:
    """Fill networks from the content of a released SPL file, or from a plain generator state dict.

    Raises: CheckpointError if a network that was asked for is missing or does not fit, or if there are other parts.
    """
    release = RELEASES["spl"]
    parts = split_parts(state, source=source, release=release)
    if generator:
        fill_released(generator, parts["generator"], SPL_RULES, source=source, release=release)
    if discriminator:
        fill_discriminator(discriminator, parts["discriminator"], source=source, release=release)
    if teacher:
        fill_tresnet(teacher, parts["tresnet_xL_hold"], source=source)
