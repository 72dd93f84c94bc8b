"""k-means clusters of semantic priors (paper section 4.5), with the same colour for the same cluster in all images.

The paper "directly conduct[s] the k-means algorithm on the learned semantic priors" and does not say on how many
images at once. `scope: image` clusters each image on its own, as its single example in Figure 1 suggests;
`scope: set` fits one clustering to the images whose priors are kept, so that a colour means the same in all of them.

Two things are ours: positions are compared by the direction of their vectors, not their length, and clusters are fitted
away from the border, where the padding of many convolutions would otherwise make clusters of its own.
"""

from pathlib import Path

import cv2
import numpy as np
from matplotlib.colors import to_rgb
from safetensors.numpy import load_file
from scipy.optimize import linear_sum_assignment
from scipy.spatial.distance import cdist

from spl.common.errors import DataError, again
from spl.common.labels import method_title
from spl.config.experiment import Clusters
from spl.figures.style import distinct_colours
from spl.steps.records import read_record
from spl.steps.settings import FigureSettings

POINTS = 20_000
"""Most positions that a clustering is fitted to."""

RESTARTS = 5
ITERATIONS = 100
TINY = 1e-6


def priors_file(results: Path, dataset: str, method: str) -> Path:
    """Return the file with the kept priors or edges of a method."""
    return results / f"priors/{dataset}/{method}.safetensors"


def read_priors(path: Path, *, kind: str) -> tuple[list[str], np.ndarray]:
    """Read the kept `prior` (N, c, h, w) or `edges` (N, 1, H, W) of a method, and the names of its N images.

    Raises: DataError if the file and its record do not fit together.
    """
    names = read_record(path.with_suffix(".json"))["images"]
    if not path.is_file():
        raise DataError(f"{path} does not exist. Build it first: snakemake --cores all -- {path}")
    tensor = load_file(path).get(kind)
    if tensor is None or tensor.ndim != 4 or len(tensor) != len(names):
        raise DataError(
            f"{path}: expected {kind} of {len(names)} images, got {'none' if tensor is None else tensor.shape}. "
            f"Make it again: {again(path)}"
        )
    return names, tensor


def cluster_priors(priors: np.ndarray, shown: list[int], clusters: Clusters, *, seed: int) -> np.ndarray:
    """Cluster the positions of priors; neither the order of the images nor of the clusters found matters.

    The clusters of the set are numbered along its first principal component. Those of a single image take the
    numbers of the set's that lie closest, all in all.

    Args:
        priors: (N, c, h, w) of all kept images.
        shown: indices of the wanted ones.
        clusters: their number and scope.
        seed: seed of the subsample and of k-means.

    Returns:
        (len(shown), h, w) int, below `clusters.number`.
    """
    points = np.moveaxis(priors, 1, -1).reshape(len(priors), -1, priors.shape[1]).astype(np.float32)  # (N, h w, c)
    points /= np.maximum(np.linalg.norm(points, axis=-1, keepdims=True), TINY)
    inner = _away_from_border(*priors.shape[2:])
    rng = np.random.default_rng(seed)
    few = rng.choice(inner, min(len(inner), max(1, POINTS // len(points))), replace=False)
    centroids = _along_first_component(_kmeans(points[:, few], clusters.number, seed))
    maps = []
    for image in points[shown]:
        own = centroids
        if clusters.scope == "image":
            own = _kmeans(image[inner], clusters.number, seed)
            own = own[linear_sum_assignment(cdist(centroids, own))[1]]
        maps.append(cdist(image, own).argmin(axis=1).reshape(priors.shape[2:]))
    return np.stack(maps)


def _away_from_border(height: int, width: int) -> np.ndarray:
    """Return the flat indices of the positions that lie further inside than a rim of an eighth of a side."""
    places = np.arange(height * width).reshape(height, width)
    top, left = height // 8, width // 8
    return places[top : height - top, left : width - left].ravel()


def describe_clusters(settings: FigureSettings, method: str) -> str:
    """Print for a caption which clusters are shown."""
    clusters = settings.figures.clusters
    assert clusters is not None
    scope = "over all kept images" if clusters.scope == "set" else "of each image alone"
    return f"the semantic prior of {method_title(method)} by k-means ({clusters.number} clusters, {scope})"


def paint(labels: np.ndarray, number: int) -> np.ndarray:
    """Colour a map of clusters. Shapes: labels (h, w) int; returns (h, w, 3) uint8."""
    colours = np.array([to_rgb(colour) for colour in distinct_colours(number)])
    return np.round(colours[labels] * 255).astype(np.uint8)


def _kmeans(points: np.ndarray, number: int, seed: int) -> np.ndarray:
    """Return centroids (number, c) of points (..., c), whatever their order."""
    points = points.reshape(-1, points.shape[-1]).astype(np.float32)
    points = points[np.lexsort(points.T)]
    criteria = (cv2.TERM_CRITERIA_EPS + cv2.TERM_CRITERIA_MAX_ITER, ITERATIONS, 1e-4)
    cv2.setRNGSeed(seed)
    return cv2.kmeans(points, number, None, criteria, RESTARTS, cv2.KMEANS_PP_CENTERS)[2]  # pyright: ignore[reportArgumentType, reportCallIssue]


def _along_first_component(centroids: np.ndarray) -> np.ndarray:
    """Sort centroids (k, c) by their projection; the component's largest entry counts as positive."""
    component = np.linalg.svd(centroids - centroids.mean(0), full_matrices=False)[2][0]
    component = component * np.sign(component[np.abs(component).argmax()])
    return centroids[np.argsort(centroids @ component, kind="stable")]
