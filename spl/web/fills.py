"""What the page offers to fill with: classical fills, released networks, finished runs."""

from collections.abc import Sequence
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from threading import Lock
from typing import NamedTuple

from spl.common.errors import DataError
from spl.common.labels import method_title
from spl.filling.inpainter import Inpainter, load_inpainter
from spl.filling.pretrained import PRETRAINED
from spl.steps import paths

CLASSICAL = {
    "telea": "scratches and small holes",
    "navier_stokes": "scratches, smooth areas",
    "biharmonic": "smooth areas; slow in large holes",
    "patchmatch": "texture",
}
"""What each is for."""

KEPT_IN_MEMORY = 2
"""Fills, of which a network may take a gigabyte."""


class Choice(NamedTuple):
    """A fill that the page offers, or says how to get."""

    source: str
    """What `load_inpainter` takes; the page names it and nothing else."""
    title: str
    group: str
    use: str
    """What it is for."""
    missing: str = ""
    """How to get what it lacks here."""


def list_choices(weights: Sequence[str] = ()) -> dict[str, Choice]:
    """Return the fills by their sources: classical ones, what a person names, released networks, runs of results/.

    Raises: DataError if a named folder or file does not exist.
    """
    choices = [Choice(name, method_title(name), "Classical", use) for name, use in CLASSICAL.items()]
    if not find_spec("patchmatch"):
        choices[-1] = choices[-1]._replace(missing="pip install 'pypatchmatch>=2.2'")
    no_torch = "" if find_spec("torch") else "install the wheel with its extra torch"
    for name in weights:
        if name not in PRETRAINED and not name.startswith("miniature") and not Path(name).exists():
            raise DataError(f"--weights {name}: expected the folder of a finished run, or a model's name")
        choices.append(Choice(name, name, "Given by --weights", "images like those of its training"))
    for name, known in PRETRAINED.items():
        home = paths.user_cache() / name
        there = (home / "run/weights.safetensors").is_file() or (home / known.file).is_file()
        missing = no_torch or ("" if there else f"spl inpaint --model {name} --fetch, once, with any image")
        choices.append(Choice(name, name, "Released networks", "structure in photographs", missing))
    for file in sorted(paths.RESULTS.glob("weights/*/*/seed*/weights.safetensors")):
        dataset, method, seed = file.parts[-4:-1]
        title = f"{method_title(method)}, {dataset}, {seed}"
        choices.append(Choice(str(file.parent), title, "Trained here", "images like those of its training", no_torch))
    return {choice.source: choice for choice in choices}


_loading = Lock()


def load_fill(source: str) -> Inpainter:
    """Return what `load_inpainter` loads, the same again for the last few sources; nothing is downloaded."""
    with _loading:
        return _load(source)


_load = lru_cache(maxsize=KEPT_IN_MEMORY)(load_inpainter)
