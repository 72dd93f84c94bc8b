"""Perceptual metrics of one evaluation: LPIPS of every filled picture, FID and KID of them all."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset
from tqdm import tqdm

from spl.config import PerceptualMetric
from spl.data.images import read_rgb
from spl.data.tables import read_table
from spl.errors import DataError
from spl.evaluation.distribution import Perceive, fid, kid, load_inception, too_few
from spl.evaluation.lpips import LPIPS, load_lpips
from spl.evaluation.supplied import missing_files, present_files, require_published
from spl.files import atomic, sha256
from spl.records import write_record
from spl.settings import PerceptualSettings

BATCH_SIZE = 16

ONE_SUBSET = "Up to 1000 images make one subset, whose estimate has no deviation."


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


def measure_perceptual(
    settings: PerceptualSettings, *, evidence: Path, images: Path, out: Path, device: torch.device
) -> None:
    """Measure the filled pictures of one evaluation against the prepared ones.

    Reads per_image.csv and composited/ of the folder `evidence`, the pictures beside the manifest `images` and the
    published networks in the settings' folder; writes LPIPS per image to `out` and the rest to a record beside it.
    Metrics that cannot be had are empty there, with the reason.
    Raises: CheckpointError if a weight file is damaged or another one, DataError if a picture is missing or of another
    size.
    """
    per_image, weights = evidence / "per_image.csv", Path(settings.folder)
    require_published(settings.metrics, weights)  # a damaged file should not end a long measurement
    table = read_table(per_image)[["image", "hole_ratio", "ratio_bin"]]
    pictures = FilledPictures(table, evidence / "composited", images.parent)
    unavailable = find_obstacles(settings.metrics, weights, count=len(pictures))
    available = set(settings.metrics) - set(unavailable)
    network = load_lpips(weights, device) if "lpips" in available else None
    perceive = load_inception(weights, device) if available & {"fid", "kid"} else None
    table["lpips"] = _measure_distances(network, pictures, device).round(6) if network else None
    results: dict[str, Any] = {"fid": None, "kid": None, "kid_sd": None}
    if perceive:
        ours, truth = _extract_features(perceive, pictures)
        if "fid" in available:
            results["fid"] = fid(ours, truth)
        if "kid" in available:
            results["kid"], results["kid_sd"] = kid(ours, truth, seed=settings.seed)
            unavailable |= {"kid_sd": ONE_SUBSET} if results["kid_sd"] is None else {}
    with atomic(out) as temporary:
        table.to_csv(temporary, index=False)
    inputs = {"per_image": per_image} | present_files(settings.metrics, weights)
    hashes = {name: sha256(path) for name, path in inputs.items()}
    results |= {"n_images": len(pictures), "unavailable": unavailable}
    write_record(out.with_suffix(".json"), settings, hashes, device=str(device), **results)


def find_obstacles(metrics: tuple[PerceptualMetric, ...], weights: Path, *, count: int) -> dict[str, str]:
    """Say for every metric that cannot be had of `count` images why not."""
    reasons = {}
    for metric in metrics:
        found = [missing_files(metric, weights), "" if metric == "lpips" else too_few(metric, count)]
        reasons[metric] = " ".join(filter(None, found))
    return {metric: reason for metric, reason in reasons.items() if reason}


@torch.no_grad()
def _measure_distances(network: LPIPS, pictures: FilledPictures, device: torch.device) -> np.ndarray:
    batches = tqdm(DataLoader(pictures, batch_size=BATCH_SIZE), desc="lpips", unit="batch", disable=None)
    found = [network(composited.to(device) / 255, image.to(device) / 255) for composited, image in batches]
    return torch.cat(found).double().cpu().numpy()


def _extract_features(perceive: Perceive, pictures: FilledPictures) -> tuple[np.ndarray, np.ndarray]:
    """Return the features of all filled pictures and of all images, (N, 2048) each."""
    batches = tqdm(DataLoader(pictures, batch_size=BATCH_SIZE), desc="inception", unit="batch", disable=None)
    found = [(perceive(composited), perceive(image)) for composited, image in batches]
    ours, truth = (np.concatenate(features) for features in zip(*found, strict=True))
    return ours, truth
