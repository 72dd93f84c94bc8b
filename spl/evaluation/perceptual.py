"""LPIPS distances and Inception features of composited and ground-truth images."""

from collections.abc import Collection
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Subset

from spl.common.progress import progress
from spl.common.tables import read_table
from spl.config.experiment import PerceptualMetric
from spl.data.stored import FilledImages, PreparedImages, first_rows
from spl.evaluation.distribution import FeatureExtractor, fid, kid, load_inception
from spl.evaluation.lpips import LPIPS, load_lpips
from spl.steps.settings import PerceptualSettings
from spl.tensors.device import pick_device

BATCH_SIZE = 16


class ImagePairs(Dataset):
    """The composited and the ground-truth image of every row of an evaluation."""

    def __init__(self, per_image: Path, images: Path) -> None:
        self._names, self._filled = read_table(per_image)["image"], FilledImages(per_image)
        self._images = PreparedImages(images, names=self._names)

    def __len__(self) -> int:
        return len(self._names)

    def __getitem__(self, i: int) -> tuple[Tensor, Tensor]:
        """Return composited and image, (3, H, W) uint8 each."""
        composited, image = self._filled.pixels(i), self._images.pixels(i)
        return torch.tensor(composited).permute(2, 0, 1), torch.tensor(image).permute(2, 0, 1)

    def with_first_masks(self) -> Subset:
        """Return every image once: distances of distributions demand different ones, and depend on their number."""
        return Subset(self, list(first_rows(self._names).values()))


def compute_perceptual(
    settings: PerceptualSettings, metrics: Collection[PerceptualMetric], pairs: ImagePairs, device_name: str | None
) -> dict[str, Any]:
    """Measure some of the settings' metrics: `lpips` (N,), `fid`, `kid` and `kid_sd`, which may be None.

    Raises: DataError if an image is missing or another one.
    """
    torch.set_num_threads(settings.threads)
    device, folder = pick_device(device_name), Path(settings.perceptual.folder)
    found: dict[str, Any] = {"device": str(device)}
    if "lpips" in metrics:
        found["lpips"] = _compute_distances(load_lpips(folder, device), pairs, device).round(6)
    if {"fid", "kid"} & set(metrics):
        ours, truth = _extract_features(load_inception(folder, device), pairs.with_first_masks())
        if "fid" in metrics:
            found["fid"] = fid(ours, truth)
        if "kid" in metrics:
            found["kid"], found["kid_sd"] = kid(ours, truth, seed=settings.subset_seed)
    return found


@torch.no_grad()
def _compute_distances(network: LPIPS, pairs: ImagePairs, device: torch.device) -> np.ndarray:
    batches = progress(DataLoader(pairs, batch_size=BATCH_SIZE), what="lpips", unit="batch")
    found = [network(composited.to(device) / 255, image.to(device) / 255) for composited, image in batches]
    return torch.cat(found).double().cpu().numpy()


def _extract_features(extract: FeatureExtractor, pairs: Subset) -> tuple[Tensor, Tensor]:
    """Return the features of all composited and of all ground-truth images, (N, 2048) each."""
    batches = progress(DataLoader(pairs, batch_size=BATCH_SIZE), what="inception", unit="batch")
    found = [(extract(composited), extract(image)) for composited, image in batches]
    ours, truth = (torch.cat(features) for features in zip(*found, strict=True))
    return ours, truth
