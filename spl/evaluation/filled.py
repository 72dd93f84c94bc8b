"""Filled pictures beside the true ones, as networks look at them."""

from pathlib import Path

import numpy as np
import pandas as pd
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset
from tqdm import tqdm

from spl.data.images import read_rgb
from spl.errors import DataError
from spl.evaluation.distribution import Perceive
from spl.evaluation.lpips import LPIPS

BATCH_SIZE = 16


class FilledPictures(Dataset):
    """What a method made of every test image, and the image."""

    def __init__(self, table: pd.DataFrame, composited: Path, images: Path) -> None:
        self._files = [(composited / Path(image).name, images / image) for image in table["image"]]

    def __len__(self) -> int:
        return len(self._files)

    def __getitem__(self, i: int) -> tuple[Tensor, Tensor]:
        """Return composited and image, (3, H, W) uint8 each.

        Raises: DataError if they differ in size.
        """
        composited, image = (read_rgb(path) for path in self._files[i])
        if composited.shape != image.shape:
            raise DataError(
                f"{self._files[i][0]}: expected {image.shape[1]} x {image.shape[0]} pixels, as {self._files[i][1]} "
                f"has, got {composited.shape[1]} x {composited.shape[0]}. Evaluate the method again."
            )
        return torch.from_numpy(composited.transpose(2, 0, 1).copy()), torch.from_numpy(image.transpose(2, 0, 1).copy())


@torch.no_grad()
def measure_distances(network: LPIPS, pictures: FilledPictures, device: torch.device) -> np.ndarray:
    """Return the LPIPS of every filled picture, (N,)."""
    batches = tqdm(DataLoader(pictures, batch_size=BATCH_SIZE), desc="lpips", unit="batch", disable=None)
    found = [network(composited.to(device) / 255, image.to(device) / 255) for composited, image in batches]
    return torch.cat(found).double().cpu().numpy()


def extract_features(perceive: Perceive, pictures: FilledPictures) -> tuple[np.ndarray, np.ndarray]:
    """Return the features of all filled pictures and of all images, (N, 2048) each."""
    batches = tqdm(DataLoader(pictures, batch_size=BATCH_SIZE), desc="inception", unit="batch", disable=None)
    found = [(perceive(composited), perceive(image)) for composited, image in batches]
    ours, truth = (np.concatenate(features) for features in zip(*found, strict=True))
    return ours, truth
