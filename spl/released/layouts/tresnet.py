"""TResNet as its authors release it, such as the Open Images checkpoint."""

import re
from pathlib import Path

from torch import nn

from spl.config.releases import Release
from spl.weights.files import State, read_state
from spl.weights.fit import Rules, fill_released

TRESNET_RULES: Rules = (
    (r"^trunk\.", "body."),
    (r"^(body\.layer2\.0\.conv1)\.(conv|bn)\.", r"\1.0.\2."),  # followed by a blur, hence one level deeper
    (r"\.conv\.", ".0."),
    (r"\.bn\.", ".1."),
)
TOP = r"(body\.layer[34]|head)\."
"""Keys of what the teacher leaves away."""

TRESNET = Release("TResNet-L", "https://github.com/Alibaba-MIIL/ASL (model zoo, Open Images)")


def load_released_tresnet(path: str | Path, teacher: nn.Module) -> None:
    """Fill a teacher's trunk from a TResNet checkpoint of its authors.

    Raises: CheckpointError if the trunk is not wholly there.
    """
    fill_tresnet(teacher, read_state(path), source=str(path))


def fill_tresnet(teacher: nn.Module, state: State, *, source: str) -> None:
    """Take the trunk and leave layer3, layer4 and the head.

    The authors' in-place activated batch norm scales by |w| + 1e-5, where half of the w may be negative. An ordinary
    batch norm gets that value.
    """
    trunk = {key: tensor for key, tensor in state.items() if not re.match(TOP, key)}
    norms = {key.removesuffix("running_mean") + "weight" for key in trunk if key.endswith(".running_mean")}
    trunk = {key: tensor.abs() + 1e-5 if key in norms else tensor for key, tensor in trunk.items()}
    fill_released(teacher, trunk, TRESNET_RULES, source=source, release=TRESNET)
