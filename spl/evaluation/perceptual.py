"""LPIPS distances and Inception features of composited and ground-truth images."""

from collections.abc import Callable, Collection, Iterable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset, default_collate

from spl.common.shards import Row, Shard, run_shards
from spl.common.tables import read_table
from spl.config.experiment import PerceptualMetric
from spl.data.stored import FilledImages, PreparedImages, first_rows
from spl.evaluation.distribution import fid, kid, load_inception
from spl.evaluation.lpips import load_lpips
from spl.steps.settings import PerceptualSettings
from spl.tensors.device import in_one_thread

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

    def with_first_masks(self) -> Iterable[int]:
        """Return every image once: distances of distributions demand different ones, and depend on their number."""
        return first_rows(self._names).values()


def compute_perceptual(
    settings: PerceptualSettings,
    metrics: Collection[PerceptualMetric],
    pairs: ImagePairs,
    finished: Path,
    *,
    device: torch.device,
    workers: int,
) -> dict[str, Any]:
    """Measure some of the settings' metrics: `lpips` (N,), `fid`, `kid` and `kid_sd`, which may be None.

    Batches that a killed call has finished are taken from the folder `finished`.
    Raises: DataError if an image is missing or another one.
    """
    folder, found = Path(settings.perceptual.folder), dict[str, Any]()
    run = partial(_run, pairs, finished, workers=workers, threads=settings.threads)
    if "lpips" in metrics:
        lpips = load_lpips(folder, device)
        distances = run(range(len(pairs)), lambda *both: lpips(*(x.to(device) / 255 for x in both)), what="lpips")
        found["lpips"] = distances.astype(float).round(6).tolist()
    if {"fid", "kid"} & set(metrics):
        extract = load_inception(folder, device)
        rows = pairs.with_first_masks()
        features = run(rows, lambda *both: torch.stack([extract(x) for x in both], 1), what="inception")
        ours, truth = (torch.from_numpy(features[:, i].copy()) for i in (0, 1))
        if "fid" in metrics:
            found["fid"] = fid(ours, truth)
        if "kid" in metrics:
            found["kid"], found["kid_sd"] = kid(ours, truth, seed=settings.subset_seed)
    return found


def _run(
    pairs: ImagePairs,
    finished: Path,
    rows: Iterable[int],
    network: Callable[[Tensor, Tensor], Tensor],
    *,
    what: str,
    workers: int,
    threads: int,
) -> np.ndarray:
    """Return what a network gives for composited and image of some rows, (N, ...)."""
    network, numbers = in_one_thread(network, threads), list(rows)

    def work(shard: Shard) -> list[Row]:
        batch = shard.table.with_suffix(".npy")
        np.save(batch, network(*default_collate([pairs[i] for i, _ in shard.rows])).cpu().numpy())
        return [(batch,)] * len(shard.rows)

    batches = run_shards(
        ((i, what) for i in numbers), work, finished, workers=workers, size=BATCH_SIZE, threads=True,
        total=len(numbers), what=what, unit="image",
    )  # fmt: skip
    return np.concatenate([np.load(results[0][0]) for results in batches])
