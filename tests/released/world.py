"""Every file that `presets/released.yaml` needs, fabricated and put where a person would put it."""

from pathlib import Path

import torch
import yaml

from spl.models.build import build_generator
from spl.released.convert import TEACHER_CHANNELS
from spl.released.published import PARTS, PUBLISHED
from spl.steps.settings import first_runs
from tests.released.fabricate import FILES, contents, without_values
from tests.workflow import real_archives

ARCHIVES = {
    "places2": ("data/raw/places365_easy", real_archives.write_places365_easy),
    "celeba": ("data/raw/celeba", real_archives.write_celeba),
    "paris": ("data/raw/paris_streetview", real_archives.write_paris),
}


def place_images(folder: Path, datasets, *, test: int) -> Path:
    """Put the archives of some datasets and of the masks into place; return a registry that expects them."""
    masks = folder / "data/raw/nvidia_test_masks"
    for name in datasets:
        where, write = ARCHIVES[name]
        (folder / where).mkdir(parents=True)
        write(folder / where, train=2, test=test)
    masks.mkdir(parents=True)
    real_archives.write_masks(masks, 24)
    sources = folder / "sources.yaml"
    sources.write_text(yaml.safe_dump(real_archives.registry(masks, train=2, test=test, masks=24)))
    return sources


def place_weights(folder: Path, params, cells) -> dict[tuple[str, str], list[Path]]:
    """Put released weights into place, at full width, of all methods of `cells` (by dataset) or those that it names.

    Returns: the files by dataset and method.
    """
    placed = {}
    for number, run in enumerate(first_runs(params), 1):
        if run.released and run.dataset in cells and run.method in (cells[run.dataset] or params.methods):
            recipe = run.recipe.recipe
            files = [folder / file for file in run.released_files()]
            if not files[0].suffix:  # a folder, in which the file may have any name
                files = [files[0] / f"Ours_{run.dataset}.pt"]
            content = contents(recipe, published_states(run, 1e-5 * number))
            for file, state in zip(files, content.values(), strict=True):
                file.parent.mkdir(parents=True, exist_ok=True)
                torch.save(state, file, _use_new_zipfile_serialization=False)
            placed[run.dataset, run.method] = files
    return placed


def published_states(run, value: float) -> dict[str, dict[str, torch.Tensor]]:
    """A run's generator as the authors' files hold it, at no cost: every tensor is one value."""
    recipe = run.recipe.recipe
    with torch.device("meta"):
        built = build_generator(run.recipe, image_size=run.image_size, teacher_channels=TEACHER_CHANNELS)
    return {
        network: without_values(built.get_submodule(part), PUBLISHED[layout].rules, value)
        for network, (part, layout) in zip(FILES[recipe], PARTS[recipe].items(), strict=True)
    }
