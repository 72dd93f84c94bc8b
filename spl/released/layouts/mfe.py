"""The released MFE files, one for each of the three parts of the generator; published size only."""

from spl.weights.fit import Rules

ENCODER_RULES: Rules = (
    (r"^blocks\.(\d)\.conv1\.", r"middle.\1.conv_block.1."),
    (r"^blocks\.(\d)\.conv2\.", r"middle.\1.conv_block.5."),
    (r"^convs\.0\.", "Encoder_1.model.0."),
    *((rf"^convs\.{i}\.", f"Encoder_{i + 1}.model.1.") for i in range(1, 6)),
    *((rf"^norms\.{i}\.", f"Encoder_{i + 2}.model.2.") for i in range(4)),
)
EQUALISATION_RULES: Rules = (
    *((rf"^stacks\.{i}\.units\.", f"pc_block.cov_{2 * i + 3}.") for i in range(3)),
    (r"^(pc_block\.cov_.*)\.conv\.", r"\1.conv.input_conv."),
    (r"^(pc_block\.cov_.*)\.mask_conv\.", r"\1.conv.mask_conv."),
    (r"^(pc_block\.cov_.*)\.norm\.", r"\1.bn."),
    *((rf"^texture_to_grid\.{i}\.", f"pc_block.down_{2 ** (7 - i)}.model.") for i in range(3)),
    *((rf"^structure_from_grid\.{i}\.", f"pc_block.down_{2 ** (4 - i)}.model.") for i in range(3)),
    *((rf"^(pc_block\.down_\d+\.model)\.{i}\.conv\.", rf"\1.{3 * i}.") for i in reversed(range(3))),
    *((rf"^texture_from_grid\.{i}\.", f"pc_block.up_{2 ** (7 - i)}.") for i in range(3)),
    (r"^structure_to_grid\.", "pc_block.up."),
    (r"^gather\.conv\.", "pc_block.down.model.0."),
    (r"^fuse\.conv\.", "pc_block.fuse.model.0."),
    (r"^equalise\.squeeze\.", "pc_block.base.model.0.fc.0."),
    (r"^equalise\.excite\.", "pc_block.base.model.0.fc.2."),
    (r"^equalise\.merge\.conv\.", "pc_block.base.down.0."),
    (r"^head\.", "loss.0.down_model.0."),
)
DECODER_RULES: Rules = (
    *((rf"^convs\.{i}\.", f"Decoder_{i + 1}.model.1.") for i in range(6)),
    *((rf"^norms\.{i}\.", f"Decoder_{i + 1}.model.2.") for i in range(5)),
)
DISCRIMINATOR_RULES: Rules = tuple((rf"^convs\.{i}\.", f"model.{2 * i}.") for i in range(5))
