"""Seconds per image of the structure-preserving smoothing at 64 and 256 pixels, on a drawn image.

python benchmarks/structure.py [--images 3]
"""

import argparse
import time

import numpy as np

from spl.data.smooth_images import smooth_structure

PUBLISHED = {"strength": 0.01, "scale": 3.0, "sharpness": 0.02, "iterations": 4}


def main() -> None:
    """Time both sizes with the defaults of the published program."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=3)
    arguments = parser.parse_args()
    smooth_structure(textured_disc(16, 0), **PUBLISHED)  # the first call is slower
    for size in (64, 256):
        images = [textured_disc(size, seed) for seed in range(arguments.images)]
        wall, cpu = time.perf_counter(), time.process_time()
        for image in images:
            smooth_structure(image, **PUBLISHED)
        wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
        print(f"{size:3} px: {wall / len(images):.3f} s/image, {cpu / wall:.1f} threads busy")


def textured_disc(size: int, seed: int) -> np.ndarray:
    """Draw a bright disc on a dark ground under noise, (size, size, 3) uint8."""
    y, x = np.indices((size, size)) - size / 2
    disc = np.where(np.hypot(y, x) < size / 3, 180, 70)[:, :, None]
    return (disc + np.random.default_rng(seed).integers(-30, 31, (size, size, 3))).astype(np.uint8)


if __name__ == "__main__":
    main()
