"""Is a world too easy? PSNR on all pairs of fills that know nothing of structure, beside the classical ones.

    python benchmarks/controls.py --directory .                    # where the workflow has been run
    python benchmarks/controls.py --drawn paris --shadows 0.25     # on images that are in no set: to choose a world

`mean image`: the mean of all training images. `nearest image`: the training image that is nearest on the visible
pixels. `nearest pixel`: every missing pixel is the visible one nearest to it. `nearest patch`: from the hole's rim
inwards, every missing pixel is the middle of the visible 7 x 7 patch that fits what is known around it best.
"""

import argparse
import os
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from PIL import Image
from scipy import ndimage

from spl.common.tables import read_table
from spl.data.classical import FILLS, classical_fill
from spl.data.images import resize_mask
from spl.data.stored import GroupedMasks, PreparedImages
from spl.evaluation.metrics import psnr
from spl.miniature.images import SETS, draw_image
from spl.miniature.masks import draw_mask

RADIUS, SIZE = 3, 64


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


Fill = Callable[[np.ndarray, np.ndarray], np.ndarray]
WITHOUT_TRAINING: dict[str, Fill] = {"nearest pixel": nearest_pixel, "nearest patch": nearest_patch} | {
    name: partial(classical_fill, settings=FILLS[name]) for name in ("telea", "navier_stokes")
}


def by_training_images(images: PreparedImages) -> dict[str, Fill]:
    """Return the fills that know the training images."""
    seen = np.stack([images.pixels(i) for i in range(len(images))])
    mean = seen.mean(0).astype(np.uint8)

    def nearest_image(image: np.ndarray, mask: np.ndarray) -> np.ndarray:
        gap = np.square(seen[:, ~mask].astype(np.float32) - image[~mask]).sum((1, 2))
        return seen[gap.argmin()]

    return {"mean image": lambda image, mask: mean, "nearest image": nearest_image}


def show(name: str, pairs: Iterable[tuple[np.ndarray, np.ndarray]], fills: dict[str, Fill]) -> None:
    """Print the mean of every fill, and how far the copies of patches are above Navier-Stokes."""
    scores = {name: [] for name in fills}
    for image, mask in pairs:
        hole = mask[..., None]
        visible = np.where(hole, np.uint8(0), image)
        for fill, function in fills.items():
            scores[fill].append(psnr(image, np.where(hole, function(visible, mask), image)))
    gain = np.subtract(scores["nearest patch"], scores["navier_stokes"])
    means = {fill: round(float(np.mean(values)), 2) for fill, values in scores.items()}
    print(f"{name} {means} patch - navier_stokes {gain.mean():+.2f} ± {1.96 * gain.std() / len(gain) ** 0.5:.2f}")


def drawn(scene: str, count: int, shadows: float) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Draw pairs that are in no set."""
    for i in range(count):
        image = draw_image(scene, seed=5, split="val", index=i, shadows=shadows).image
        mask = resize_mask(np.asarray(draw_mask(seed=5, index=i)) > 0, SIZE)
        yield np.asarray(image.resize((SIZE, SIZE), Image.Resampling.BILINEAR)), mask


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--directory", type=Path, default=Path())
    parser.add_argument("--drawn", choices=SETS)
    parser.add_argument("--shadows", type=float, default=0.0)
    parser.add_argument("--images", type=int, default=96)
    arguments = parser.parse_args()
    if arguments.drawn:
        show(arguments.drawn, drawn(arguments.drawn, arguments.images, arguments.shadows), WITHOUT_TRAINING)
        return
    os.chdir(arguments.directory)
    for file in sorted(Path("data/pairs").glob("*.csv")):
        pairs, manifest = read_table(file), Path(f"data/prepared/{file.stem}/manifest.csv")
        images = PreparedImages(manifest, names=pairs["image"])
        masks = GroupedMasks(Path("data/masks/masks.csv"), names=pairs["mask"])
        fills = by_training_images(PreparedImages(manifest, split="train")) | WITHOUT_TRAINING
        size = images.pixels(0).shape[0]
        show(file.stem, ((images.pixels(i), masks.hole(i, size)) for i in range(len(pairs))), fills)


if __name__ == "__main__":
    main()
