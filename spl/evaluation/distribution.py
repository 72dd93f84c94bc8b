"""FID and KID: how far filled pictures are, as a whole, from true ones, seen through Inception features."""

from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch_fidelity import FeatureExtractorInceptionV3

from spl.common.errors import DataError
from spl.sources.metric_weights import DIMENSIONS, INCEPTION, too_few
from spl.weights.files import read_state

SUBSETS = 100
SUBSET_SIZE = 1000

FeatureExtractor = Callable[[Tensor], np.ndarray]
"""image (B, 3, H, W) uint8 -> features (B, 2048) float32."""


class KID(NamedTuple):
    """Mean and standard deviation over subsets; without a deviation if there was only one."""

    mean: float
    sd: float | None


def fid(ours: np.ndarray, truth: np.ndarray) -> float:
    """Return the Fréchet distance of two sets of features, (N, d) each, taken for Gaussian.

    Paper: Heusel et al. 2017. It shrinks with N: compare values of equal numbers of images only.
    Raises: DataError if there are fewer images than features.
    """
    _require_enough("fid", ours, truth)
    statistics = [(x.mean(axis=0, dtype=np.float64), np.cov(x, rowvar=False)) for x in (ours, truth)]
    return frechet_distance(*statistics[0], *statistics[1])


def frechet_distance(mean1: np.ndarray, cov1: np.ndarray, mean2: np.ndarray, cov2: np.ndarray) -> float:
    """Return |m1 - m2|^2 + Tr(C1 + C2 - 2 (C1 C2)^(1/2)) of two Gaussians with means (d,) and covariances (d, d)."""
    root = _square_root(cov1)
    # C1 C2 has the eigenvalues of the symmetric root C2 root, whose roots are real.
    product = np.linalg.eigvalsh(root @ cov2 @ root)
    overlap = np.sqrt(product.clip(min=0)).sum()
    return float(((mean1 - mean2) ** 2).sum() + np.trace(cov1) + np.trace(cov2) - 2 * overlap)


def kid(ours: np.ndarray, truth: np.ndarray, *, seed: int) -> KID:
    """Return the squared maximum mean discrepancy of two sets of features, (N, d) each.

    Paper: Binkowski et al. 2018: the mean of 100 estimates over subsets of 1000 images. Up to 1000 images there is but
    one subset, hence one estimate. Unbiased: values below 0 occur.
    Raises: DataError if there are fewer than 50 images.
    """
    _require_enough("kid", ours, truth)
    size = min(SUBSET_SIZE, len(ours), len(truth))
    if len(ours) == len(truth) == size:
        return KID(squared_mmd(ours, truth), None)
    rng = np.random.default_rng(seed)
    estimates = [
        squared_mmd(rng.choice(ours, size, replace=False), rng.choice(truth, size, replace=False))
        for _ in range(SUBSETS)
    ]
    return KID(float(np.mean(estimates)), float(np.std(estimates)))


def squared_mmd(x: np.ndarray, y: np.ndarray) -> float:
    """Estimate the squared maximum mean discrepancy without bias under the kernel (x.y / d + 1)^3; (n, d), (m, d)."""

    def within(kernel: np.ndarray) -> float:
        return (kernel.sum() - np.trace(kernel)) / (len(kernel) * (len(kernel) - 1))

    return float(within(_kernel(x, x)) + within(_kernel(y, y)) - 2 * _kernel(x, y).mean())


def load_inception(folder: Path, device: torch.device) -> FeatureExtractor:
    """Read the Inception of FID's authors, ported to PyTorch; it resizes pictures to 299 x 299 by itself.

    Raises: CheckpointError if the file is missing, damaged or another one.
    """
    safe = BytesIO()  # torch-fidelity would unpickle whatever a file holds
    torch.save(read_state(INCEPTION.require(folder)), safe)
    safe.seek(0)
    network = FeatureExtractorInceptionV3("inception", [str(DIMENSIONS)], feature_extractor_weights_path=safe).to(
        device
    )

    @torch.no_grad()
    def perceive(image: Tensor) -> np.ndarray:
        (features,) = network(image.to(device))
        return features.cpu().numpy()

    return perceive


def _require_enough(metric: Literal["fid", "kid"], *features: np.ndarray) -> None:
    for x in features:
        if reason := too_few(metric, *x.shape):
            raise DataError(reason)


def _square_root(cov: np.ndarray) -> np.ndarray:
    values, vectors = np.linalg.eigh(cov)
    return (vectors * np.sqrt(values.clip(min=0))) @ vectors.T


def _kernel(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    return (x.astype(np.float64) @ y.T / x.shape[1] + 1) ** 3
