"""The released RN file."""

from functools import partial

from spl.released.layouts.training_module import GENERATOR_RULES, fill_training_module
from spl.weights.fit import Rules

RN_RULES: Rules = (
    *GENERATOR_RULES,
    (r"^blocks\.(\d)\.conv1\.", r"middle.\1.conv_block.1."),
    (r"^blocks\.(\d)\.norm1\.", r"middle.\1.conv_block.2."),
    (r"^blocks\.(\d)\.conv2\.", r"middle.\1.conv_block.5."),
    (r"^blocks\.(\d)\.norm2\.", r"middle.\1.conv_block.6."),
    (r"^(middle\..*)\.region_conv\.", r"\1.sa.conv1."),
    (r"^(middle\..*)\.(gamma|beta)_conv\.", r"\1.sa.\2_conv."),
)


fill_released_rn = partial(fill_training_module, recipe="rn", rules=RN_RULES)
