"""Per-image evidence: fill every published pair, quantise, measure, keep the composited image."""

import json
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from PIL import Image
from torch import Tensor
from torch.utils.data import default_collate

from spl.common.errors import DataError
from spl.common.files import sha256
from spl.common.printed import count, duration
from spl.common.progress import say
from spl.common.shards import Row, Shard, run_shards
from spl.evaluation.meter import MIB, Meter, peak_memory
from spl.evaluation.metrics import measure
from spl.models.build import Inpainter
from spl.steps.paths import composited_files
from spl.tensors.compositing import quantise
from spl.tensors.loaders import TestPairs

PAIR = ["image", "image_sha256", "mask", "mask_sha256", "hole_ratio", "ratio_bin"]
"""Columns of a table of pairs with which per_image.csv begins."""

FIRST = 50
"""Images that show whether a method's numbers are plausible."""

LONG = 10
"""Seconds of a first batch beside which it does not matter that first batches are slower."""


def evaluate(
    inpainter: Inpainter,
    pairs: TestPairs,
    folder: Path,
    *,
    batch_size: int,
    device: torch.device,
    workers: int = 1,
    look: Callable[[list[float]], list[str]] | None = None,
) -> list[str]:
    """Write `folder`/per_image.csv and, named by `composited_files`, the filled images in `folder`/composited.

    Batches that a killed call has finished stay. As many batches as there are `workers`, which are threads, are on
    their way at a time: one is read, measured or written while another one is filled.

    Batches follow the order of the published pairs: RN's statistics pool over a batch, so it is part of the protocol.
    A hole so small that it vanishes at the network's size leaves the cells of the hole's metrics empty.
    As soon as it is known, the time that remains and the memory are told, and what `look` finds wrong with the PSNR of
    the first images; that is also returned.
    Raises: DataError if a method's output has another shape than the image, or is not finite.
    """
    rows, doubts, meter, told = list[dict[str, Any]](), list[str](), Meter(), False

    def work(shard: Shard) -> list[Row]:
        with meter.piece():
            return _measure(inpainter, pairs, folder, device, shard)

    shown = {"total": len(pairs), "what": "evaluate", "unit": "image", "threads": True}
    for results in run_shards(
        enumerate(composited_files(pairs.table["image"])), work, folder, workers=workers, size=batch_size, **shown
    ):
        rows += [json.loads(row) for (row,) in results]
        remaining = len(pairs) - len(rows)
        if remaining and not told and (len(meter.seconds) > workers or sum(meter.seconds) > LONG):
            takes = duration(remaining / batch_size * meter.typical() / max(1, workers))
            memory = peak_memory(device) / MIB
            images = f"{count(len(pairs), 'image')} in batches of {batch_size}"
            say(f"{images}: about {takes} for the remaining {remaining:,}; peak memory {memory:,.0f} MiB on {device}")
            told = True
        if look and len(rows) >= min(FIRST, len(pairs)):
            doubts, look = look([row["psnr"] for row in rows[:FIRST]]), None
            for doubt in doubts:
                say(f"warning: {doubt}")
    pairs.table[PAIR].join(pd.DataFrame(rows).round(6)).to_csv(folder / "per_image.csv", index=False)
    return doubts


@torch.no_grad()
def _measure(inpainter: Inpainter, pairs: TestPairs, folder: Path, device: torch.device, batch: Shard) -> list[Row]:
    """Fill the pairs of a batch, keep the composited images, and return their rows, each as JSON."""
    numbers, files = zip(*batch.rows, strict=True)
    image, mask = load_pairs(pairs, numbers, device)
    holes, rows = mask[:, 0].bool().cpu().numpy(), []
    for composited, truth, hole, file in zip(*fill(inpainter, image, mask), holes, files, strict=True):
        (path := folder / file).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(composited).save(path, compress_level=1)
        rows.append((json.dumps(measure(composited, truth, hole) | {"composited_sha256": sha256(path)}),))
    return rows


def load_pairs(pairs: TestPairs, numbers: Iterable[int], device: torch.device) -> list[Tensor]:
    """Return images (B, 3, H, W) in [0, 1] and masks (B, 1, H, W), 1 = hole."""
    return [part.to(device) for part in default_collate([pairs[i] for i in numbers])]


def fill(inpainter: Inpainter, image: Tensor, mask: Tensor) -> list[np.ndarray]:
    """Return the composited images and the true ones, (B, H, W, 3) uint8 each.

    Raises: DataError if a method's output has another shape than the image, or is not finite.
    """
    output = inpainter(image, mask)
    if output.shape != image.shape or not torch.isfinite(output).all():
        raise DataError(
            f"expected a finite output of shape {tuple(image.shape)}, got shape {tuple(output.shape)} with "
            f"{int((~torch.isfinite(output)).sum())} values that are not finite"
        )
    truth = quantise(image)
    composited = torch.where(mask.bool(), quantise(output), truth)  # what `composite` gives, in 8 bits
    return [shown.permute(0, 2, 3, 1).contiguous().cpu().numpy() for shown in (composited, truth)]
