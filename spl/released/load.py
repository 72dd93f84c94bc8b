"""Filling a generator from the files that the authors of a method released."""

from collections.abc import Callable
from pathlib import Path

from torch import nn

from spl.common.errors import CheckpointError
from spl.common.files import sha256
from spl.config.releases import RELEASES, released_files
from spl.released.layouts.ec import fill_released_ec
from spl.released.layouts.mfe import fill_released_mfe
from spl.released.layouts.rfr import fill_released_rfr
from spl.released.layouts.rn import fill_released_rn
from spl.released.layouts.spl import fill_released_spl
from spl.weights.files import read_state

FILL: dict[str, Callable[..., None]] = {
    "spl": fill_released_spl,
    "rn": fill_released_rn,
    "rfr": fill_released_rfr,
    "mfe": fill_released_mfe,
    "ec": fill_released_ec,
}
"""By recipe: (generator, content of each file in the order of `RELEASES`, source=name for messages)."""


def load_released(recipe: str, path: Path, generator: nn.Module) -> dict[str, str]:
    """Fill a recipe's generator from the authors' file, or from the folder of their files; return each file's sha256.

    Raises: CheckpointError if a file is missing, unreadable, wants to run code or does not fit exactly.
    """
    files = released_files(recipe, path)
    if missing := [file for file in files if not file.is_file()]:
        release = RELEASES[recipe]
        raise CheckpointError(
            f"{', '.join(map(str, missing))} not found: expected the weights of {release.layout}, documented at "
            f"{release.documented}. Place them there, or remove the entry under `weights` in params.yaml to train."
        )
    FILL[recipe](generator, *(read_state(file) for file in files), source=str(path))
    return {file.name: sha256(file) for file in files}
