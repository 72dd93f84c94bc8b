"""Networks that their authors have released, for anybody's images: fetched and converted once, in the user's cache."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from spl.common.errors import DataError, SPLError
from spl.common.locks import locked
from spl.config.methods import LaMaModel, MIGANModel, Network, ReleasedWeights
from spl.config.registry import Source, load_registry, without_secrets
from spl.steps.paths import user_cache
from spl.steps.records import read_settings, take
from spl.steps.settings import RunSettings

Consent = bool | Callable[[], bool]
"""Whether a file may be fetched, or a function that asks somebody."""


class Pretrained(NamedTuple):
    """A released network."""

    source: str
    """In the registry."""
    file: str
    """Of that source."""
    network: Network
    size: int
    """Side of the squares that it fills, in pixels."""


PRETRAINED = {
    "big-lama": Pretrained("big_lama", "big-lama.zip", Network(recipe="lama", model=LaMaModel(blocks=18)), 512),
    "migan": Pretrained("migan", "migan_512_places2.pt", Network(recipe="migan", model=MIGANModel()), 512),
}
"""By name. LaMa, which takes any size, was trained on crops of 256 pixels, and its paper fills Places at 512."""


def find_pretrained(name: str, fetch: Consent = False) -> Path:
    """Return the folder of a released network's run in the user's cache.

    If it is not there, the released file in the cache is converted, and that is fetched if `fetch` allows it.
    Raises: DataError saying what to place where, if it may not or cannot be fetched, or is not the registered file.
    """
    known, home = PRETRAINED[name], user_cache() / name
    released = ReleasedWeights(source="released", path=str(home / known.file))
    named = {"dataset": "places2", "method": known.source, "seed": 0}
    run = RunSettings(**named, image_size=known.size, recipe=known.network, released=released)
    if not _is_ready(folder := home / "run", run):
        home.mkdir(parents=True, exist_ok=True)
        with locked(home / ".lock", waiting=f"{home}: another process prepares this network; waiting"):
            if not _is_ready(folder, run):
                from spl.released.convert import convert_released

                _bring_file(known, home, fetch)
                print(f"{name}: converting {known.file}, once", file=sys.stderr)
                convert_released(run, folder)
    return folder


def _is_ready(folder: Path, run: RunSettings) -> bool:
    """Tell whether a folder holds a whole run of the same network, of this version."""
    try:
        take(weights=folder / "weights.safetensors")
        found = read_settings(folder / "run.json", RunSettings)
    except SPLError:
        return False
    return (found.recipe, found.image_size) == (run.recipe, run.image_size)


def _bring_file(known: Pretrained, home: Path, fetch: Consent) -> None:
    """Make the registered file exist in `home`: the one that is there is verified."""
    from spl.sources.fetch import fetch_source

    source = _in_folder(load_registry()[known.source], known.file, home)
    (file,) = source.files
    if file.mirrors and not (home / file.name).exists():
        address = without_secrets(file.mirrors[0])
        print(f"{source.title}\n  {source.size}, {address}\n  Licence: {source.licence}", file=sys.stderr)
        if not (fetch() if callable(fetch) else fetch):
            raise DataError(
                f"{home / file.name} is missing, and was not fetched. To fetch it: --fetch, or fetch=True in Python. "
                f"By hand: {source.by_hand}"
            )
    fetch_source(source)


def _in_folder(source: Source, name: str, folder: Path) -> Source:
    """Return a source with one of its files, which lies, or is to be placed, in another folder."""
    files = tuple(file for file in source.files if file.name == name)
    by_hand = source.by_hand.replace(source.folder, str(folder))
    return source.model_copy(update={"files": files, "folder": str(folder), "by_hand": by_hand})
