"""Fixed image-mask pairs: drawn once per dataset, published, equal for every method."""

import sys
import zlib
from pathlib import Path

import numpy as np
import pandas as pd

from spl.common.errors import DataError
from spl.common.files import atomic
from spl.common.tables import read_table
from spl.data.masks import RATIO_BINS, ratio_bin
from spl.data.stored import GroupedMasks
from spl.steps.records import take, write_record
from spl.steps.settings import PairSettings

FACTS = ["file", "source", "sha256"]


def pair_masks(settings: PairSettings, images: Path, masks: Path, pairs: Path) -> None:
    """Give every image of the evaluated split as many masks as the settings say and publish the mapping.

    Reads the manifest of prepared `images` and the table of grouped `masks`; writes `pairs` (CSV: image and mask
    with what they were made from and their hashes, hole ratio and bin at the mask's stored size and at the network's
    size; all images with their first mask, then all with their second, ...) and beside it a record with the counts per
    bin, how many masks change their bin by resizing, and how many are left out since their hole vanishes.
    Paper: section 4.3. Raises: DataError if there is no such image or no usable mask.
    """
    inputs, manifest = take(images=images, masks=masks), read_table(images)
    tests = manifest[manifest["split"] == settings.split].reset_index(drop=True)
    table = read_table(masks)
    usable = table[table["rejected"] == ""].reset_index(drop=True)
    stored, size = GroupedMasks(masks), settings.image_size
    usable["network_hole_ratio"] = [float(stored.hole(i, size).mean()) for i in range(len(stored))]
    thin, at_size = usable["network_hole_ratio"] == 0, f"at {size} x {size} pixels"
    if thin.any():
        share = f"{thin.sum():,} of {len(usable):,} masks of {masks}"
        print(f"{share} have no hole {at_size} and are left out", file=sys.stderr)
    usable = usable[~thin].reset_index(drop=True)
    if tests.empty or usable.empty:
        raise DataError(
            f"cannot pair {len(tests)} {settings.split} images of {images} with {len(usable)} usable masks of {masks} "
            f"that have a hole {at_size}"
        )
    rng = np.random.default_rng([settings.seed, zlib.crc32(settings.dataset.encode())])
    rounds = [DRAWS[settings.pairs](usable, len(tests), rng) for _ in range(settings.masks_per_image)]
    chosen = usable.iloc[np.concatenate(rounds)].reset_index(drop=True)
    tests = pd.concat([tests] * len(rounds), ignore_index=True)
    parts = [tests[FACTS].add_prefix("image_"), chosen[FACTS].add_prefix("mask_"), chosen[["hole_ratio", "ratio_bin"]]]
    table = pd.concat(parts, axis=1).rename(columns={"image_file": "image", "mask_file": "mask"})
    table["network_hole_ratio"] = chosen["network_hole_ratio"].round(6)
    table["network_ratio_bin"] = [ratio_bin(ratio) or "" for ratio in chosen["network_hole_ratio"]]
    with atomic(pairs) as temporary:
        table.to_csv(temporary, index=False)
    write_record(
        pairs.with_suffix(".json"),
        settings,
        inputs,
        {"pairs": pairs},
        pairs_per_bin=table["ratio_bin"].value_counts().reindex(RATIO_BINS, fill_value=0).to_dict(),
        without_hole_at_network_size=int(thin.sum()),
        changed_bin_by_resizing=int((table["ratio_bin"] != table["network_ratio_bin"]).sum()),
    )


def spread_over_hole_ratios(hole_ratios: np.ndarray, count: int) -> list[int]:
    """Choose pairs by rule, never by hand: the rows at equally spaced ranks of the hole ratio, small ones first.

    Shapes: hole_ratios (N,). Returns `count` rows, or all if there are fewer.

    >>> spread_over_hole_ratios(np.array([0.5, 0.1, 0.3, 0.2]), 2)
    [3, 0]
    """
    order = hole_ratios.argsort(kind="stable")
    ranks = ((np.arange(count) + 0.5) / count * len(order)).astype(int)
    return [int(row) for row in order[np.unique(ranks)]]


def limit_pairs(pairs: pd.DataFrame, images: int | None) -> pd.DataFrame:
    """Return the pairs of at most so many images, spread over the hole ratios of their first masks; None is all.

    They stay in their order, and an image keeps all its masks.
    """
    first = pairs.drop_duplicates("image", ignore_index=True)
    if images is None or images >= len(first):
        return pairs
    chosen = first["image"][spread_over_hole_ratios(first["hole_ratio"].to_numpy(), images)]
    return pairs[pairs["image"].isin(chosen)].reset_index(drop=True)


def _cycle(candidates: np.ndarray, count: int, rng: np.random.Generator) -> np.ndarray:
    """Draw without replacement for as long as candidates last, then start over."""
    rounds = -(-count // len(candidates))
    return np.concatenate([rng.permutation(candidates) for _ in range(rounds)])[:count]


def _uniform(masks: pd.DataFrame, count: int, rng: np.random.Generator) -> np.ndarray:
    """Draw from the whole mask set, as the paper does."""
    return _cycle(np.arange(len(masks)), count, rng)


def _balanced(masks: pd.DataFrame, count: int, rng: np.random.Generator) -> np.ndarray:
    """Draw equally often from every bin that has masks, so that small test sets fill all columns of Table 1."""
    bins = {str(name): np.asarray(rows) for name, rows in masks.groupby("ratio_bin").indices.items()}
    turns = rng.permutation(np.arange(count) % len(bins))
    drawn = np.empty(count, dtype=int)
    for turn, name in enumerate(sorted(bins)):
        places = np.flatnonzero(turns == turn)
        if len(places):
            drawn[places] = _cycle(bins[name], len(places), rng)
    return drawn


DRAWS = {"uniform": _uniform, "balanced": _balanced}
