"""Filling networks from the files that their authors have released."""

from pathlib import Path

from torch import nn

from spl.common.errors import CheckpointError
from spl.common.files import sha256
from spl.config.releases import RELEASES, released_files
from spl.released.published import PARTS, PUBLISHED
from spl.weights.files import State, read_state
from spl.weights.fit import fill, released_names
from spl.weights.layouts import Layout


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
    states = [read_state(file) for file in files]
    for (part, layout), state in zip(PARTS[recipe].items(), states, strict=True):
        source = f"{path} ({part})" if part else str(path)
        fill_released(generator.get_submodule(part), layout, state, source=source)
    return {file.name: sha256(file) for file in files}


def fill_released(network: nn.Module, layout: Layout, state: State, *, source: str) -> None:
    """Fill a network from the content of a file of a released layout.

    Raises: CheckpointError if they do not fit; it says where the right file is documented.
    """
    published = PUBLISHED[layout]
    release, names = published.release, released_names(network, published.rules)
    hint = (
        f"\nReleased weights fit networks of the published sizes, such as those of presets/paper.yaml (SPL's: "
        f"spl_released); `spl weights inspect` tells which. They are documented at {release.documented}."
    )
    fill(network, published.network_state(state), source=source, layout=release.layout, names=names, hint=hint)
