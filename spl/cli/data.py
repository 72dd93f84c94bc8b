"""Commands that fetch and prepare data."""

from pathlib import Path
from typing import Annotated

import typer

from spl.cli import options as opt
from spl.config.experiment import Registered
from spl.config.load import load_params
from spl.config.registry import SOURCES, load_registry
from spl.config.registry import Source as RegisteredSource
from spl.steps import paths
from spl.steps.settings import (
    ImageSettings,
    ImageSourceSettings,
    MaskSettings,
    MaskSourceSettings,
    PairSettings,
    PretextSettings,
    SmoothingSettings,
    WeightSourceSettings,
)


def fetch_images(
    dataset: opt.DatasetName,
    out: opt.Out = paths.RAW_IMAGES,
    params: opt.ParamsFile = opt.PARAMS,
    registry: opt.SourcesFile = SOURCES,
    timeout: opt.Timeout = opt.TIMEOUT,
    workers: opt.Workers = 1,
) -> None:
    """Draw one dataset's raw images, download them, or find them where a person has placed them; and list them."""
    from spl.sources.fetch import fetch_raw
    from spl.sources.transfer import RetryPolicy

    settings = ImageSourceSettings.of(load_params(params), dataset=dataset)
    known = _known_sources(settings.source, registry)
    fetch_raw(settings, settings.at(out), registry=known, policy=RetryPolicy(timeout), workers=workers)


def fetch_masks(
    out: opt.Out = paths.RAW_MASKS,
    params: opt.ParamsFile = opt.PARAMS,
    registry: opt.SourcesFile = SOURCES,
    timeout: opt.Timeout = opt.TIMEOUT,
    workers: opt.Workers = 1,
) -> None:
    """Draw the raw irregular masks, download them, or find them where a person has placed them; and list them."""
    from spl.sources.fetch import fetch_raw
    from spl.sources.transfer import RetryPolicy

    settings = MaskSourceSettings.of(load_params(params))
    known = _known_sources(settings.source, registry)
    fetch_raw(settings, out, registry=known, policy=RetryPolicy(timeout), workers=workers)


def _known_sources(source: object, registry: Path) -> dict[str, RegisteredSource]:
    """Read the registry if something is to be had from it: what is drawn or supplied needs none."""
    return load_registry(registry) if isinstance(source, Registered) else {}


def fetch_weights(
    source: Annotated[str, typer.Option(help="A source of weights in the registry.")],
    out: opt.Out = paths.WEIGHT_FILES,
    params: opt.ParamsFile = opt.PARAMS,
    registry: opt.SourcesFile = SOURCES,
    timeout: opt.Timeout = opt.TIMEOUT,
) -> None:
    """Fetch the weight files of a registered source that the experiment reads.

    Example: spl fetch-weights --source vgg --params presets/paper.yaml
    """
    from spl.sources.fetch import fetch_weights
    from spl.sources.transfer import RetryPolicy

    known = load_registry(registry)
    settings = WeightSourceSettings.of(load_params(params), source=source, registry=known)
    fetch_weights(settings, settings.at(out), registry=known, policy=RetryPolicy(timeout))


def fetch_pretext(out: opt.Out = paths.PRETEXT, params: opt.ParamsFile = opt.PARAMS, workers: opt.Workers = 1) -> None:
    """Draw the labelled images that teachers are trained on."""
    from spl.sources.fetch import fetch_pretext

    fetch_pretext(PretextSettings.of(load_params(params)), out, workers=workers)


def prepare_images(
    dataset: opt.DatasetName,
    source: opt.Source = paths.RAW_IMAGES,
    out: opt.OutFolder = paths.PREPARED,
    params: opt.ParamsFile = opt.PARAMS,
    workers: opt.Workers = 1,
) -> None:
    """Crop, resize and store one dataset's images, with a manifest."""
    from spl.data.prepare_images import prepare_images

    settings = ImageSettings.of(load_params(params), dataset=dataset)
    prepare_images(settings, settings.at(source), settings.at(out), workers=workers)


def smooth_images(
    dataset: opt.DatasetName,
    images: opt.Images = paths.IMAGES,
    out: opt.OutFolder = paths.STRUCTURE,
    params: opt.ParamsFile = opt.PARAMS,
    workers: opt.Workers = 1,
) -> None:
    """Smooth one dataset's training images by relative total variation, for MFE."""
    from spl.data.smooth_images import smooth_images

    settings = SmoothingSettings.of(load_params(params), dataset=dataset)
    smooth_images(settings, settings.at(images), settings.at(out), workers=workers)


def group_masks(
    source: opt.Source = paths.RAW_MASKS,
    out: opt.OutFolder = paths.GROUPED_MASKS,
    params: opt.ParamsFile = opt.PARAMS,
    workers: opt.Workers = 1,
) -> None:
    """Binarise the masks and group them into six hole-ratio bins."""
    from spl.data.group_masks import group_masks

    group_masks(MaskSettings.of(load_params(params)), source, out, workers=workers)


def pair_masks(
    dataset: opt.DatasetName,
    images: opt.Images = paths.IMAGES,
    masks: opt.Masks = paths.MASKS,
    out: opt.Out = paths.PAIRS,
    params: opt.ParamsFile = opt.PARAMS,
) -> None:
    """Draw the mask of every test image."""
    from spl.data.pair_masks import pair_masks

    settings = PairSettings.of(load_params(params), dataset=dataset)
    pair_masks(settings, settings.at(images), masks, settings.at(out))
