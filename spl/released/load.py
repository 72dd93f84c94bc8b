"""Filling networks from the files that their authors have released."""

from pathlib import Path

from torch import nn

from spl.common.errors import CheckpointError
from spl.config.releases import RELEASES, released_files
from spl.released.published import PARTS, PUBLISHED
from spl.sources.verify import is_note
from spl.weights.files import State, read_state
from spl.weights.fit import fill, released_names
from spl.weights.layouts import Layout, recognise


def load_released(recipe: str, path: Path, generator: nn.Module) -> list[Path]:
    """Fill a recipe's generator from the authors' file, or from the folder of their files; return the files.

    Raises: CheckpointError if a file is missing, unreadable, wants to run code or does not fit exactly.
    """
    files = _find_released(recipe, path)
    states = [read_state(file) for file in files]
    for (part, layout), state in zip(PARTS[recipe].items(), states, strict=True):
        source = f"{path} ({part})" if part else str(files[0])
        fill_released(generator.get_submodule(part), layout, state, source=source)
    return files


def _find_released(recipe: str, path: Path) -> list[Path]:
    """Return the files of a released checkpoint; of a folder without known names, the one file of the right layout."""
    files, release, others = released_files(recipe, path), RELEASES[recipe], ""
    if files == [path] and path.is_dir():
        (layout,) = PARTS[recipe].values()
        looks = {file: _look(file) for file in sorted(path.iterdir()) if file.is_file() and not is_note(file.name)}
        files = [file for file, look in looks.items() if look == layout.title] or [path]
        others = "".join(f" {file.name} there: {look}." for file, look in looks.items())
        if len(files) > 1:
            raise CheckpointError(f"{' and '.join(map(str, files))} are both {layout.title}. Remove one of them.")
    if missing := [file for file in files if not file.is_file()]:
        raise CheckpointError(
            f"{', '.join(map(str, missing))} not found: expected the weights of {release.layout}, documented at "
            f"{release.documented}. Place them there, or remove the entry under `weights` in params.yaml to train."
            f"{others}"
        )
    return files


def _look(file: Path) -> str:
    """Tell what a file looks like, or why it cannot be read."""
    try:
        return recognise(read_state(file)).title
    except CheckpointError as error:
        return str(error).rstrip(".")


def fill_released(network: nn.Module, layout: Layout, state: State, *, source: str) -> None:
    """Fill a network from the content of a file of a released layout.

    Raises: CheckpointError if they do not fit; it says where the right file is documented.
    """
    published = PUBLISHED[layout]
    release, names = published.release, released_names(network, published.rules)
    hint = (
        f". Released weights fit networks of the published sizes, such as those of presets/released.yaml (SPL's: "
        f"spl_released); `spl weights inspect` tells which. They are documented at {release.documented}."
    )
    fill(network, published.network_state(state), source=source, layout=release.layout, names=names, hint=hint)
