"""TResNet as its authors release it, such as the Open Images checkpoint."""

from torch import Tensor

from spl.weights.files import State
from spl.weights.fit import Rules

TRESNET_RULES: Rules = (
    (r"^trunk\.", "body."),
    (r"^(body\.layer2\.0\.conv1)\.(conv|bn)\.", r"\1.0.\2."),  # followed by a blur, hence one level deeper
    (r"\.conv\.", ".0."),
    (r"\.bn\.", ".1."),
)


def with_plain_norms(state: State) -> dict[str, Tensor]:
    """Turn the weights of the authors' in-place activated batch norms into those of ordinary ones.

    Theirs scales by |w| + 1e-5, where half of the w may be negative.
    """
    norms = {key.removesuffix("running_mean") + "weight" for key in state if key.endswith(".running_mean")}
    return {key: tensor.abs() + 1e-5 if key in norms else tensor for key, tensor in state.items()}
