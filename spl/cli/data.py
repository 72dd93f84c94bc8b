"""Commands that fetch and prepare data."""

import typer

from spl import settings as slices
from spl.cli.options import (
    MASKS,
    PARAMS,
    DatasetName,
    Folder,
    Images,
    Masks,
    Pairs,
    ParamsFile,
    Record,
    Source,
    Workers,
)
from spl.params import load_params

fetch = typer.Typer(help="Draw the miniature world, or find files that a person has supplied.", no_args_is_help=True)
prepare = typer.Typer(help="Turn raw files into prepared images, grouped masks and fixed pairs.", no_args_is_help=True)


@fetch.command("images")
def fetch_images(dataset: DatasetName, record: Record, params: ParamsFile = PARAMS, workers: Workers = 1) -> None:
    """Fetch one dataset's raw pictures."""
    from spl.data import sources

    sources.fetch_images(slices.image_source_settings(load_params(params), dataset), record, workers=workers)


@fetch.command("masks")
def fetch_masks(record: Record, params: ParamsFile = PARAMS, workers: Workers = 1) -> None:
    """Fetch the raw irregular masks."""
    from spl.data import sources

    sources.fetch_masks(slices.mask_settings(load_params(params)), record, workers=workers)


@fetch.command("pretext")
def fetch_pretext(record: Record, params: ParamsFile = PARAMS, workers: Workers = 1) -> None:
    """Draw the labelled pictures that teachers are trained on."""
    from spl.data import sources

    sources.fetch_pretext(slices.pretext_settings(load_params(params)), record, workers=workers)


@prepare.command("images")
def prepare_images(
    dataset: DatasetName, source: Source, folder: Folder, params: ParamsFile = PARAMS, workers: Workers = 1
) -> None:
    """Crop, resize and store one dataset's pictures, with a manifest."""
    from spl.data import prepare as preparation

    preparation.prepare_images(slices.data_settings(load_params(params), dataset), source, folder, workers=workers)


@prepare.command("masks")
def prepare_masks(source: Source, folder: Folder, params: ParamsFile = PARAMS, workers: Workers = 1) -> None:
    """Binarise the masks and group them into six hole-ratio bins."""
    from spl.data import masks

    masks.group_masks(slices.mask_settings(load_params(params)), source, folder, workers=workers)


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
    from spl.data import pairing

    pairing.pair_masks(slices.pair_settings(load_params(params), dataset), images, masks, pairs, record)


@prepare.command("structure")
def prepare_structure(
    dataset: DatasetName,
    images: Images,
    folder: Folder,
    params: ParamsFile = PARAMS,
    workers: Workers = 1,
) -> None:
    """Smooth one dataset's training pictures by relative total variation, for MFE."""
    from spl.data import structure

    settings = slices.structure_settings(load_params(params), dataset)
    structure.smooth_images(settings, images, folder, workers=workers)
