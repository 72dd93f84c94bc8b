"""Trained networks as fills of images of any size."""

from pathlib import Path

import numpy as np
import torch

from spl.common.errors import DataError
from spl.config.methods import Network, NetworkMethod, NoNetwork
from spl.filling.holes import Fill, at_size
from spl.filling.pretrained import PRETRAINED, Consent, find_pretrained
from spl.models.build import Inpainter, load_method
from spl.steps import paths
from spl.steps.records import read_settings, take
from spl.steps.settings import RunSettings, TableSettings
from spl.tensors.compositing import quantise, to_image, to_mask


def find_run(source: str | Path, fetch: Consent = False) -> Path:
    """Return the folder of a run: of miniature:DATASET/METHOD, of a released network by its name, or `source` itself.

    Raises: DataError if a name's network is not there, and could not be fetched.
    """
    kind, _, run = str(source).partition(":")
    if kind == "miniature":
        return find_miniature(run or "places2/spl")
    return find_pretrained(str(source), fetch) if source in PRETRAINED else Path(source)


def find_miniature(run: str) -> Path:
    """Return the folder of a network of the miniature world, such as paris/rn.

    It is looked for in results/, then in a release in dist/, then in the user's cache.
    Raises: DataError if none has it.
    """
    places, there = (paths.RESULTS, paths.RELEASE, paths.user_cache()), dict[str, Path]()
    for place in places:
        there = _miniature_runs(place) | there
        if run in there:
            return there[run]
    remedy = "Run in a clone of this repository: make table1; or copy a release into the last of these folders."
    raise DataError(
        f"miniature:{run} is in none of {', '.join(map(str, places))}, which have {', '.join(there) or 'no networks'}. "
        f"{'Name one of them.' if there else remedy}"
    )


def _miniature_runs(place: Path) -> dict[str, Path]:
    """Return the folders of networks that were trained on drawn images, by data set and method."""
    if not (place / "table1.json").is_file():
        return {}
    settings = read_settings(place / "table1.json", TableSettings)
    drawn = [name for name, dataset in settings.datasets.items() if dataset.source.kind == "miniature"]
    runs = [f"{dataset}/{method}" for dataset in drawn for method in settings.methods]
    folders = {run: place / f"weights/{run}/seed{settings.seeds[0]}" for run in runs}
    return {run: folder for run, folder in folders.items() if folder.is_dir()}


def load_run(weights: Path, device: torch.device) -> tuple[Inpainter, int]:
    """Load a finished run; return its inpainter and the side of its square training images in pixels.

    Raises: as `read_run`.
    """
    run, network = read_run(weights)
    return load_method(network, weights, image_size=run.image_size, device=device), run.image_size


def read_run(weights: Path) -> tuple[RunSettings, Network | NetworkMethod]:
    """Return the settings of a finished run, and the network among them.

    Raises: DataError if there is no run, RecordError if it is none of this version.
    """
    if not (weights / "run.json").is_file():
        raise DataError(
            f"{weights} is not the folder of a finished run (weights.safetensors, run.json). Train one, or convert "
            "released weights: spl weights convert FILE --method rfr --dataset paris --params presets/paper.yaml "
            "--out FOLDER. Classical fills need no weights: --method telea"
        )
    run = read_settings(weights / "run.json", RunSettings)
    assert not isinstance(run.recipe, NoNetwork)
    take(weights=weights / "weights.safetensors")
    return run, run.recipe


def network_fill(inpainter: Inpainter, size: int, device: torch.device) -> Fill:
    """Return a fill of images of any size by a network for squares of `size` pixels."""

    @torch.no_grad()
    def fill(image: np.ndarray, mask: np.ndarray) -> np.ndarray:
        output = inpainter(to_image(image)[None].to(device), to_mask(mask)[None].to(device))
        filled = quantise(output)[0].permute(1, 2, 0).cpu().numpy()
        return np.where(mask[..., None], filled, image)

    return at_size(fill, size)
