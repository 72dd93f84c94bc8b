"""What perceptual metrics need: files that a person places in a folder, known by hash, and enough images. No torch."""

from collections.abc import Iterable
from pathlib import Path
from typing import Literal, NamedTuple

from spl.common.errors import CheckpointError
from spl.common.files import sha256
from spl.config.experiment import PerceptualMetric

DIMENSIONS = 2048
"""Features of Inception's last pooling."""

KID_IMAGES = 50
"""Fewest images of a KID that is printed."""


class WeightFile(NamedTuple):
    """A file as its authors published it."""

    names: tuple[str, ...]
    """What it may be called."""

    sha256: str
    """The start of its hash."""

    url: str

    def find(self, folder: Path) -> Path | None:
        """Return where the file lies, under any of its names; None if it does not."""
        return next((path for name in self.names if (path := folder / name).is_file()), None)

    def require(self, folder: Path) -> Path:
        """Return where the file lies.

        Raises: CheckpointError if it is missing, damaged or another one.
        """
        path = self.find(folder)
        if path is None:
            raise CheckpointError(self.lacks(folder))
        if not (found := sha256(path)).startswith(self.sha256):
            raise CheckpointError(
                f"{path}: expected the published file, whose sha256 starts with {self.sha256}, got {found[:8]}. "
                f"Fetch it again: {self.url}"
            )
        return path

    def lacks(self, folder: Path) -> str:
        """Say that the file is missing, and what to do."""
        return f"{folder} has no {' or '.join(self.names)}. Fetch {self.url} and place it there."


ALEXNET = WeightFile(
    ("alexnet-owt-7be5be79.pth",), "7be5be79", "https://download.pytorch.org/models/alexnet-owt-7be5be79.pth"
)
LPIPS_LAYERS = WeightFile(
    ("lpips_alex.pth", "alex.pth"),
    "df73285e",
    "https://github.com/richzhang/PerceptualSimilarity/raw/master/lpips/weights/v0.1/alex.pth",
)
INCEPTION = WeightFile(
    ("pt_inception-2015-12-05-6726825d.pth", "weights-inception-2015-12-05-6726825d.pth"),
    "6726825d",
    "https://github.com/toshas/torch-fidelity/releases/download/v0.2.0/weights-inception-2015-12-05-6726825d.pth",
)

FILES: dict[PerceptualMetric, tuple[WeightFile, ...]] = {
    "lpips": (ALEXNET, LPIPS_LAYERS),
    "fid": (INCEPTION,),
    "kid": (INCEPTION,),
}
"""What each metric looks through."""


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
