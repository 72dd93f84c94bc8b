"""Requirements of perceptual metrics: published weight files and enough images. No torch."""

from collections.abc import Iterable
from pathlib import Path
from typing import Literal

from spl.config.experiment import PerceptualMetric
from spl.sources.weight_files import WeightFile

DIMENSIONS = 2048
"""Features of Inception's last pooling."""

KID_IMAGES = 50
"""Fewest images of a KID that is printed."""


ALEXNET = WeightFile.registered("perceptual", "alexnet-owt-7be5be79.pth")
LPIPS_LAYERS = WeightFile.registered("perceptual", "lpips_alex.pth")
INCEPTION = WeightFile.registered("perceptual", "pt_inception-2015-12-05-6726825d.pth")

FILES: dict[PerceptualMetric, tuple[WeightFile, ...]] = {
    "lpips": (ALEXNET, LPIPS_LAYERS),
    "fid": (INCEPTION,),
    "kid": (INCEPTION,),
}
"""Weights of the network that each metric uses."""


def missing_files(metric: PerceptualMetric, folder: Path) -> str:
    """Say which files a metric lacks; empty if it has them all."""
    return " ".join(file.lacks(folder) for file in FILES[metric] if file.find(folder) is None)


def present_files(metrics: Iterable[PerceptualMetric], folder: Path) -> dict[str, Path]:
    """Return the files that are there for some metrics, by name."""
    paths = [file.find(folder) for metric in metrics for file in FILES[metric]]
    return {path.name: path for path in paths if path}


def require_published(metrics: Iterable[PerceptualMetric], folder: Path) -> None:
    """Check the files that are there for some metrics.

    Raises: CheckpointError if one is damaged or another one.
    """
    for file in {file for metric in metrics for file in FILES[metric]}:
        if file.find(folder):
            file.require(folder)


def too_few(metric: Literal["fid", "kid"], count: int, dimensions: int = DIMENSIONS) -> str:
    """Say why so many images do not make a metric; empty if they do."""
    if metric == "fid" and count < dimensions:
        return f"FID needs at least as many images as it has features, {dimensions}, got {count}."
    if metric == "kid" and count < KID_IMAGES:
        return f"KID needs at least {KID_IMAGES} images, got {count}."
    return ""
