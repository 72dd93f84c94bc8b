"""The released SPL file: the authors' whole training module."""

from spl.released.layouts.rn import GENERATOR_RULES
from spl.weights.fit import Rules

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
