"""The released RN file: the authors' whole training module. SPL's generator has its encoder and decoder."""

from spl.weights.fit import Rules

GENERATOR_RULES: Rules = (
    (r"^image_encoder\.conv(\d)\.", r"encoder_conv\1."),
    (r"^image_encoder\.norm(\d)\.hole_", r"encoder_in\1.foreground_"),
    (r"^image_encoder\.norm(\d)\.valid_", r"encoder_in\1.background_"),
    (r"^(image_decoder\.)?upsampling\.conv1\.", "decoder.0."),
    (r"^(image_decoder\.)?upsampling\.norm1\.", "decoder.2."),
    (r"^(image_decoder\.)?upsampling\.conv2\.", "decoder.4."),
    (r"^(image_decoder\.)?upsampling\.norm2\.", "decoder.6."),
    (r"^(image_decoder\.)?upsampling\.conv3\.", "decoder.9."),
    (r"\.region_conv\.", ".sa.conv1."),
    (r"^((?:decoder|middle)\..*)\.(gamma|beta)_conv\.", r"\1.sa.\2_conv."),
)
"""Of the encoder and decoder, which SPL's generator has as well, and of the learned region norms."""

RN_RULES: Rules = (
    (r"^blocks\.(\d)\.conv1\.", r"middle.\1.conv_block.1."),
    (r"^blocks\.(\d)\.norm1\.", r"middle.\1.conv_block.2."),
    (r"^blocks\.(\d)\.conv2\.", r"middle.\1.conv_block.5."),
    (r"^blocks\.(\d)\.norm2\.", r"middle.\1.conv_block.6."),
    *GENERATOR_RULES,
)
