"""Is a world too easy? PSNR on all pairs of fills that know nothing of structure, beside the classical ones.

    python benchmarks/controls.py --directory .    # where the workflow has been run

`mean image`: the mean of all training images. `nearest image`: the training image that is nearest on the visible
pixels. `nearest pixel`: every missing pixel is the visible one nearest to it. `nearest patch`: from the hole's rim
inwards, every missing pixel is the middle of the visible 7 x 7 patch that fits what is known around it best.
"""

import argparse
import os
from functools import partial
from pathlib import Path

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from scipy import ndimage

from spl.common.tables import read_table
from spl.data.classical import FILLS, classical_fill
from spl.data.stored import GroupedMasks, PreparedImages
from spl.evaluation.metrics import psnr

RADIUS = 3


def nearest_pixel(image: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Shapes: image (H, W, 3), mask (H, W) bool, True = hole; so for all fills."""
    rows, columns = np.asarray(ndimage.distance_transform_edt(mask, return_distances=False, return_indices=True))
    return image[rows, columns]


def nearest_patch(image: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Fill ring after ring."""
    side = 2 * RADIUS + 1
    patches = sliding_window_view(image.astype(np.float32), (side, side), axis=(0, 1)).transpose(0, 1, 3, 4, 2)
    whole = ~sliding_window_view(mask, (side, side)).any((2, 3))
    if not whole.any():
        return nearest_pixel(image, mask)
    sources = patches[whole].reshape(-1, side * side, 3)  # (S, side^2, 3)
    filled, missing = (
        np.pad(image.astype(np.float32), ((RADIUS,) * 2,) * 2 + ((0, 0),)),
        np.pad(mask, RADIUS, constant_values=True),
    )
    inside = np.pad(np.ones_like(mask), RADIUS)
    while (missing & inside).any():
        rim = missing & inside & np.asarray(ndimage.binary_dilation(~missing), bool)
        found = {}
        for y, x in np.argwhere(rim):
            window = slice(y - RADIUS, y + RADIUS + 1), slice(x - RADIUS, x + RADIUS + 1)
            known = ~missing[window].ravel()
            gap = sources[:, known] - filled[window].reshape(-1, 3)[known]
            found[y, x] = sources[np.square(gap).sum((1, 2)).argmin(), side * side // 2]
        for place, colour in found.items():
            filled[place] = colour
        missing &= ~rim
    return filled[RADIUS:-RADIUS, RADIUS:-RADIUS].astype(np.uint8)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--directory", type=Path, default=Path())
    os.chdir(parser.parse_args().directory)
    for file in sorted(Path("data/pairs").glob("*.csv")):
        pairs, manifest = read_table(file), Path(f"data/prepared/{file.stem}/manifest.csv")
        images = PreparedImages(manifest, names=pairs["image"])
        masks = GroupedMasks(Path("data/masks/masks.csv"), names=pairs["mask"])
        training = PreparedImages(manifest, split="train")
        size = images.pixels(0).shape[0]
        seen = np.stack([training.pixels(i) for i in range(len(training))])
        mean = seen.mean(0).astype(np.uint8)

        def nearest_image(image: np.ndarray, mask: np.ndarray, seen: np.ndarray = seen) -> np.ndarray:
            gap = np.square(seen[:, ~mask].astype(np.float32) - image[~mask]).sum((1, 2))
            return seen[gap.argmin()]

        fills = {
            "mean image": lambda image, mask, mean=mean: mean,
            "nearest image": nearest_image,
            "nearest pixel": nearest_pixel,
            "nearest patch": nearest_patch,
        } | {name: partial(classical_fill, settings=FILLS[name]) for name in ("telea", "navier_stokes")}
        scores = {name: [] for name in fills}
        for i in range(len(pairs)):
            image, mask = images.pixels(i), masks.hole(i, size)
            for name, fill in fills.items():
                scores[name].append(psnr(image, np.where(mask[..., None], fill(image, mask), image)))
        print(file.stem, {name: round(float(np.mean(values)), 2) for name, values in scores.items()})


if __name__ == "__main__":
    main()
