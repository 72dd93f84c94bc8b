"""The released EdgeConnect files: one per generator, `{iteration, generator}`, keys without prefix."""

from spl.weights.fit import Rules

EC_RULES: Rules = (  # both generators
    *((rf"^body\.conv{i + 1}\.", f"encoder.{3 * i + 1}.") for i in range(3)),
    (r"^body\.blocks\.(\d)\.conv1\.", r"middle.\1.conv_block.1."),
    (r"^body\.blocks\.(\d)\.conv2\.", r"middle.\1.conv_block.5."),
    (r"^body\.up1\.", "decoder.0."),
    (r"^body\.up2\.", "decoder.3."),
    (r"^body\.last_conv\.", "decoder.7."),
)
