"""Any number of irregular masks for training, drawn like those of the miniature world, at any size."""

from functools import partial
from pathlib import Path

import numpy as np

from spl.common.errors import DataError
from spl.common.files import atomic, read_json, write_json
from spl.data.masks import MIN_MASK_SIDE, encode_mask
from spl.miniature.masks import draw_mask
from spl.miniature.sets import map_jobs

RECORD = "masks.json"


def generate_masks(folder: Path, *, count: int, seed: int, size: int, workers: int) -> None:
    """Draw `count` masks into `folder`, 1-bit PNG, white = hole.

    Every run of twelve holds each ratio bin twice, once with and once without border contact. Mask i depends on seed,
    size and i alone, so a longer set begins with a shorter one. Masks that are there already stay.
    Raises: DataError if the size is too small, or the folder holds images of another origin.
    """
    if size < MIN_MASK_SIDE:
        raise DataError(f"--size {size}: expected at least {MIN_MASK_SIDE} pixels, the smallest network input.")
    _claim(folder, {"seed": seed, "size": size})
    missing = [index for index in range(count) if not _file(folder, index).exists()]
    map_jobs(partial(_save, folder, seed, size), missing, workers=workers, title="masks")


def _claim(folder: Path, origin: dict[str, int]) -> None:
    """Write down what the masks of a folder are drawn from.

    Raises: DataError if there are images of another origin.
    """
    record = folder / RECORD
    if record.exists():
        found = read_json(record)
        if found != origin:
            raise DataError(f"{folder} holds masks of {found}, asked for are {origin}. Choose another --out folder.")
    elif any(folder.glob("*.png")):
        raise DataError(f"{folder} holds images of unknown origin: it has no {RECORD}. Choose another --out folder.")
    else:
        write_json(record, origin)


def _file(folder: Path, index: int) -> Path:
    return folder / f"{index:06d}.png"


def _save(folder: Path, seed: int, size: int, index: int) -> None:
    mask = np.asarray(draw_mask(seed=seed, index=index, size=size)) > 0
    with atomic(_file(folder, index)) as temporary:
        temporary.write_bytes(encode_mask(mask))
