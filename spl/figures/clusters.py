"""k-means clusters of semantic priors (paper section 4.5).

`scope: image` is the authors' way, as `Kmeans_map` of their later program SPN has it (SPN_probabilistic/main.py): each
image alone, its vectors as they are, all positions.

`scope: set` is ours: one clustering for all images whose priors are kept, so that a colour means the same in all of
them. Positions are compared by the direction of their vectors, not their length, and clusters are fitted away from the
border, where the padding of many convolutions would otherwise make clusters of its own.
"""

from pathlib import Path

import cv2
import numpy as np
from safetensors.numpy import load_file
from scipy.spatial.distance import cdist

from spl.common.errors import DataError, again
from spl.common.labels import method_title
from spl.config.experiment import Clusters
from spl.steps.records import read_record
from spl.steps.settings import FigureSettings

POINTS = 20_000
"""Most positions that a clustering of the set is fitted to."""

TINY = 1e-6

SEARCH = {
    "image": (10, 20, 0.5, cv2.KMEANS_RANDOM_CENTERS),
    "set": (5, 100, 1e-4, cv2.KMEANS_PP_CENTERS),
}
"""By scope: attempts, most iterations of each, the shift of centroids that ends one, and how it starts."""


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

    Clusters are numbered along the first principal component of their centroids, of the image or of the set.

    Args:
        priors: (N, c, h, w) of all kept images.
        shown: indices of the wanted ones.
        clusters: their number and scope.
        seed: seed of the subsample and of k-means.

    Returns:
        (len(shown), h, w) int, below `clusters.number`.
    """
    points = np.moveaxis(priors, 1, -1).reshape(len(priors), -1, priors.shape[1]).astype(np.float32)  # (N, h w, c)
    if clusters.scope == "image":
        found = [_kmeans(image, clusters, seed) for image in points[shown]]
        maps = [np.argsort(_along_first_component(centroids))[labels] for labels, centroids in found]
    else:
        points /= np.maximum(np.linalg.norm(points, axis=-1, keepdims=True), TINY)
        inner, rng = _away_from_border(*priors.shape[2:]), np.random.default_rng(seed)
        few = rng.choice(inner, min(len(inner), max(1, POINTS // len(points))), replace=False)
        fitted = points[:, few].reshape(-1, points.shape[-1])
        _, centroids = _kmeans(fitted[np.lexsort(fitted.T)], clusters, seed)
        centroids = centroids[_along_first_component(centroids)]
        maps = [cdist(image, centroids).argmin(axis=1) for image in points[shown]]
    return np.stack(maps).reshape(-1, *priors.shape[2:])


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
    return (
        f"the semantic prior of {method_title(method)}, its positions grouped by k-means into {clusters.number} "
        f"clusters {scope} (each a tone of grey, without a meaning of its own; the orange line is the hole's border)"
    )


def paint(labels: np.ndarray, number: int) -> np.ndarray:
    """Paint a map of clusters grey, as no legend is, from dark to light: neither black as edges nor white as holes.

    Shapes: labels (h, w) int; returns (h, w, 3) uint8.
    """
    tones = np.linspace(40, 230, number).round().astype(np.uint8)
    return np.repeat(tones[labels][..., None], 3, axis=2)


def _kmeans(points: np.ndarray, clusters: Clusters, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the cluster of each of the points (n, c), (n,), and the centroids (number, c)."""
    attempts, iterations, shift, start = SEARCH[clusters.scope]
    criteria = (cv2.TERM_CRITERIA_EPS + cv2.TERM_CRITERIA_MAX_ITER, iterations, shift)
    cv2.setRNGSeed(seed)
    _, labels, centroids = cv2.kmeans(points, clusters.number, None, criteria, attempts, start)  # pyright: ignore[reportArgumentType, reportCallIssue]
    return labels.ravel(), centroids


def _along_first_component(centroids: np.ndarray) -> np.ndarray:
    """Return the order of centroids (k, c) by their projection; the component's largest entry counts as positive."""
    component = np.linalg.svd(centroids - centroids.mean(0), full_matrices=False)[2][0]
    component = component * np.sign(component[np.abs(component).argmax()])
    return np.argsort(centroids @ component, kind="stable")
