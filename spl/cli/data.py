"""Commands that fetch and prepare data."""

from pathlib import Path
from typing import Annotated

import typer

from spl.cli.options import (
    DATA,
    MASKS,
    PARAMS,
    TIMEOUT,
    Data,
    DatasetName,
    Folder,
    Images,
    Masks,
    Pairs,
    ParamsFile,
    Record,
    Source,
    SourcesFile,
    Timeout,
    Workers,
)
from spl.config.experiment import Registered
from spl.config.load import load_params
from spl.config.registry import SOURCES, load_registry
from spl.config.registry import Source as RegisteredSource
from spl.steps import slices

fetch = typer.Typer(
    help="Draw the miniature world, download what the registry knows, or find what a person has supplied.",
    no_args_is_help=True,
)
prepare = typer.Typer(help="Turn raw files into prepared images, grouped masks and fixed pairs.", no_args_is_help=True)


data = typer.Typer(help="See what is there and whether it is right.", no_args_is_help=True)


@data.command()
def status(params: ParamsFile = PARAMS, registry: SourcesFile = SOURCES) -> None:
    """Show which raw files and weights are there, how the others are had, and what each missing one blocks.

    Example: spl data status --params presets/paper.yaml
    """
    from spl.inventory.status import render
    from spl.inventory.status import status as look

    print(render(look(load_params(params), load_registry(registry))))


@data.command()
def verify(
    params: ParamsFile = PARAMS, registry: SourcesFile = SOURCES, folder: Data = DATA, workers: Workers = 4
) -> None:
    """Hash archives, weights, prepared images, masks and pairs again; the exit status is 1 if one has changed.

    Example: spl data verify --workers 8
    """
    from spl.inventory.verification import verify_data

    faults = 0
    for fault in verify_data(load_params(params), load_registry(registry), folder, workers=workers):
        print(fault)
        faults += 1
    print(f"{faults} faults" if faults else "Everything that is there is as it was recorded.")
    if faults:
        raise typer.Exit(1)


@fetch.command("images")
def fetch_images(
    dataset: DatasetName,
    record: Record,
    params: ParamsFile = PARAMS,
    registry: SourcesFile = SOURCES,
    timeout: Timeout = TIMEOUT,
    workers: Workers = 1,
) -> None:
    """Fetch one dataset's raw pictures, and list them."""
    from spl.sources.download import Patience
    from spl.sources.fetch import fetch_images

    settings = slices.image_source_settings(load_params(params), dataset)
    known = _known_sources(settings.source, registry)
    fetch_images(settings, record, registry=known, patience=Patience(timeout), workers=workers)


@fetch.command("masks")
def fetch_masks(
    record: Record,
    params: ParamsFile = PARAMS,
    registry: SourcesFile = SOURCES,
    timeout: Timeout = TIMEOUT,
    workers: Workers = 1,
) -> None:
    """Fetch the raw irregular masks, and list them."""
    from spl.sources.download import Patience
    from spl.sources.fetch import fetch_masks

    settings = slices.mask_settings(load_params(params))
    known = _known_sources(settings.masks.source, registry)
    fetch_masks(settings, record, registry=known, patience=Patience(timeout), workers=workers)


def _known_sources(source: object, registry: Path) -> dict[str, RegisteredSource]:
    """Read the registry if something is to be had from it: what is drawn or supplied needs none."""
    return load_registry(registry) if isinstance(source, Registered) else {}


@fetch.command("weights")
def fetch_weights(
    source: Annotated[str, typer.Argument(help="A source of weights in the registry.")],
    record: Record,
    params: ParamsFile = PARAMS,
    registry: SourcesFile = SOURCES,
    timeout: Timeout = TIMEOUT,
) -> None:
    """Fetch the weight files of a registered source that the experiment reads.

    Example: spl fetch weights vgg --record data/sources/weights/vgg.json --params presets/paper.yaml
    """
    from spl.sources.download import Patience
    from spl.sources.fetch import fetch_weights

    known = load_registry(registry)
    settings = slices.weight_file_settings(load_params(params), known, source)
    fetch_weights(settings, record, registry=known, patience=Patience(timeout))


@fetch.command("pretext")
def fetch_pretext(record: Record, params: ParamsFile = PARAMS, workers: Workers = 1) -> None:
    """Draw the labelled pictures that teachers are trained on."""
    from spl.sources.fetch import fetch_pretext

    fetch_pretext(slices.pretext_settings(load_params(params)), record, workers=workers)


@prepare.command("images")
def prepare_images(
    dataset: DatasetName, source: Source, folder: Folder, params: ParamsFile = PARAMS, workers: Workers = 1
) -> None:
    """Crop, resize and store one dataset's pictures, with a manifest."""
    from spl.data.prepare_images import prepare_images

    prepare_images(slices.data_settings(load_params(params), dataset), source, folder, workers=workers)


@prepare.command("masks")
def prepare_masks(source: Source, folder: Folder, params: ParamsFile = PARAMS, workers: Workers = 1) -> None:
    """Binarise the masks and group them into six hole-ratio bins."""
    from spl.data.group_masks import group_masks

    group_masks(slices.mask_settings(load_params(params)), source, folder, workers=workers)


@prepare.command("pairs")
def prepare_pairs(
    dataset: DatasetName,
    images: Images,
    pairs: Pairs,
    record: Record,
    masks: Masks = MASKS,
    params: ParamsFile = PARAMS,
) -> None:
    """Draw the mask of every test image."""
    from spl.data.pair_masks import pair_masks

    pair_masks(slices.pair_settings(load_params(params), dataset), images, masks, pairs, record)


@prepare.command("structure")
def prepare_structure(
    dataset: DatasetName,
    images: Images,
    folder: Folder,
    params: ParamsFile = PARAMS,
    workers: Workers = 1,
) -> None:
    """Smooth one dataset's training pictures by relative total variation, for MFE."""
    from spl.data.smooth_images import smooth_images

    settings = slices.structure_settings(load_params(params), dataset)
    smooth_images(settings, images, folder, workers=workers)
