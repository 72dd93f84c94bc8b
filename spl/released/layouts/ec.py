"""The released EdgeConnect files: one per generator, `{iteration, generator}`, keys without prefix."""

from torch import nn

from spl.config.releases import RELEASES
from spl.weights.files import State
from spl.weights.fit import Rules, fill_released, without_module

EC_RULES: Rules = (  # both generators
    *((rf"^body\.conv{i + 1}\.", f"encoder.{3 * i + 1}.") for i in range(3)),
    (r"^body\.blocks\.(\d)\.conv1\.", r"middle.\1.conv_block.1."),
    (r"^body\.blocks\.(\d)\.conv2\.", r"middle.\1.conv_block.5."),
    (r"^body\.up1\.", "decoder.0."),
    (r"^body\.up2\.", "decoder.3."),
    (r"^body\.last_conv\.", "decoder.7."),
)


def fill_released_ec(
    generator: nn.Module, edge_generator: State, inpaint_generator: State, *, source: str = "the state dicts"
) -> None:
    """Fill both generators from the contents of EdgeModel_gen.pth and InpaintingModel_gen.pth.

    Raises: CheckpointError naming the generator that does not fit.
    """
    for name, state in (("edge_generator", edge_generator), ("inpaint_generator", inpaint_generator)):
        state = {without_module(key): tensor for key, tensor in state.items()}
        part = generator.get_submodule(name)
        fill_released(part, state, EC_RULES, source=f"{source} ({name})", release=RELEASES["ec"])
