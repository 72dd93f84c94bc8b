"""Filled pictures and true ones, seen through the networks of perceptual metrics."""

from collections.abc import Collection
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset
from tqdm import tqdm

from spl.common.tables import read_table
from spl.config.experiment import PerceptualMetric
from spl.data.stored import FilledImages, PreparedImages
from spl.evaluation.distribution import FeatureExtractor, fid, kid, load_inception
from spl.evaluation.lpips import LPIPS, load_lpips
from spl.steps.settings import PerceptualSettings
from spl.tensors.device import pick_device

BATCH_SIZE = 16


class FilledPictures(Dataset):
    """What a method made of every test image, and the image."""

    def __init__(self, per_image: Path, images: Path) -> None:
        table = read_table(per_image)
        self._names, self._filled = table["image"].tolist(), FilledImages(per_image)
        self._images = PreparedImages(images, names=table["image"])

    def __len__(self) -> int:
        return len(self._images)

    def __getitem__(self, i: int) -> tuple[Tensor, Tensor]:
        """Return composited and image, (3, H, W) uint8 each."""
        composited, image = self._filled.pixels(self._names[i]), self._images.pixels(i)
        return torch.from_numpy(composited.transpose(2, 0, 1).copy()), torch.from_numpy(image.transpose(2, 0, 1).copy())


def look(
    settings: PerceptualSettings,
    metrics: Collection[PerceptualMetric],
    pictures: FilledPictures,
    device_name: str | None,
) -> dict[str, Any]:
    """Measure some of the settings' metrics: `lpips` (N,), `fid`, `kid` and `kid_sd`, which may be None.

    Raises: DataError if a picture is missing or another one.
    """
    torch.set_num_threads(settings.threads)
    device, folder = pick_device(device_name), Path(settings.perceptual.folder)
    found: dict[str, Any] = {"device": str(device)}
    if "lpips" in metrics:
        found["lpips"] = _measure_distances(load_lpips(folder, device), pictures, device).round(6)
    if {"fid", "kid"} & set(metrics):
        ours, truth = _extract_features(load_inception(folder, device), pictures)
        if "fid" in metrics:
            found["fid"] = fid(ours, truth)
        if "kid" in metrics:
            found["kid"], found["kid_sd"] = kid(ours, truth, seed=settings.subset_seed)
    return found


@torch.no_grad()
def _measure_distances(network: LPIPS, pictures: FilledPictures, device: torch.device) -> np.ndarray:
    batches = tqdm(DataLoader(pictures, batch_size=BATCH_SIZE), desc="lpips", unit="batch", disable=None)
    found = [network(composited.to(device) / 255, image.to(device) / 255) for composited, image in batches]
    return torch.cat(found).double().cpu().numpy()


def _extract_features(perceive: FeatureExtractor, pictures: FilledPictures) -> tuple[np.ndarray, np.ndarray]:
    """Return the features of all filled pictures and of all images, (N, 2048) each."""
    batches = tqdm(DataLoader(pictures, batch_size=BATCH_SIZE), desc="inception", unit="batch", disable=None)
    found = [(perceive(composited), perceive(image)) for composited, image in batches]
    ours, truth = (np.concatenate(features) for features in zip(*found, strict=True))
    return ours, truth
