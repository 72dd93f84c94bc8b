"""Per-image evidence: fill every published pair, quantise, measure, keep the composited image."""

from pathlib import Path
from typing import Any

import pandas as pd
import torch
from PIL import Image
from torch import Tensor
from torch.utils.data import DataLoader

from spl.common.errors import DataError
from spl.common.files import sha256
from spl.common.progress import progress
from spl.evaluation.metrics import measure
from spl.models.build import Inpainter
from spl.tensors.compositing import composite, quantise
from spl.tensors.loaders import TestPairs


@torch.no_grad()
def evaluate(inpainter: Inpainter, pairs: TestPairs, folder: Path, *, batch_size: int, device: torch.device) -> None:
    """Write `folder`/per_image.csv and `folder`/composited/*.png.

    Batches follow the order of the published pairs: RN's statistics pool over a batch, so it is part of the protocol.
    A hole so small that it vanishes at the network's size leaves the cells of the hole's metrics empty.
    Raises: DataError if a method's output has another shape than the image, or is not finite.
    """
    rows: list[dict[str, Any]] = []
    (folder / "composited").mkdir()
    for image, mask in progress(DataLoader(pairs, batch_size=batch_size), what="evaluate", unit="batch"):
        image, mask = image.to(device), mask.to(device)
        output = inpainter(image, mask)
        _check_output(output, image)
        composited, truth = quantise(composite(output.clamp(0, 1), image, mask)), quantise(image)
        measured = {name: values.tolist() for name, values in measure(composited, truth, mask).items()}
        for i, filled in enumerate(composited.cpu()):
            path = folder / "composited" / Path(pairs.table["image"][len(rows)]).name
            Image.fromarray(filled.permute(1, 2, 0).numpy()).save(path, compress_level=1)
            rows.append({name: values[i] for name, values in measured.items()} | {"composited_sha256": sha256(path)})
    table = pairs.table[["image", "image_sha256", "mask", "mask_sha256", "hole_ratio", "ratio_bin"]]
    table.join(pd.DataFrame(rows).round(6)).to_csv(folder / "per_image.csv", index=False)


def _check_output(output: Tensor, image: Tensor) -> None:
    if output.shape != image.shape or not torch.isfinite(output).all():
        raise DataError(
            f"expected a finite output of shape {tuple(image.shape)}, got shape {tuple(output.shape)} with "
            f"{int((~torch.isfinite(output)).sum())} values that are not finite"
        )
