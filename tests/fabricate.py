"""Prepared images, masks and pairs made by hand, for tests that need some but not the miniature world."""

from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
from PIL import Image

from spl.common.files import sha256, write_json
from spl.data.masks import ratio_bin
from spl.steps.records import FORMAT, sealed, take, write_record
from spl.steps.settings import PairSettings


class Data(NamedTuple):
    """What a step after the preparation of data reads."""

    pairs: Path
    images: Path
    masks: Path


def write_facts(path: Path, **facts) -> None:
    """Write a record of which only some facts matter."""
    write_json(path, sealed({"format": FORMAT, "settings": {}, "inputs": {}, "outputs": {}} | facts))


PLACE = ["sha256", "container", "offset", "size", "packed"]


def stored(file: Path) -> tuple:
    """The hash of a plain file, and its place."""
    return (sha256(file), "", 0, file.stat().st_size, 0)


def write_manifest(path: Path, images: list[tuple[str, str]]) -> None:
    """Write the manifest of prepared images that lie beside it, given as (split, file)."""
    rows = [(split, file, *stored(path.parent / file)) for split, file in images]
    pd.DataFrame(rows, columns=["split", "file", *PLACE]).to_csv(path, index=False)


def write_masks_table(path: Path, usable: list[str], rejected: tuple[str, ...] = ()) -> None:
    """Write the table of masks that lie beside it."""
    rows = [(file, "", *stored(path.parent / file)) for file in usable]
    rows += [("", reason, "", "", 0, 0, 0) for reason in rejected]
    pd.DataFrame(rows, columns=["file", "rejected", *PLACE]).to_csv(path, index=False)


def draw_pairs(folder: Path, *, size: int, holes: tuple[int, ...]) -> Data:
    """Draw an image of rectangles for every hole, a square of the given side; image and mask meet in their order.

    Then every image meets the last mask.
    """
    rng = np.random.default_rng(0)
    rows = []
    for name in ("images/test", "masks/binary"):
        (folder / name).mkdir(parents=True)
    for i, hole in enumerate(holes):
        mask = np.zeros((size, size), bool)
        mask[2 : 2 + hole, 3 : 3 + hole] = True
        blocks = rng.integers(0, 256, (8, 8, 3)).astype(np.uint8)
        Image.fromarray(blocks).resize((size, size), Image.NEAREST).save(folder / f"images/test/{i}.png")
        Image.fromarray(mask).save(folder / f"masks/binary/{i}.png")
        image = f"test/{i}.png"
        hashes = sha256(folder / "images" / image), sha256(folder / f"masks/binary/{i}.png")
        rows.append((image, hashes[0], f"binary/{i}.png", hashes[1], mask.mean(), ratio_bin(mask.mean())))
    columns = ["image", "image_sha256", "mask", "mask_sha256", "hole_ratio", "ratio_bin"]
    second = [(*row[:2], *rows[-1][2:]) for row in rows]
    pairs = pd.DataFrame(rows + second, columns=columns)
    data = Data(folder / "pairs.csv", folder / "images/manifest.csv", folder / "masks/masks.csv")
    pairs.to_csv(data.pairs, index=False)
    write_manifest(data.images, [("test", row[0]) for row in rows])
    write_masks_table(data.masks, [row[2] for row in rows])
    settings = PairSettings(dataset="any", seed=1, image_size=size, split="test", pairs="balanced", masks_per_image=2)
    inputs = take(images=data.images, masks=data.masks)
    write_record(data.pairs.with_suffix(".json"), settings, inputs, {"pairs": data.pairs})
    return data
