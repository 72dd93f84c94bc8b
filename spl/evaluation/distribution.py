"""FID and KID: distances between the distributions of filled and ground-truth images in Inception's feature space."""

from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import torch
from torch import Tensor
from torch_fidelity import FeatureExtractorInceptionV3
from torch_fidelity.metric_fid import fid_features_to_statistics, fid_statistics_to_metric
from torch_fidelity.metric_kid import kid_features_to_metric

from spl.sources.metric_weights import DIMENSIONS, INCEPTION
from spl.weights.files import read_state

SUBSETS = 100
SUBSET_SIZE = 1000

FeatureExtractor = Callable[[Tensor], Tensor]
"""image (B, 3, H, W) uint8 -> features (B, 2048) float32 on the CPU."""


def fid(ours: Tensor, truth: Tensor) -> float:
    """Return the Fréchet distance between Gaussians fitted to two sets of features, (N, d) each, by torch-fidelity.

    Paper: Heusel et al. 2017. It shrinks with N: compare values of equal numbers of images only.
    """
    statistics = [fid_features_to_statistics(features.double()) for features in (ours, truth)]
    return fid_statistics_to_metric(*statistics, verbose=False)["frechet_inception_distance"]


def kid(ours: Tensor, truth: Tensor, *, seed: int) -> tuple[float, float | None]:
    """Return the squared maximum mean discrepancy of two sets of features, (N, d) each, by torch-fidelity.

    Paper: Binkowski et al. 2018: the mean and the standard deviation of 100 estimates over subsets of 1000 images. Up
    to 1000 images there is only one subset, hence one estimate without a deviation. Unbiased: values below 0 occur.
    """
    size = min(SUBSET_SIZE, len(ours), len(truth))
    subsets = 1 if len(ours) == len(truth) == size else SUBSETS
    found = kid_features_to_metric(
        ours.double(), truth.double(), kid_subsets=subsets, kid_subset_size=size, rng_seed=seed, verbose=False
    )
    sd = found["kernel_inception_distance_std"] if subsets > 1 else None
    return found["kernel_inception_distance_mean"], sd


def load_inception(folder: Path, device: torch.device) -> FeatureExtractor:
    """Read the Inception of FID's authors, ported to PyTorch; it resizes images to 299 x 299 by itself.

    Raises: CheckpointError if the file is missing, damaged or another one.
    """
    safe = BytesIO()  # torch-fidelity would unpickle whatever a file holds
    torch.save(read_state(INCEPTION.require(folder)), safe)
    safe.seek(0)
    network = FeatureExtractorInceptionV3("inception", [str(DIMENSIONS)], feature_extractor_weights_path=safe)
    network.to(device)

    @torch.no_grad()
    def extract_features(image: Tensor) -> Tensor:
        return network(image.to(device))[0].cpu()

    return extract_features
