"""Does EdgeConnect predict edges? F1 against the image's true edges inside the holes, beside maps that know less.

    python benchmarks/edges.py --directory tries                             # a run on validation images: chooses
    python benchmarks/edges.py --directory . --threshold 0.1 --dilation 8    # test images, as chosen

True edges are Canny's, of the whole image. `constant`: every pixel of the hole is an edge, the best map without
content. `dilated`: the edges around the hole, grown into it by some pixels. The pixels of all images count together.
Without --threshold and --dilation the best of each is searched for, which is for validation images only.
"""

import argparse
import os
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from scipy import ndimage
from torch.utils.data import DataLoader

from spl.config.methods import ClassicalFill
from spl.models.build import load_generator
from spl.models.ec import EdgeConnect, canny_edges, gray
from spl.steps.records import read_settings
from spl.steps.settings import RunSettings
from spl.tensors.loaders import TestPairs

THRESHOLDS = np.round(np.arange(0.05, 1.0, 0.05), 2).tolist()
DILATIONS = list(range(1, 17))  # pixels


class Holes(NamedTuple):
    """The pixels of all holes: (N,) each, and edges around the hole that were dilated, by pixels."""

    predicted: np.ndarray
    true: np.ndarray
    dilated: dict[int, np.ndarray]


@torch.no_grad()
def find_edges(weights: Path, dataset: str, dilations: list[int]) -> Holes:
    """Predict the edges of a run's pairs, and find the true ones."""
    run = read_settings(weights / "run.json", RunSettings)
    assert not isinstance(run.recipe, ClassicalFill)
    network = load_generator(run.recipe, weights, image_size=run.image_size, device=torch.device("cpu")).eval()
    assert isinstance(network, EdgeConnect)
    data = Path("data")
    pairs = TestPairs(
        data / f"pairs/{dataset}.csv",
        data / f"prepared/{dataset}/manifest.csv",
        data / "masks/masks.csv",
        image_size=run.image_size,
    )
    predicted, true, dilated = [], [], {n: [] for n in dilations}
    for image, mask in DataLoader(pairs, batch_size=32):
        hole = mask.numpy() > 0.5
        predicted.append(network.edges(image, mask).numpy()[hole])
        true.append(canny_edges(gray(image)).numpy()[hole] > 0)
        around = canny_edges(gray(image), valid=1 - mask).numpy() > 0
        for n in dilations:
            grown = [ndimage.binary_dilation(edges[0], iterations=n)[None] for edges in around]
            dilated[n].append(np.stack(grown)[hole])
    return Holes(
        np.concatenate(predicted), np.concatenate(true), {n: np.concatenate(maps) for n, maps in dilated.items()}
    )


def f1(found: np.ndarray, true: np.ndarray) -> float:
    """Return the harmonic mean of precision and recall."""
    return 2 * np.count_nonzero(found & true) / (np.count_nonzero(found) + np.count_nonzero(true))


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--directory", type=Path, required=True, help="where the workflow has been run")
    parser.add_argument("--method", default="ec")
    parser.add_argument("--threshold", type=float)
    parser.add_argument("--dilation", type=int)
    arguments = parser.parse_args()
    thresholds = [arguments.threshold] if arguments.threshold else THRESHOLDS
    dilations = [arguments.dilation] if arguments.dilation else DILATIONS
    os.chdir(arguments.directory)
    print("| | predicted | threshold | constant | dilated | pixels |\n|---|--:|--:|--:|--:|--:|")
    for run in sorted(Path("results/weights").glob(f"*/{arguments.method}/seed*")):
        holes = find_edges(run, run.parts[2], dilations)
        best, threshold = max((f1(holes.predicted > t, holes.true), t) for t in thresholds)
        grown, n = max((f1(edges, holes.true), n) for n, edges in holes.dilated.items())
        constant = f1(np.ones_like(holes.true), holes.true)
        print(f"| {run.parts[2]} | {best:.3f} | {threshold} | {constant:.3f} | {grown:.3f} | {n} |")


if __name__ == "__main__":
    main()
